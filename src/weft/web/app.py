"""The HTTP application: contexts bring their routers, this brings what all of them share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, YamlRenderPlugin
from litestar.types import ASGIApp

from weft.runtime import WeftError
from weft.web import operations
from weft.web.access import Access
from weft.web.guard import Guard
from weft.web.problems import Page, Problems, plain_page

__all__ = ["LOOPBACK", "create"]

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
MAX_BODY: Final = 1_000_000


def create(
    routers: Sequence[Router],
    *,
    access: Access,
    page: Page = plain_page,
    hosts: Collection[str] = LOOPBACK,
    debug: bool = False,
) -> ASGIApp:
    """The application. ``page`` draws errors for people, ``hosts`` are the names it answers to (empty: any).

    OpenAPI 3.1 is at ``/schema/openapi.json`` and ``.yaml``; Litestar's own viewers are left out because they
    load their parts from the internet.
    """
    problems = Problems(page)
    # Class and status: Litestar looks for the class only when the error is one of its own.
    handlers: dict[Any, Any] = {WeftError: problems.handle, Exception: problems.handle, 500: problems.handle}
    app = Litestar(
        route_handlers=[operations.router(access), *routers],
        exception_handlers=handlers,
        openapi_config=OpenAPIConfig(
            title="Weft",
            version=_version(),
            path="/schema",
            render_plugins=[JsonRenderPlugin(), YamlRenderPlugin()],
            use_handler_docstrings=True,
        ),
        request_max_body_size=MAX_BODY,
        logging_config=None,
        debug=debug,
    )
    return Guard(app, access=access, problems=problems, hosts=hosts)


def _version() -> str:
    try:
        return version("weft")
    except PackageNotFoundError:
        return "0"
