"""Signals by pattern, as ``weft tail`` and queries name them."""

from __future__ import annotations

import re
from functools import lru_cache

from weft.catalog.api import Plant
from weft.model import Signal

__all__ = ["form_of", "matching"]


def matching(plant: Plant, pattern: str) -> list[Signal]:
    """The signals whose path, or its end, matches: ``*`` and ``?`` stay within a name, ``**`` is any number of
    names. ``mill/*`` are the signals of every mill, ``line1/**`` all that is below a line1, ``**`` all."""
    form = form_of(pattern)
    return [signal for path, signal in plant.signals.items() if form.fullmatch(path)]


def form_of(pattern: str) -> re.Pattern[str]:
    """What a whole path must be to match."""
    return _form(pattern.strip("/"))


@lru_cache(maxsize=64)
def _form(pattern: str) -> re.Pattern[str]:
    names = [name for name in pattern.split("/") if name]
    text = "(?:.*/)?"
    for at, name in enumerate(names):
        last = at == len(names) - 1
        if name == "**":
            text += ".*" if last else "(?:.*/)?"
        else:
            text += _name(name) + ("" if last else "/")
    return re.compile(text)


def _name(name: str) -> str:
    wild = {"*": "[^/]*", "?": "[^/]"}
    return "".join(wild.get(character) or re.escape(character) for character in name)
