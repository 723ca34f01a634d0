"""Summaries: what a signal did in each interval, by samples (not weighted by time)."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weft.history.columns import TIME
from weft.model import Batch, quality

__all__ = ["SUMMARY", "summarise"]

SUMMARY: Final = pa.schema(
    [
        pa.field("signal", pa.int32(), nullable=False),
        pa.field("time", TIME, nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("good", pa.int64(), nullable=False),
        pa.field("minimum", pa.float64()),
        pa.field("maximum", pa.float64()),
        pa.field("average", pa.float64()),
    ]
)


def summarise(batch: Batch, start: int, interval: int) -> pa.Table:
    """One row per signal and interval [start + k * interval, start + (k + 1) * interval) ns that has samples;
    ``batch`` is sorted by (signal, time) and begins at or after ``start``.

    ``good`` counts samples of good quality, numbers or not. Minimum, maximum and average are over the good
    numbers, NaN left out, Boolean as 0 and 1; null where there is none.
    """
    if not len(batch):
        return SUMMARY.empty_table()
    # Unsigned, because two int64 times may be further apart than int64 can say.
    steps = (batch.time.view(np.uint64) - np.int64(start).view(np.uint64)) // np.uint64(interval)
    first = np.ones(len(batch), dtype=np.bool_)
    first[1:] = (batch.signal[1:] != batch.signal[:-1]) | (steps[1:] != steps[:-1])
    starts = np.flatnonzero(first)
    good = quality.good(batch.status)
    times = (steps[starts] * np.uint64(interval)).view(np.int64) + np.int64(start)
    columns = [
        pa.array(batch.signal[starts]),
        pa.array(times).view(TIME),
        pa.array(np.diff(starts, append=len(batch))),
        pa.array(np.add.reduceat(good.astype(np.int64), starts)),
        *_numbers(batch.numbers(), good, starts),
    ]
    return pa.Table.from_arrays(columns, schema=SUMMARY)


def _numbers(
    numbers: npt.NDArray[np.float64], good: npt.NDArray[np.bool_], starts: npt.NDArray[np.intp]
) -> list[pa.Array]:
    """Minimum, maximum and average of the good numbers of each interval."""
    used = good & ~np.isnan(numbers)
    count = np.add.reduceat(used.astype(np.int64), starts)
    none = count == 0
    lowest = np.minimum.reduceat(np.where(used, numbers, np.inf), starts)
    highest = np.maximum.reduceat(np.where(used, numbers, -np.inf), starts)
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, and sums beyond a double's range
        average = np.add.reduceat(np.where(used, numbers, 0.0), starts) / np.maximum(count, 1)
    return [pa.array(column, mask=none) for column in (lowest, highest, average)]
