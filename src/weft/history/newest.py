"""The newest sample of every signal, by source time: what a snapshot shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weft.model import Batch, Flag, instant, quality

__all__ = ["Newest"]

_COLUMNS: Final = ("time", "type", "bits", "status", "flags")
_DENSE: Final = 1 << 20
_SUSPECT: Final = np.uint16(Flag.CLOCK_SUSPECT)
_NOT_MEASURED: Final = np.uint16(Flag.CLOCK_SUSPECT | Flag.SYNTHETIC | Flag.REPEATED)


class Newest:
    """Columns by sorted handle. A sample replaces the one that is there when its time is not older, so that a
    correction at the same time counts and a late sample does not. A sample whose time cannot be (Flag
    .CLOCK_SUSPECT) gives way to any that has a sound one: a year 2200 must not hide what comes after it.

    ``highest`` is the highest time ever taken of each signal, also where a sound sample is shown instead;
    ``measured`` the newest time at which the source itself gave a good value, also where the gateway has written
    since that the line is down.
    """

    def __init__(
        self,
        batch: Batch | None = None,
        highest: Mapping[int, int] | None = None,
        measured: Mapping[int, int] | None = None,
    ) -> None:
        """``highest`` as :meth:`ahead`, ``measured`` as :meth:`before` told it."""
        self.signal = np.empty(0, np.int32)
        self.highest = np.empty(0, np.int64)
        self.measured = np.empty(0, np.int64)
        self.time = np.empty(0, np.int64)
        self.type = np.empty(0, np.uint8)
        self.bits = np.empty(0, np.int64)
        self.status = np.empty(0, np.uint32)
        self.flags = np.empty(0, np.uint16)
        self._places = np.empty(0, np.intp)  # of the handles below its length, -1 for those not here
        self._heap: dict[int, Any] = {}
        if batch is not None:
            self.update(batch)
        for signal, time in (highest or {}).items():
            self.highest[self.signal == signal] = time
        for signal, time in (measured or {}).items():
            self.measured[self.signal == signal] = time

    def __len__(self) -> int:
        return len(self.signal)

    def copy(self) -> Newest:
        """As it is now; later updates of either do not reach the other."""
        other = Newest()
        other.signal = self.signal
        other._places = self._places
        other.highest = self.highest.copy()
        other.measured = self.measured.copy()
        for name in _COLUMNS:
            setattr(other, name, getattr(self, name).copy())
        other._heap = dict(self._heap)
        return other

    def update(self, batch: Batch) -> None:
        """Takes over what is newer in these rows (any order)."""
        suspect = (batch.flags & _SUSPECT) != 0
        if suspect.any() and not suspect.all():
            self._update(batch.take(suspect))
            batch = batch.take(~suspect)
        if len(batch):
            self._update(batch)

    def _update(self, batch: Batch) -> None:
        """Rows that are all suspect, or all sound."""
        picked = _newest_rows(batch)
        rows = batch if len(picked) == len(batch) else batch.take(picked)
        at = self._places_of(rows.signal)
        self._note_measured(batch, rows, at)
        self.highest[at] = np.maximum(self.highest[at], rows.time)
        newer = rows.time >= self.time[at]
        if not rows.flags[0] & _SUSPECT:
            newer |= (self.flags[at] & _SUSPECT) != 0
        if not newer.all():
            rows, at = rows.take(newer), at[newer]
        for name in _COLUMNS:
            getattr(self, name)[at] = getattr(rows, name)
        self._keep_heap(rows)

    def _note_measured(self, batch: Batch, rows: Batch, at: npt.NDArray[np.intp]) -> None:
        """``rows`` are the newest of the batch, ``at`` their places."""
        real = quality.good(batch.status) & ((batch.flags & _NOT_MEASURED) == 0)
        if not real.any():
            return
        if not real.all():
            batch = batch.take(real)
            rows = batch.take(_newest_rows(batch))
            at = self._places_of(rows.signal)
        self.measured[at] = np.maximum(self.measured[at], rows.time)

    def late(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """Which rows (n) are not newer than what is known of their signal: an earlier sample of the same
        (signal, time) may exist for these only."""
        if not len(self.signal):
            return np.zeros(len(batch), dtype=np.bool_)
        at = np.minimum(np.searchsorted(self.signal, batch.signal), len(self.signal) - 1)
        return np.asarray(
            (self.signal[at] == batch.signal) & (batch.time <= self.highest[at]), dtype=np.bool_
        )

    def ahead(self) -> dict[int, int]:
        """The highest time of each signal that shows an older, sound sample; rarely any."""
        rows = self.highest != self.time
        return dict(zip(self.signal[rows].tolist(), self.highest[rows].tolist(), strict=True))

    def before(self) -> dict[int, int]:
        """``measured`` of each signal whose newest sample is no good value of the source: of those on a line that
        is down."""
        rows = (self.measured != self.time) & (self.measured != instant.MIN_NS)
        return dict(zip(self.signal[rows].tolist(), self.measured[rows].tolist(), strict=True))

    def batch(self, signals: Sequence[int] | None = None) -> Batch:
        """Sorted by signal; signals without a sample are left out."""
        at: npt.NDArray[Any] | slice = slice(None)
        if signals is not None:
            wanted = np.unique(np.asarray(signals, dtype=np.int64))
            places = np.searchsorted(self.signal, wanted)
            inside = places < len(self.signal)
            places, wanted = places[inside], wanted[inside]
            at = places[self.signal[places] == wanted]
        rows = Batch(self.signal[at].copy(), *(getattr(self, name)[at].copy() for name in _COLUMNS))
        return self._with_heap(rows) if self._heap else rows

    def _places_of(self, signals: npt.NDArray[np.int32]) -> npt.NDArray[np.intp]:
        """Where the columns have these signals; room is made for those that are new."""
        if int(signals.min()) >= 0 and int(signals.max()) < len(self._places):
            at = self._places[signals]
            if int(at.min()) >= 0:
                return at
        self._make_room(signals)
        return np.searchsorted(self.signal, signals)

    def _make_room(self, signals: npt.NDArray[np.int32]) -> None:
        if np.isin(signals, self.signal).all():
            return
        merged = np.union1d(self.signal, signals)
        at = np.searchsorted(merged, self.signal)
        for name in (*_COLUMNS, "highest", "measured"):
            old = getattr(self, name)
            new = np.zeros(len(merged), old.dtype)
            if name in ("time", "highest", "measured"):
                new[:] = instant.MIN_NS
            new[at] = old
            setattr(self, name, new)
        self.signal = merged
        dense = merged[(merged >= 0) & (merged < _DENSE)]
        self._places = np.full(int(dense.max(initial=-1)) + 1, -1, dtype=np.intp)
        self._places[dense] = np.searchsorted(merged, dense)

    def _keep_heap(self, rows: Batch) -> None:
        heaped = rows.on_heap
        if self._heap:
            for signal in rows.signal[~heaped].tolist():
                self._heap.pop(signal, None)
        for signal, place in zip(rows.signal[heaped].tolist(), rows.bits[heaped].tolist(), strict=True):
            self._heap[signal] = rows.heap[place]

    def _with_heap(self, rows: Batch) -> Batch:
        heaped = rows.on_heap
        heap = tuple(self._heap[signal] for signal in rows.signal[heaped].tolist())
        rows.bits[heaped] = np.arange(len(heap))
        return rows.replace(heap=heap)


def _newest_rows(batch: Batch) -> npt.NDArray[np.intp]:
    """One row number per signal: its newest sample, the last arrival among equal times."""
    handles = batch.signal
    ascending = bool((batch.time[1:] >= batch.time[:-1]).all())
    if ascending and int(handles.min()) >= 0 and int(handles.max()) < _DENSE:
        # Ordinary batches come in the order of time: scattering the row numbers leaves each signal's last.
        if len(handles) == 1 or bool((handles[1:] > handles[:-1]).all()):
            return np.arange(len(handles))
        rows = np.arange(len(handles))
        last = np.empty(int(handles.max()) + 1, dtype=np.intp)
        last[handles] = rows
        return np.flatnonzero(last[handles] == rows)
    order = batch.order()
    ordered = handles[order]
    ends = np.append(ordered[1:] != ordered[:-1], np.True_)
    return np.asarray(order[ends], dtype=np.intp)
