"""Globs over browse names: ``Server/**/Temp*``. ``*``, ``?`` and ``[abc]`` within one name, ``**`` any number of
names. What lies below a match belongs to it."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import Final, TypeAlias

__all__ = ["ALL", "Pattern", "States"]

States: TypeAlias = "frozenset[int]"
"""Where in a pattern a path may be after its last name; empty: nothing below can match."""

ALL: Final[States] = frozenset({-1})  # everything from here on
_MOST_NAMES: Final = 100


class Pattern:
    """Raises ValueError for one that is empty or too long."""

    def __init__(self, text: str) -> None:
        names = [name for name in text.strip("/").split("/") if name]
        if not 1 <= len(names) <= _MOST_NAMES:
            raise ValueError(f"{text!r} is not a pattern like Machine/**/Temp*")
        self.first = names[0]
        self._names = [None if name == "**" else re.compile(translate(name)) for name in names]

    def begin(self) -> States:
        return self._whole(self._over({0}))

    def after(self, states: States, name: str) -> States:
        """Where it may be once ``name`` is met."""
        if states == ALL:
            return ALL
        reached = set()
        for at in states:
            if at == len(self._names):
                continue
            wanted = self._names[at]
            if wanted is None:
                reached.add(at)
            elif wanted.match(name):
                reached.add(at + 1)
        return self._whole(self._over(reached))

    def _whole(self, states: States) -> States:
        return ALL if len(self._names) in states else states

    def _over(self, reached: set[int]) -> States:
        """``**`` may also stand for nothing."""
        found = set(reached)
        for start in reached:
            at = start
            while at < len(self._names) and self._names[at] is None:
                at += 1
                found.add(at)
        return frozenset(found)
