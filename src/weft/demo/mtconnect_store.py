"""What an MTConnect agent remembers: a ring of observations by sequence number, the present state, assets."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

import anyio

from weft.demo.mtconnect_model import DataItem, Model
from weft.model import instant

__all__ = ["Asset", "Entries", "Observation", "OutOfRange", "Store", "now"]

Entries: TypeAlias = "dict[str, str | dict[str, str] | None]"

UNAVAILABLE: Final = "UNAVAILABLE"


class OutOfRange(Exception):
    """A sequence number that the ring does not hold."""


class Observation(NamedTuple):
    """``level`` is a condition's; ``entries`` are a data set's or table's: None was removed."""

    sequence: int
    item: DataItem
    time: str
    text: str
    attributes: Mapping[str, str] = {}
    level: str = ""
    entries: Entries | None = None

    @property
    def code(self) -> str:
        return self.attributes.get("nativeCode", "")


class Asset(NamedTuple):
    id: str
    type: str
    device: str
    time: str
    text: str
    removed: bool = False


State: TypeAlias = "dict[str, dict[str, Observation]]"


def now() -> str:
    return instant.text(time.time_ns(), 6)


class Store:
    """``size`` observations and ``most_assets`` assets; everything is unavailable at first."""

    def __init__(
        self, model: Model, *, size: int = 131_072, most_assets: int = 1024, instance: int = 0
    ) -> None:
        self.model = model
        self.size = size
        self.most_assets = most_assets
        self.instance = instance or time.time_ns() // 10**9
        self.next = 1
        self.assets: OrderedDict[str, Asset] = OrderedDict()
        self.news = anyio.Event()
        self._ring: deque[Observation] = deque()
        self._before: State = {}  # as it was just before the oldest in the ring
        self._state: State = {}
        begun = now()
        for item in model.items.values():
            self.lose(item, begun)

    @property
    def first(self) -> int:
        return self.next - len(self._ring)

    # --- observations -------------------------------------------------------------------------------------

    def add(
        self,
        item: DataItem,
        moment: str,
        text: str,
        attributes: Mapping[str, str] | None = None,
        *,
        level: str = "",
        entries: Entries | None = None,
    ) -> int:
        """The sequence number of the new observation."""
        seen = Observation(self.next, item, moment, text, attributes or {}, level, entries)
        self._ring.append(seen)
        self.next += 1
        _fold(self._state, seen)
        if len(self._ring) > self.size:
            _fold(self._before, self._ring.popleft())
        self.news.set()
        self.news = anyio.Event()
        return seen.sequence

    def lose(self, item: DataItem, moment: str) -> None:
        """The adapter has no value for it."""
        level = UNAVAILABLE if item.category == "CONDITION" else ""
        self.add(item, moment, "" if level else UNAVAILABLE, level=level)

    def since(self, sequence: int, count: int, ids: set[str]) -> tuple[list[Observation], int]:
        """At most ``count`` observations of ``ids`` from ``sequence`` on, and where to go on. Raises OutOfRange."""
        if not self.first <= sequence <= self.next:
            raise OutOfRange(
                f"'from' must be between {self.first} and {self.next}, {sequence} is not in the buffer"
            )
        found: list[Observation] = []
        for seen in islice(self._ring, sequence - self.first, None):
            if seen.item.id in ids:
                found.append(seen)
                if len(found) >= count:
                    return found, seen.sequence + 1
        return found, self.next

    def current(self, ids: set[str], at: int = 0) -> list[Observation]:
        """The state now or when ``at`` was the newest sequence number. Raises OutOfRange."""
        state = self._state
        if at:
            if not self.first <= at < self.next:
                raise OutOfRange(f"'at' must be between {self.first} and {self.next - 1}, it is {at}")
            state = {key: dict(values) for key, values in self._before.items()}
            for seen in islice(self._ring, at - self.first + 1):
                _fold(state, seen)
        return [seen for key, values in state.items() if key in ids for seen in values.values()]

    # --- assets -------------------------------------------------------------------------------------------

    def put_asset(self, asset: Asset) -> None:
        """Keeps it and says so on its device's ASSET_CHANGED."""
        self.assets.pop(asset.id, None)
        self.assets[asset.id] = asset
        if len(self.assets) > self.most_assets:
            self.assets.popitem(last=False)
        self._tell_asset("ASSET_CHANGED", asset)

    def remove_asset(self, id: str, moment: str) -> None:
        asset = self.assets.get(id)
        if asset is not None:
            self.assets[id] = asset._replace(removed=True, time=moment)
            self._tell_asset("ASSET_REMOVED", self.assets[id])

    def _tell_asset(self, type: str, asset: Asset) -> None:
        for item in self.model.items.values():
            if item.type == type and item.device == asset.device:
                self.add(item, asset.time, asset.id, {"assetType": asset.type})

    def ids(self, devices: Iterable[str]) -> set[str]:
        names = set(devices)
        return {item.id for item in self.model.items.values() if item.device in names}


def _fold(state: State, seen: Observation) -> None:
    """What the state is after ``seen``; a condition has one entry for each active native code."""
    held = state.setdefault(seen.item.id, {})
    if seen.item.category != "CONDITION":
        old = held.get("")
        if seen.entries is not None and old is not None and old.entries is not None:
            seen = seen._replace(entries=_merged(old.entries, seen))
        held[""] = seen
    elif seen.level in ("WARNING", "FAULT"):
        held.pop("", None)
        held[seen.code] = seen
    else:
        if seen.level == "NORMAL" and seen.code:
            held.pop(seen.code, None)
        else:
            held.clear()
        if not held:
            held[""] = seen


def _merged(old: Entries, seen: Observation) -> Entries:
    entries = {} if "resetTriggered" in seen.attributes else dict(old)
    for key, value in (seen.entries or {}).items():
        if value is None:
            entries.pop(key, None)
        else:
            entries[key] = value
    return entries
