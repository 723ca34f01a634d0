"""Which signals read which key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from weft.connect.api import Point
from weft.connect.shdr.address import ALL_ASSETS, WIDTH, Address, Category
from weft.connect.shdr.values import Reading, reading_of
from weft.model.quality import BAD_CONFIGURATION_ERROR
from weft.runtime import Invalid

__all__ = ["ASSET", "REMOVED", "Entry", "Index", "Refuse", "Target"]

Refuse = Callable[[Point, int, str], None]

# Asset messages are indexed beside the keys, under names that no key can have: a key has no pipe.
ASSET: Final = "|asset|"
REMOVED: Final = "|removed|"


class Target(NamedTuple):
    handle: int
    read: Reading


class Entry(NamedTuple):
    """A key's signals and how many fields belong to it."""

    width: int
    targets: list[Target]


class Index:
    """The points by key. Points that cannot be served are refused, the others stay."""

    def __init__(self, points: Iterable[Point], device: str, refuse: Refuse) -> None:
        self._entries: dict[str, Entry] = {}
        self._device = device
        for point in points:
            try:
                self._add(point)
            except Invalid as error:
                refuse(point, BAD_CONFIGURATION_ERROR, str(error))

    def get(self, key: str) -> Entry | None:
        """The signals of ``key`` as it came, or of the key without its device."""
        entry = self._entries.get(key)
        if entry is not None:
            return entry
        device, colon, bare = key.partition(":")
        if colon and (not self._device or device == self._device):
            return self._entries.get(bare)
        return None

    def asset(self, kind: str, id: str) -> Entry | None:
        """The signals that take the bodies (ASSET) or removals (REMOVED) of this asset."""
        return self._entries.get(kind + id) or self._entries.get(kind + ALL_ASSETS)

    def _add(self, point: Point) -> None:
        address: Address = point.address
        width, key = WIDTH[address.category], address.key
        if address.category is Category.ASSET:
            key = (REMOVED if address.part == "removed" else ASSET) + key
        read = reading_of(point)
        entry = self._entries.setdefault(key, Entry(width, []))
        if entry.width != width:
            raise Invalid(
                f"The key {address.key!r} is read with {entry.width} fields by another signal, with {width} "
                f"as {address.category} by this one.",
                remedy="Give all signals of a key the same category.",
            )
        entry.targets.append(Target(point.handle, read))
