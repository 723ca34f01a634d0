"""What exists: the plant as its folder describes it, checked, numbered, compared and watched."""

from weft.catalog.api import Connection, Plant
from weft.catalog.changes import Changes, Names, diff
from weft.catalog.findings import Finding, Severity
from weft.catalog.handles import Handles
from weft.catalog.loader import Loaded, check, load
from weft.catalog.settled import watch

__all__ = [
    "Changes",
    "Connection",
    "Finding",
    "Handles",
    "Loaded",
    "Names",
    "Plant",
    "Severity",
    "check",
    "diff",
    "load",
    "watch",
]
