"""Order of rows: sorted by (signal, time), the last arrival wins, and picking ranges out of sorted rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weft.model import Batch

__all__ = ["is_sorted", "last_wins", "pick", "pick_unsorted", "winners"]

_KEY_BITS: Final = 62
_FEW_SIGNALS: Final = 256


def is_sorted(batch: Batch) -> bool:
    """Strictly increasing by (signal, time): sorted, and nothing twice."""
    signal, time = batch.signal, batch.time
    same = signal[1:] == signal[:-1]
    return bool(((signal[1:] > signal[:-1]) | (same & (time[1:] > time[:-1]))).all())


def last_wins(batch: Batch) -> Batch:
    """Sorted by (signal, time); of equal (signal, time) only the row that arrived last."""
    return batch if is_sorted(batch) else batch.take(winners(batch))


def winners(batch: Batch) -> npt.NDArray[np.intp]:
    """The numbers of the rows that :func:`last_wins` keeps, in their order."""
    key = _key(batch)
    if key is None:
        order = batch.order()
        rows = batch.take(order)
        last = np.ones(len(order), dtype=np.bool_)
        last[:-1] = (rows.signal[1:] != rows.signal[:-1]) | (rows.time[1:] != rows.time[:-1])
        return order[last]
    # An unstable sort of one 64-bit key is three times as fast as a stable one of two columns (numpy sorts
    # it with AVX-512); the last arrival among equals is then the largest row number.
    order = np.argsort(key)
    ordered = key[order]
    first = np.ones(len(order), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    if not first.all():
        order = np.maximum.reduceat(order, np.flatnonzero(first))
    return order


def _key(batch: Batch) -> npt.NDArray[np.int64] | None:
    """One integer per row that sorts like (signal, time); None when the two do not fit into it."""
    low_signal, high_signal = int(batch.signal.min()), int(batch.signal.max())
    low_time, high_time = int(batch.time.min()), int(batch.time.max())
    bits = (high_time - low_time).bit_length()
    if bits + (high_signal - low_signal).bit_length() > _KEY_BITS:
        return None
    return ((batch.signal.astype(np.int64) - low_signal) << bits) | (batch.time - low_time)


def pick(batch: Batch, signals: npt.NDArray[np.int32] | None, start: int, end: int) -> Batch:
    """The rows of these signals (sorted handles; None: all) with start <= time < end, from sorted rows."""
    if signals is None or len(signals) > _FEW_SIGNALS:
        return pick_unsorted(batch, signals, start, end)
    lows = np.searchsorted(batch.signal, signals, side="left")
    highs = np.searchsorted(batch.signal, signals, side="right")
    spans = [_span(batch.time, int(a), int(b), start, end) for a, b in zip(lows, highs, strict=True) if a < b]
    return batch.take(_joined(spans))


def pick_unsorted(batch: Batch, signals: npt.NDArray[np.int32] | None, start: int, end: int) -> Batch:
    """As :func:`pick`, from rows in any order, which stays."""
    wanted = (batch.time >= start) & (batch.time < end)
    if signals is not None:
        wanted &= np.isin(batch.signal, signals)
    return batch if wanted.all() else batch.take(wanted)


def _span(time: npt.NDArray[np.int64], low: int, high: int, start: int, end: int) -> tuple[int, int]:
    piece = time[low:high]
    return low + int(np.searchsorted(piece, start)), low + int(np.searchsorted(piece, end))


def _joined(spans: Sequence[tuple[int, int]]) -> npt.NDArray[Any] | slice:
    spans = [span for span in spans if span[0] < span[1]]
    if len(spans) == 1:
        return slice(*spans[0])
    return np.concatenate([np.arange(*span) for span in spans]) if spans else slice(0, 0)
