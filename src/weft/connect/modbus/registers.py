"""The register map: the points of a connection as blocks to read, and what was learnt about the device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np

from weft.connect.api import Point
from weft.connect.modbus.address import Address, Config
from weft.connect.modbus.layout import Layout
from weft.connect.modbus.place import BIT_TABLES, Place
from weft.connect.modbus.plan import CLOCK, FACTOR, Block, Span, plan

__all__ = ["RegisterMap", "place_of"]

RETRY_REFUSED: Final = 60.0


class RegisterMap:
    """What to read for ``points``. Planned once, and again only when the device has taught something.

    ``units`` are the blocks by unit id, the one with the unit's clock first; ``too_wide`` are points that no
    request can hold under the connection's limits.
    """

    def __init__(self, points: Sequence[Point], config: Config) -> None:
        self.points = points
        self.handles = np.array([point.handle for point in points], dtype=np.int32)
        self.places = [place_of(point, config) for point in points]
        self._config = config
        spans = [self._span(i) for i in range(len(points))]
        self.too_wide = [points[span.point] for span in spans if not self._fits(span)]
        self._spans = [span for span in spans if self._fits(span)]
        self._clocks = _clocks(self._spans, config)
        self._refused: dict[Span, float] = {}
        self._walls: set[Span] = set()
        self._replan()

    def clock(self, unit: int) -> Span | None:
        """Where the unit's clock lies; None when it has none or refuses to tell."""
        span = self._clocks.get(unit)
        return None if span in self._refused else span

    def learn(self, refused: Sequence[Span], walls: Sequence[Span], now: float) -> None:
        """``refused`` are out of the plan for a while; ``walls`` begin a block from now on."""
        self._refused.update(dict.fromkeys(refused, now + RETRY_REFUSED))
        self._walls.update(walls)
        self._replan()

    def due(self, now: float) -> Span | None:
        """A refused span that should be tried again."""
        span = min(self._refused, key=self._refused.__getitem__, default=None)
        return span if span is not None and self._refused[span] <= now else None

    def postpone(self, span: Span, now: float) -> None:
        self._refused[span] = now + RETRY_REFUSED

    def forget(self) -> None:
        """The device has changed its mind: plan as if nothing were known."""
        self._refused.clear()
        self._walls.clear()
        self._replan()

    def _replan(self) -> None:
        wanted = [span for span in self._spans if span not in self._refused]
        wanted += [span for unit in {span.unit for span in wanted} if (span := self.clock(unit))]
        wanted += self._factors(wanted)
        blocks = plan(wanted, self._config, list(self._refused), frozenset(self._walls))
        units: dict[int, list[Block]] = defaultdict(list)
        for block in sorted(blocks, key=lambda block: not block.with_clock):
            units[block.unit].append(block)
        self.units = dict(units)
        self.requests = len(blocks)
        self.layout = Layout(blocks, self.places)

    def _factors(self, wanted: Sequence[Span]) -> list[Span]:
        """The scale factors of these spans; one that is refused stays out."""
        places = [self.places[span.point] for span in wanted if span.point >= 0]
        spans = {
            Span(place.unit, place.table, place.factor, place.factor + 1, FACTOR)
            for place in places
            if place.factor is not None
        }
        return sorted(spans - self._refused.keys())

    def _span(self, i: int) -> Span:
        place = self.places[i]
        return Span(place.unit, place.table, place.register, place.register + place.count, i)

    def _fits(self, span: Span) -> bool:
        return span.table in BIT_TABLES or span.end - span.start <= self._config.max_registers


def place_of(point: Point, config: Config) -> Place:
    """Where a point lies: its address comes from the plant's folder, or is a place that was looked up."""
    address: Place | Address = point.address
    return address if isinstance(address, Place) else address.place(config.unit)


def _clocks(spans: Sequence[Span], config: Config) -> dict[int, Span]:
    clock = config.clock
    if clock is None:
        return {}
    end = clock.register + clock.registers
    return {unit: Span(unit, clock.table, clock.register, end, CLOCK) for unit in {s.unit for s in spans}}
