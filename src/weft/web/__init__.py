"""The HTTP kernel: application, access, errors as problems, server."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from weft.web.access import Access, Identity

if TYPE_CHECKING:
    from weft.web.app import LOOPBACK, create
    from weft.web.problems import Page, Problem
    from weft.web.server import serve

__all__ = ["LOOPBACK", "Access", "Identity", "Page", "Problem", "create", "serve"]

_LATER = {"LOOPBACK": "app", "create": "app", "Page": "problems", "Problem": "problems", "serve": "server"}


def __getattr__(name: str) -> Any:
    # Commands only need access to a running Weft; the HTTP framework would cost each of them half a second.
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
