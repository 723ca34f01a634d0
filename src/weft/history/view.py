"""A view: the segments and tails at one moment, read together. It does not change under its reader."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weft.history.columns import to_table
from weft.history.newest import Newest
from weft.history.order import last_wins
from weft.history.segment import SegmentFile
from weft.history.summary import SUMMARY, summarise
from weft.history.tail import Runs
from weft.model import Batch, concat
from weft.runtime import Invalid

__all__ = ["View"]

_BLOCK: Final = 2_000_000
_DOUBLES: Final = 4  # rows that last-wins may drop, in multiples of the limit, before we stop reading


class View:
    """``segments`` by rising number, then ``tails`` the same; ``sealed`` is the newest of the segments."""

    def __init__(self, segments: Sequence[SegmentFile], tails: Sequence[Runs], sealed: Newest) -> None:
        self.segments = tuple(segments)
        self.tails = tuple(tails)
        self.sealed = sealed

    def uses(self, file: str) -> bool:
        return any(segment.segment.file == file for segment in self.segments)

    def read(self, signals: npt.NDArray[np.int32] | None, start: int, end: int, most: int) -> Batch:
        """Sorted by (signal, time), last write wins. Raises Invalid above ``most`` rows, Torn."""
        parts: list[Batch] = []
        rows = 0
        for read in self._sources(signals, start, end):
            found = [batch for batch in read() if len(batch)]
            rows += sum(map(len, found))
            if rows > most * _DOUBLES:
                raise too_many(most)
            parts += found
        batch = last_wins(concat(parts, source="", sequence=0, received=0)) if parts else Batch.empty()
        if len(batch) > most:
            raise too_many(most)
        return batch

    def raw(self, signals: npt.NDArray[np.int32], start: int, end: int, most: int) -> pa.Table:
        return to_table(self.read(signals, start, end, most))

    def summary(
        self, signals: npt.NDArray[np.int32], start: int, end: int, interval: int, most: int
    ) -> pa.Table:
        """Raises Invalid above ``most`` intervals with samples, Torn."""
        tables: list[pa.Table] = []
        rows = 0
        for block, first, last in self._blocks(signals, start, end, interval):
            batch = self.read(block, first, last, most=_BLOCK * 50)
            tables.append(summarise(batch, start, interval))
            rows += len(tables[-1])
            if rows > most:
                raise too_many(most)
        return pa.concat_tables(tables) if tables else SUMMARY.empty_table()

    def _blocks(
        self, signals: npt.NDArray[np.int32], start: int, end: int, interval: int
    ) -> list[tuple[npt.NDArray[np.int32], int, int]]:
        """Pieces of the question that fit into memory, cut between signals, then between intervals."""
        if self._estimate(signals, start, end) <= _BLOCK:
            return [(signals, start, end)] if len(signals) else []
        if len(signals) > 1:
            half = len(signals) // 2
            return [
                *self._blocks(signals[:half], start, end, interval),
                *self._blocks(signals[half:], start, end, interval),
            ]
        intervals = -(-(end - start) // interval)
        if intervals < 2:
            return [(signals, start, end)]
        return self._halves(signals, start, end, interval, start + intervals // 2 * interval)

    def _halves(
        self, signals: npt.NDArray[np.int32], start: int, end: int, interval: int, middle: int
    ) -> list[tuple[npt.NDArray[np.int32], int, int]]:
        return [
            *self._blocks(signals, start, middle, interval),
            *self._blocks(signals, middle, end, interval),
        ]

    def _estimate(self, signals: npt.NDArray[np.int32], start: int, end: int) -> int:
        return sum(segment.estimate(signals, start, end) for segment in self.segments)

    def _sources(
        self, signals: npt.NDArray[np.int32] | None, start: int, end: int
    ) -> list[Callable[[], list[Batch]]]:
        sources: list[Callable[[], list[Batch]]] = [
            functools.partial(_one, segment, signals, start, end) for segment in self.segments
        ]
        return sources + [functools.partial(runs.read, signals, start, end) for runs in self.tails]


def _one(segment: SegmentFile, signals: npt.NDArray[np.int32] | None, start: int, end: int) -> list[Batch]:
    return [segment.read(signals, start, end)]


def too_many(most: int) -> Invalid:
    return Invalid(
        f"The answer would have more than {most} rows.",
        remedy="Ask for fewer signals, a shorter range or longer intervals.",
    )
