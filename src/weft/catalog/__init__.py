"""What exists: the plant as its folder describes it, checked, numbered, compared and watched."""

from typing import TYPE_CHECKING, Any

import weft.catalog.skeleton as skeleton  # noqa: PLR0402  # mypy does not find it the other way
from weft.catalog.api import Connection, Destination, Plant
from weft.catalog.changes import Changes, diff
from weft.catalog.findings import Finding, Findings, Severity, nearest
from weft.catalog.handles import Handles
from weft.catalog.health import with_health
from weft.catalog.loader import Loaded, check, load
from weft.catalog.search import form_of, matching

if TYPE_CHECKING:
    from weft.catalog.routes import router
    from weft.catalog.settled import watch

__all__ = [
    "Changes",
    "Connection",
    "Destination",
    "Finding",
    "Findings",
    "Handles",
    "Loaded",
    "Plant",
    "Severity",
    "check",
    "diff",
    "form_of",
    "load",
    "matching",
    "nearest",
    "router",
    "skeleton",
    "watch",
    "with_health",
]


def __getattr__(name: str) -> Any:
    # Litestar and watchfiles take longer to import than a folder to check.
    if name == "router":
        from weft.catalog.routes import router

        return router
    if name == "watch":
        from weft.catalog.settled import watch

        return watch
    raise AttributeError(name)
