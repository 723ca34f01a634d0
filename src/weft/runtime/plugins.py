"""Plug-ins by entry point, found by name and imported only when used."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from weft.runtime.errors import Invalid, NotFound

__all__ = ["load", "names"]


@cache
def _group(group: str) -> dict[str, EntryPoint]:
    # Reading the metadata of a hundred distributions takes about 20 ms: once per process is enough.
    return {point.name: point for point in entry_points(group=group)}


def names(group: str) -> list[str]:
    """What is installed, without importing it."""
    return sorted(_group(group))


def load(group: str, name: str) -> Any:
    """The plug-in's object. Raises NotFound with the nearest name, Invalid when its import fails."""
    point = _group(group).get(name)
    if point is None:
        near = difflib.get_close_matches(name, _group(group), n=1)
        known = ", ".join(names(group))
        raise NotFound(
            f"There is no {group.rpartition('.')[2].rstrip('s')} {name!r}.",
            remedy=f"Did you mean {near[0]!r}?" if near else f"Installed are: {known}.",
        )
    try:
        return point.load()
    except ImportError as error:
        raise Invalid(
            f"The plug-in {name!r} cannot be imported: {error}.", remedy="Is its extra installed?"
        ) from error
