"""Compaction: many small segments become few large ones, always neighbours, so that their order still says
which write was the last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from weft.history.order import winners
from weft.history.segment import Segment, SegmentFile, write_segment
from weft.model import concat

__all__ = ["MOST_ROWS", "choose", "merge"]

MOST_ROWS: Final = 2_000_000
MOST_BYTES: Final = 64 << 20
_DAY: Final = 86_400_000_000_000
_FEWEST: Final = 8
_SMALLEST: Final = 4_096


def choose(segments: Sequence[Segment], now: int, most: int = MOST_ROWS) -> list[Segment]:
    """The neighbours to merge next: eight of one size or smaller, sealed on one day (UTC); of days that are
    over already two. Empty when there is nothing to gain."""
    largest = _tier(most)
    for tier in range(largest + 1):
        for run in _runs(list(segments), tier, most):
            over = run[0].sealed // _DAY < now // _DAY
            if len(run) >= (2 if over else _FEWEST) and (over or _worth(run)):
                return run
    return []


def merge(folder: Path, run: Sequence[SegmentFile], *, oldest: bool) -> Segment:
    """Writes the merged segment; of equal (signal, time) the later segment's row counts. ``oldest``: no
    segment lies before these, so that none of its rows is late any more. Raises Torn, OSError."""
    parts = [file.whole() for file in run]
    joined = concat([batch for batch, _ in parts])
    rows = winners(joined)
    late = np.concatenate([late for _, late in parts])[rows]
    first, last = run[0].segment, run[-1].segment
    return write_segment(
        folder,
        joined.take(rows),
        np.zeros(len(rows), dtype=np.bool_) if oldest else late,
        (first.first_number, last.number),
        (first.after, last.sequence),
        last.sealed,
    )


def _runs(segments: list[Segment], tier: int, most: int) -> list[list[Segment]]:
    """Neighbours of at most this tier and of one day, cut where they would grow too large."""
    runs: list[list[Segment]] = [[]]
    rows = size = 0
    for segment in segments:
        run = runs[-1]
        rows, size = rows + segment.rows, size + segment.size
        fits = rows <= most and size <= MOST_BYTES
        same_day = not run or run[-1].sealed // _DAY == segment.sealed // _DAY
        if _tier(segment.rows) > tier:
            runs.append([])
            rows = size = 0
        elif fits and same_day:
            run.append(segment)
        else:
            runs.append([segment])
            rows, size = segment.rows, segment.size
    return [run for run in runs if run]


def _worth(run: list[Segment]) -> bool:
    """Not when most of the work would be to copy one large segment."""
    return sum(segment.rows for segment in run) >= 2 * max(segment.rows for segment in run)


def _tier(rows: int) -> int:
    """0 up to 4,096 rows, then one more for each factor of eight."""
    return max(0, (rows // _SMALLEST).bit_length() + 2) // 3
