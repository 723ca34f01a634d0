"""Signals that are computed from others, whenever one of those changes.

All samples of a batch are laid on one line of time; at each moment of it the newest value of every input counts. The
result bears that moment, the time of the newest input, and the worst status of its inputs; those whose quality the
expression itself asks about with ``good`` do not count. Time only goes forward: what comes late changes the present
value, not the past.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from weft.model import Batch, BatchBuilder, Flag, Signal, ValueType
from weft.model.expression import BadExpression, BadValue, Columns, Expression, Reading, Unknown, parse
from weft.model.quality import BAD, BAD_OUT_OF_RANGE, UNCERTAIN
from weft.model.sources import DERIVED
from weft.runtime import get_logger

__all__ = ["Derived", "inputs_of"]

log = get_logger(__name__)

NEVER: Final = -(2**63)

Times = npt.NDArray[np.int64]


class _Track(NamedTuple):
    """An input's samples of one batch, by time, the newest of before in front; each (n)."""

    time: Times
    number: npt.NDArray[np.float64]
    status: npt.NDArray[np.uint32]
    value: list[Any]


class _Formula:
    """One derived signal."""

    def __init__(self, signal: Signal, expression: Expression, inputs: list[int]) -> None:
        self.handle = signal.handle
        self.expression = expression
        self.inputs = inputs
        self.counts = [i for i in range(len(inputs)) if i not in expression.asked]
        self.last = NEVER


class Derived:
    """Those of a plant, each after what it is computed from."""

    def __init__(self, signals: Iterable[Signal] = ()) -> None:
        listed = list(signals)
        by_path = {signal.path: signal.handle for signal in listed}
        self._formulas = _in_order(_formulas(listed, by_path))
        self._inputs = np.zeros(max(by_path.values(), default=-1) + 1, dtype=np.bool_)
        for formula in self._formulas:
            self._inputs[formula.inputs] = True
        self._newest: dict[int, _Track] = {}

    def follow(self, signals: Iterable[Signal]) -> Derived:
        """Of another plant, knowing what this one knew."""
        derived = Derived(signals)
        derived._newest = self._newest
        last = {formula.handle: formula.last for formula in self._formulas}
        for formula in derived._formulas:
            formula.last = last.get(formula.handle, NEVER)
        return derived

    def __call__(self, batch: Batch) -> Batch | None:
        """The samples that follow from these; None for none."""
        if not self._formulas:
            return None
        rows = (batch.signal >= 0) & (batch.signal < len(self._inputs))
        rows &= (batch.flags & np.uint16(Flag.CLOCK_SUSPECT)) == 0
        rows[rows] = self._inputs[batch.signal[rows]]
        if not rows.any():
            return None
        tracks = self._tracks(batch.take(rows))
        found = BatchBuilder()
        for formula in self._formulas:
            if any(handle in tracks for handle in formula.inputs):
                self._compute(formula, tracks, found)
        for handle, track in tracks.items():
            self._newest[handle] = _tail(track)
        if not len(found):
            return None
        received = batch.received or int(batch.time.max())
        return found.build(source=DERIVED, sequence=batch.sequence, received=received)

    def unknown(self) -> set[int]:
        """Handles of inputs of which nothing was heard, and of what was never computed."""
        inputs = {handle for formula in self._formulas for handle in formula.inputs}
        return (inputs - self._newest.keys()) | {f.handle for f in self._formulas if f.last == NEVER}

    def seed(self, newest: Batch) -> Batch | None:
        """What is kept of those from before: a formula that is new, or was away while an input changed, has its
        present value at once and not only after the next change. None when all stand as they did."""
        if not self._formulas:
            return None
        kept = dict(zip(newest.signal.tolist(), newest.time.tolist(), strict=True))
        rows = np.array([handle not in self._newest for handle in newest.signal.tolist()], dtype=np.bool_)
        rows &= (newest.flags & np.uint16(Flag.CLOCK_SUSPECT)) == 0
        if rows.any():
            self._newest |= {
                handle: _tail(track) for handle, track in self._tracks(newest.take(rows)).items()
            }
        tracks, found = dict(self._newest), BatchBuilder()
        for formula in self._formulas:
            if formula.last == NEVER:
                formula.last = kept.get(formula.handle, NEVER)
            inputs = [tracks[handle] for handle in formula.inputs if handle in tracks]
            if len(inputs) == len(formula.inputs) and any(t.time[-1] > formula.last for t in inputs):
                self._compute(formula, tracks, found)
        self._newest = {handle: _tail(track) for handle, track in tracks.items()}
        return found.build(source=DERIVED) if len(found) else None

    def _tracks(self, batch: Batch) -> dict[int, _Track]:
        batch = batch.sort()
        numbers, values = batch.numbers(), batch.values()
        starts = np.flatnonzero(np.append(True, np.diff(batch.signal) != 0)).tolist()
        tracks = {}
        for start, end in zip(starts, [*starts[1:], len(batch)], strict=True):
            part = slice(start, end)
            track = _Track(batch.time[part], numbers[part], batch.status[part], values[part])
            tracks[int(batch.signal[start])] = self._after(int(batch.signal[start]), track)
        return tracks

    def _after(self, handle: int, track: _Track) -> _Track:
        """The track behind what was known before; what is older than that is late and changes nothing."""
        before = self._newest.get(handle)
        if before is None:
            return track
        first = int(np.searchsorted(track.time, before.time[0], side="left"))
        return _Track(
            np.append(before.time, track.time[first:]),
            np.append(before.number, track.number[first:]),
            np.append(before.status, track.status[first:]),
            [*before.value, *track.value[first:]],
        )

    def _compute(self, formula: _Formula, tracks: dict[int, _Track], found: BatchBuilder) -> None:
        known = [tracks.get(handle) or self._newest.get(handle) for handle in formula.inputs]
        inputs = [track for track in known if track is not None]
        if len(inputs) < len(known):
            return  # not every input has been heard yet
        fresh = [tracks[handle].time for handle in formula.inputs if handle in tracks]
        begin = max(formula.last + 1, *(int(track.time[0]) for track in inputs))
        moments = np.unique(np.concatenate(fresh))
        moments = moments[moments >= begin]
        if not len(moments):
            # An input whose clock is behind: the present value has changed all the same.
            moments = np.array([max(begin, *(int(track.time[-1]) for track in inputs))], dtype=np.int64)
        at = [np.maximum(np.searchsorted(t.time, moments, side="right") - 1, 0) for t in inputs]
        status = _worst([inputs[i].status[at[i]] for i in formula.counts], len(moments))
        values = _values(formula.expression, inputs, at, moments)
        formula.last = int(moments[-1])
        track = _add(formula.handle, moments, values, status, found)
        if self._inputs[formula.handle]:
            tracks[formula.handle] = self._after(formula.handle, track)


