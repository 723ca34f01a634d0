"""What a kind of server bears: sizes of calls and ways of reading, as data (profiles.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import msgspec

__all__ = ["AUTO", "Limits", "Pace", "Profile", "known", "matching"]

AUTO: Final = "auto"
LARGEST: Final = 10_000
_AIM: Final = 0.25  # s for one call: long enough to be worth it, short enough for the others of the server
_GROWTH: Final = 1.5


class Limits(msgspec.Struct, frozen=True):
    """OperationLimits (OPC 10000-5, 6.3.11), 0 for what the server does not limit or say."""

    browse: int = 0
    read: int = 0
    items: int = 0


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """See profiles.toml. ``name`` is the table's."""

    name: str = AUTO
    match: tuple[str, ...] = ()
    browse: int = 50
    read: int = 200
    items: int = 500
    most_items: int = 0
    deadband: bool = True
    mode: Literal["subscribe", "read"] = "subscribe"
    workers: int = 3
    growth: int = 2
    limits: Limits = Limits()

    def within(self, limits: Limits) -> Profile:
        """Not above what the server says it takes; what it says is never a reason to ask for more."""
        return msgspec.structs.replace(
            self,
            browse=_least(self.browse, limits.browse),
            read=_least(self.read, limits.read),
            items=_least(self.items, limits.items),
            limits=limits,
        )

    def browse_pace(self, begin: int = 0) -> Pace:
        """``begin`` is a size that was good before."""
        return Pace(begin or self.browse, _least(self.browse * self.growth, self.limits.browse))

    def read_pace(self, begin: int = 0) -> Pace:
        return Pace(begin or self.read, _least(self.read * self.growth, self.limits.read))


def _least(ours: int, theirs: int) -> int:
    return max(1, min(ours, theirs)) if theirs > 0 else ours


@cache
def known() -> Mapping[str, Profile]:
    """All profiles by name, in the file's order."""
    text = (files("weft.connect.opcua") / "profiles.toml").read_text(encoding="utf-8")
    found = msgspec.convert(tomllib.loads(text), dict[str, Profile])
    return {name: msgspec.structs.replace(profile, name=name) for name, profile in found.items()}


def matching(*names: str) -> Profile:
    """By what the server calls its maker and itself."""
    for profile in known().values():
        for name in names:
            if any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in profile.match):
                return profile
    return known()[AUTO]


class Pace:
    """How much goes into one call, found out while going: it grows while calls are quick, shrinks when they are
    slow, and never again reaches a size that failed."""

    def __init__(self, size: int, most: int) -> None:
        self._most = max(1, min(most, LARGEST))
        self.size = max(1, min(size, self._most))

    def took(self, count: int, seconds: float) -> None:
        """``count`` went into one call that took so long."""
        if seconds > 2 * _AIM:
            self.size = max(1, min(self.size, int(count * _AIM / seconds)))
        elif seconds > _AIM:
            self.size = max(1, int(self.size / _GROWTH))
        elif seconds < _AIM / 2 and count >= self.size:
            self.size = min(self._most, int(self.size * _GROWTH) + 1)

    def failed(self, count: int) -> None:
        """A call with ``count`` (more than one) was too much."""
        self._most = max(1, min(self._most, count - 1))
        self.size = max(1, min(self.size, count // 2))
