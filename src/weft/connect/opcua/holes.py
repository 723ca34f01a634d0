"""What is missing in front of a sample: read back from the server's history, or else written down as a gap.

A hole begins at the newest sample that was handed over and ends at the one that comes next: the first one of a
monitored item that was made anew, or one that the server's queue marks with the Overflow bit. Where both are the
same sample, nothing has happened in between, and nothing is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import anyio
import numpy as np

from weft.connect.api import Link, Point
from weft.connect.opcua.history import History
from weft.connect.opcua.seen import NEVER, Seen
from weft.model import Batch, Flag
from weft.runtime import get_logger

__all__ = ["Hole", "Holes"]

log = get_logger(__name__)

CALM: Final = 1.0  # s: between two gap records
BEHIND: Final = 60 * 1_000_000_000
_MARKED: Final = np.uint16(Flag.FIRST | Flag.OVERFLOW)
_FIRST: Final = np.uint16(Flag.FIRST)
_NO_TIME: Final = np.uint16(Flag.RECEIVE_TIME)


class Hole(NamedTuple):
    """Samples of a signal may be missing between these source times (ns UTC), both of which are there."""

    point: Point
    since: int
    until: int
    cause: str


class Holes:
    """``history`` reads back. ``close`` what is pending before it is left."""

    def __init__(self, link: Link, seen: Seen, history: History, alive: Callable[[], None]) -> None:
        self._link = link
        self._seen = seen
        self._history = history
        self._alive = alive
        self._points: dict[int, Point] = {}
        self._known: Sequence[Point] = ()
        self._gaps: dict[str, list[Hole]] = {}
        self._written = -CALM

    async def before(self, batch: Batch) -> Batch:
        """Hands over what is missing in front of a batch's marked rows; the batch without the rows that are only
        the value that is there already."""
        found, doubled = self._look(batch)
        if found:
            await self._fill(found)
        return batch.take(~doubled) if doubled.any() else batch

    def flush(self) -> None:
        """Writes down the gaps that wait for company."""
        for cause, holes in self._gaps.items():
            since = min(hole.since for hole in holes)
            # While the line stood, nothing was lost: what changes seldom has an old newest sample.
            first = max(since, self._seen_before(holes) - BEHIND)
            last = max(hole.until for hole in holes)
            self._link.gap(min(first, last), last, cause, [hole.point for hole in holes])
        self._gaps.clear()
        self._written = anyio.current_time()

    async def write_down(self) -> None:
        """Writes gaps down when they have waited, for ever."""
        try:
            while True:
                await anyio.sleep(CALM)
                if self._gaps:
                    self.flush()
        finally:
            self.flush()

    def _look(self, batch: Batch) -> tuple[list[Hole], np.ndarray[tuple[int], np.dtype[np.bool_]]]:
        doubled = np.zeros(len(batch), dtype=np.bool_)
        rows = np.flatnonzero((batch.flags & _MARKED) != 0)
        newest: dict[int, int] = {}
        holes = []
        for row in range(len(batch)) if len(rows) else ():
            signal, time = int(batch.signal[row]), int(batch.time[row])
            since = newest.get(signal, NEVER)
            since = self._seen.at(signal) if since == NEVER else since
            newest[signal] = time
            flags = batch.flags[row]
            if not flags & _MARKED or since == NEVER:
                continue
            if flags & _FIRST and time == since and not flags & _NO_TIME:
                doubled[row] = True
            elif time > since:
                cause = "the line was away" if flags & _FIRST else "the server's queue overflowed"
                point = self._point(signal)
                if point is not None:
                    holes.append(Hole(point, since, time, cause))
        return holes, doubled

    async def _fill(self, holes: list[Hole]) -> None:
        able = await self._history.able([hole.point for hole in holes])
        left = [hole for hole in holes if hole.point not in able]
        readable = [hole for hole in holes if hole.point in able]
        async for batch, unfilled in self._history.fill(readable):
            self._alive()
            if len(batch):
                self._seen.note(batch)
                self._link.emit(batch)
            left += unfilled
        for hole in left:
            self._gaps.setdefault(hole.cause, []).append(hole)
        if self._gaps and anyio.current_time() - self._written >= CALM:
            self.flush()

    def _seen_before(self, holes: Sequence[Hole]) -> int:
        """The newest time at which the line still stood, by the source's clock."""
        return max(hole.since for hole in holes)

    def _point(self, signal: int) -> Point | None:
        if self._known is not self._link.points:
            self._known = self._link.points
            self._points = {point.handle: point for point in self._known}
        return self._points.get(signal)
