"""The cycle: read all tags and attributes, emit one batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from weft.connect.api import Link, Point
from weft.connect.ethernetip.address import Address, Config
from weft.connect.ethernetip.driver import Driver, Result
from weft.connect.ethernetip.types import BadValue, decode, kind_of
from weft.connect.rounds import Refusals, Rounds
from weft.model import Batch, BatchBuilder, Flag, ValueType, quality

__all__ = ["Cycle", "Poll", "status_of"]

BAD_USER_ACCESS_DENIED: Final = 0x801F0000

# pycomm3 gives faults in words only; the first that is in them counts.
_WORDS: Final = (
    ("doesn't exist", quality.BAD_NODE_ID_UNKNOWN),
    ("unknown", quality.BAD_NODE_ID_UNKNOWN),
    ("path", quality.BAD_NODE_ID_UNKNOWN),
    ("attribute not supported", quality.BAD_NODE_ID_UNKNOWN),
    ("does not exist", quality.BAD_NODE_ID_UNKNOWN),
    ("index", quality.BAD_NODE_ID_UNKNOWN),
    ("out of range", quality.BAD_OUT_OF_RANGE),
    ("privilege", BAD_USER_ACCESS_DENIED),
    ("not settable", BAD_USER_ACCESS_DENIED),
    ("type", quality.BAD_TYPE_MISMATCH),
    ("not supported", quality.BAD_NOT_SUPPORTED),
)


def status_of(fault: str) -> int:
    """The OPC UA status of a fault in words."""
    text = fault.lower()
    return next((status for word, status in _WORDS if word in text), quality.BAD_DEVICE_FAILURE)


class Cycle:
    """One reading of the points after the other; ``refused`` are those of the last one, by index."""

    def __init__(self, driver: Driver, points: Sequence[Point]) -> None:
        self.points = points
        self.refused: dict[int, tuple[int, str]] = {}
        self._driver = driver
        self.plan(range(len(points)))

    def plan(self, wanted: Sequence[int] | range) -> None:
        self._tags: dict[str, list[int]] = defaultdict(list)
        self._attributes: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for i in wanted:
            address: Address = self.points[i].address
            if address.tag:
                self._tags[address.request].append(i)
            else:
                self._attributes[address.place].append(i)

    async def read(self, now: int, flags: int) -> Batch:
        """Raises Retry."""
        builder = BatchBuilder()
        requests = list(self._tags)
        for request, result in zip(requests, await self._driver.read(requests), strict=True):
            self._take(self._tags[request], result, builder, (now, flags))
        for place, indices in self._attributes.items():
            result = await self._driver.attribute(place)
            for i in indices:
                self._take_part(i, result, builder, (now, flags))
        return builder.build(received=now)

    def _take(
        self, indices: list[int], result: Result, builder: BatchBuilder, stamp: tuple[int, int]
    ) -> None:
        kind = kind_of(result.type) if not result.fault else None
        if not result.fault and kind is None:
            reason = f"It is a structure ({result.type}): read its members, such as {{}}.Member."
            for i in indices:
                self.refused[i] = (quality.BAD_TYPE_MISMATCH, reason.format(self.points[i].address.tag))
            return
        for i in indices:
            if result.fault:
                self.refused[i] = (status_of(result.fault), f"{self.points[i].address.tag}: {result.fault}.")
            else:
                value = self._value(result.value)
                builder.add(self.points[i].handle, stamp[0], value, kind or 0, 0, stamp[1])

    def _take_part(self, i: int, result: Result, builder: BatchBuilder, stamp: tuple[int, int]) -> None:
        address: Address = self.points[i].address
        if result.fault:
            kind, instance, attribute = address.place
            where = f"class {kind}, instance {instance}, attribute {attribute}"
            self.refused[i] = (status_of(result.fault), f"{where}: {result.fault}.")
            return
        try:
            value, type = decode(result.value, address.type or "", address.offset, address.count)
            status = 0
        except BadValue:
            value, type, status = None, int(ValueType.NULL), quality.BAD_DECODING_ERROR
        builder.add(self.points[i].handle, stamp[0], value, type, status, stamp[1])

    @staticmethod
    def _value(value: Any) -> Any:
        return value.rstrip("\0") if isinstance(value, str) else value


class Poll:
    """Reads the link's points over ``driver`` until cancelled or the line is lost."""

    def __init__(self, config: Config, link: Link, driver: Driver) -> None:
        self._config, self._link, self._driver = config, link, driver
        self._refusals = Refusals(link)
        self._rounds = Rounds(link, config.interval)

    async def run(self) -> None:
        """Until cancelled. Raises Retry."""
        await self._rounds.run(self._turn)

    async def _turn(self) -> None:
        flags, cycle, detail = int(Flag.FIRST), Cycle(self._driver, self._link.points), ""
        while True:
            if cycle.points is not self._link.points:
                self._refusals.clear()
                cycle = Cycle(self._driver, self._link.points)
            if self._refusals.due():
                await self._driver.refresh()  # the program may have been loaded anew since
                self._refusals.ask_again(cycle)
            batch = await cycle.read(self._link.clock.now(), flags | Flag.RECEIVE_TIME)
            told = f"{len(cycle.points)} signals every {self._config.interval:g} s"
            if told != detail:
                detail = told
                self._link.up(detail)
            if len(batch):
                self._link.emit(batch)
                flags = 0
            self._refusals.learn(cycle)
            await self._rounds.rest(cycle.points)
