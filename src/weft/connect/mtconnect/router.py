"""From observations to samples: which signals read a data item, and what each finds in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from weft.connect.api import Point
from weft.connect.mtconnect.document import Observation
from weft.connect.mtconnect.model import Item, Model
from weft.connect.mtconnect.values import UNTOLD, Read, reader_of, series
from weft.connect.shdr.tokens import Stamps
from weft.connect.tally import Tally
from weft.model import Batch, BatchBuilder, Flag
from weft.model.quality import BAD_CONFIGURATION_ERROR, BAD_NODE_ID_UNKNOWN
from weft.runtime import Invalid, NotFound

__all__ = ["Router"]

Refuse = Callable[[Point, int, str], None]


class Target(NamedTuple):
    handle: int
    read: Read
    rate: float | None  # of a time series that is taken apart


class Router:
    """Reads observations for the points. Points that cannot be served are refused, the others stay.

    ``kept`` is by handle the newest time that is stored already: what the agent tells again after a restart is
    passed over until something newer comes.
    """

    def __init__(
        self, model: Model, points: Sequence[Point], refuse: Refuse, tally: Tally, kept: dict[int, int]
    ) -> None:
        self.points = points
        self.model = model
        self._refuse = refuse
        self._tally = tally
        self._kept = kept
        self._stamps = Stamps()
        self._seen: set[int] = set()
        self._targets: dict[str, list[Target]] = {}
        self._index(points)

    def follow(self, points: Sequence[Point]) -> set[int]:
        """Reads for other points from now on; returns the handles of those that are new."""
        added = {point.handle for point in set(points) - set(self.points)}
        self.points = points
        self._targets = {}
        self._index(points)
        return added

    def handles(self, id: str) -> list[int]:
        """The handles that read this data item."""
        return [target.handle for target in self._targets.get(id, ())]

    def time(self, seen: Observation, now: int) -> tuple[int, int]:
        """Its time (ns UTC) and flags."""
        stamp = self._stamps.read(seen.time) if seen.time else None
        if stamp is None:
            self._tally.add("time not readable")
            return now, Flag.RECEIVE_TIME
        return stamp.time, 0

    def read(self, observations: Iterable[Observation], now: int, only: set[int] | None = None) -> Batch:
        """The samples of ``observations``, of the handles ``only``; ``now`` (ns UTC) is the time of what has none."""
        batch = BatchBuilder()
        for seen in observations:
            targets = self._targets.get(seen.id)
            if targets is None:
                self._tally.add("no signal")
                continue
            time, flags = self.time(seen, now)
            for target in targets:
                if only is None or target.handle in only:
                    self._deliver(target, seen, time, flags, batch)
        return batch.build()

    def again(self, observations: Iterable[Observation], now: int) -> Batch:
        """The present state as of ``now``: the line, while it was down, had made every signal bad."""
        batch = BatchBuilder()
        for seen in observations:
            for target in self._targets.get(seen.id, ()):
                value = target.read(seen)
                if target.rate is None and value != UNTOLD:
                    batch.add(target.handle, now, *value, Flag.REPEATED | Flag.RECEIVE_TIME)
        return batch.build()

    def _deliver(self, target: Target, seen: Observation, time: int, flags: int, batch: BatchBuilder) -> None:
        value = target.read(seen)
        if value == UNTOLD:
            return
        several = [(time, value)] if target.rate is None else series(value, seen, target.rate, time)
        for moment, (found, code, status) in several:
            if moment <= self._kept.get(target.handle, moment - 1):
                continue
            self._kept.pop(target.handle, None)
            batch.add(target.handle, moment, found, code, status, flags | self._first(target.handle))

    def _first(self, handle: int) -> int:
        if handle in self._seen:
            return 0
        self._seen.add(handle)
        return Flag.FIRST

    def _index(self, points: Sequence[Point]) -> None:
        for point in points:
            try:
                item = self.model.find(point.address.id, point.address.device)
                target = Target(point.handle, reader_of(point, item), _rate(item, point))
            except NotFound as error:
                self._refuse(point, BAD_NODE_ID_UNKNOWN, str(error))
            except Invalid as error:
                self._refuse(point, BAD_CONFIGURATION_ERROR, str(error))
            else:
                self._targets.setdefault(item.id, []).append(target)


def _rate(item: Item, point: Point) -> float | None:
    return item.rate if item.is_series and not point.address.part else None