def inputs_of(signals: Iterable[Signal]) -> set[int]:
    """Handles of everything that something is derived from."""
    listed = list(signals)
    by_path = {signal.path: signal.handle for signal in listed}
    return {handle for formula in _formulas(listed, by_path) for handle in formula.inputs}


def _formulas(signals: list[Signal], by_path: Mapping[str, int]) -> list[_Formula]:
    found = []
    for signal in signals:
        if signal.derive:
            try:
                expression = parse(signal.derive)
                found.append(_Formula(signal, expression, [by_path[path] for path in expression.signals]))
            except (BadExpression, KeyError) as error:  # the catalog lets none pass
                log.warning("a signal cannot be computed", signal=signal.path, because=str(error))
    return found


def _in_order(formulas: list[_Formula]) -> list[_Formula]:
    """Each after those that it is computed from; what runs in a circle is left out (the catalog lets none pass)."""
    left = {formula.handle: formula for formula in formulas}
    ordered: list[_Formula] = []
    while ready := [f for f in left.values() if not any(handle in left for handle in f.inputs)]:
        ordered += ready
        for formula in ready:
            del left[formula.handle]
    return ordered


def _tail(track: _Track) -> _Track:
    return _Track(track.time[-1:], track.number[-1:], track.status[-1:], track.value[-1:])


def _worst(statuses: list[npt.NDArray[np.uint32]], n: int) -> npt.NDArray[np.uint32]:
    worst = np.zeros(n, dtype=np.uint32)
    for status in statuses:
        worst = np.where((status >> 30) > (worst >> 30), status, worst)
    return worst


def _values(
    expression: Expression, inputs: list[_Track], at: list[npt.NDArray[np.intp]], moments: Times
) -> list[Any]:
    """One value per moment, None where it is not known."""
    numeric = expression.columnar and not any(
        isinstance(value, (str, bytes, list, tuple)) for track in inputs for value in track.value
    )
    if not numeric:
        return [
            _single(expression, inputs, [int(index[i]) for index in at], int(moment))
            for i, moment in enumerate(moments.tolist())
        ]
    columns = []
    for track, index in zip(inputs, at, strict=True):
        status = track.status[index]
        usable = np.where(status < BAD, track.number[index], np.nan)
        columns.append(Columns(usable, status < UNCERTAIN, (moments - track.time[index]) / 1e9))
    found = expression.over(columns, len(moments))
    return [None if value != value else value for value in found.tolist()]  # noqa: PLR0124  # NaN


def _single(expression: Expression, inputs: list[_Track], at: list[int], moment: int) -> Any:
    readings = [
        Reading(track.value[i], int(track.status[i]), (moment - int(track.time[i])) / 1e9)
        for track, i in zip(inputs, at, strict=True)
    ]
    try:
        value = expression(readings)
    except (Unknown, BadValue):
        return None
    return None if value != value else value  # noqa: PLR0124  # NaN


def _add(
    handle: int, moments: Times, values: list[Any], status: npt.NDArray[np.uint32], found: BatchBuilder
) -> _Track:
    told = []
    for moment, value, code in zip(moments.tolist(), values, status.tolist(), strict=True):
        kind = (
            ValueType.NULL
            if value is None
            else ValueType.STRING
            if isinstance(value, str)
            else ValueType.DOUBLE
        )
        unknown = value is None and code < BAD
        told.append(BAD_OUT_OF_RANGE if unknown else code)
        found.add(handle, moment, value, kind, told[-1])
    numbers = [float("nan") if value is None or isinstance(value, str) else float(value) for value in values]
    return _Track(moments, np.array(numbers), np.array(told, dtype=np.uint32), values)
