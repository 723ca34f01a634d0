"""The swinging door (E. H. Bristol, "Swinging door trending", ISA 1990), in the form that keeps its promise: every
sample that is left out lies within the signal's deviation of the line between the kept ones before and after it.

Two doors hang at the last kept sample, one ``deviation`` above it and one below; each further sample opens the doors
further apart, never closer. Bristol ends a segment when the doors stand parallel; a line to the last sample can then
miss others by twice the deviation. Here a sample may end a segment only while the line to it passes between both
doors. So the newest sample is held until the next one shows whether it is needed, at most for the signal's maximum
silence, or ten seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weft.edge.rules import Rules
from weft.edge.runs import split
from weft.model import Batch, Flag
from weft.model.quality import UNCERTAIN
from weft.model.values import NUMERIC, is_in

__all__ = ["Door"]

HELD: Final = 10 * 1_000_000_000  # ns; longer nobody waits for a value, where the signal sets no silence
# A sample that is more than the next point of a curve: kept, and a curve begins with it.
BREAKS: Final = np.uint16(Flag.FIRST | Flag.OVERFLOW | Flag.CLOCK_SUSPECT | Flag.SYNTHETIC | Flag.SUBSTITUTED)
_EXACT: Final = 1 - 1e-9  # of the deviation: so that rounding cannot break the promise
_STORED: Final = ("bits", "type", "status", "flags")

Rows = npt.NDArray[np.intp]


class Hinges:
    """By handle: the last kept sample (``time``, ``value``), the slopes to the doors' ends, and what is held. Its
    row is in the batch that is being judged, or -1 when it came with an earlier one, whose columns are here."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        n = len(rules)
        self.open = np.zeros(n, dtype=np.bool_)  # there is a kept sample to which the doors belong
        self.time, self.value = np.zeros(n, dtype=np.int64), np.zeros(n)
        self.upper, self.lower = np.full(n, np.inf), np.full(n, -np.inf)
        self.holds = np.zeros(n, dtype=np.bool_)
        self.held_time, self.held_value = np.zeros(n, dtype=np.int64), np.zeros(n)
        self.held_row = np.full(n, -1, dtype=np.intp)  # in the batch that is being judged; -1: see below
        self.thin = np.zeros(n, dtype=np.bool_)  # something was left out since the last kept sample
        self.bits, self.type = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.uint8)
        self.status, self.flags = np.zeros(n, dtype=np.uint32), np.zeros(n, dtype=np.uint16)
        self.heard = np.zeros(n, dtype=np.int64)
        self.margin = rules.deviation * _EXACT
        self.limit = np.where(rules.silence > 0, np.minimum(rules.silence, HELD), HELD)

    def held(self, handles: Rows) -> Batch:
        """What these signals hold from an earlier batch."""
        thin = np.where(self.thin[handles], np.uint16(Flag.THINNED), np.uint16(0))
        return Batch(
            handles.astype(np.int32),
            self.held_time[handles],
            self.type[handles],
            self.bits[handles],
            self.status[handles],
            self.flags[handles] | thin,
        )


class Door:
    """Judges the signals that have a deviation; all others pass."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._hinges = Hinges(rules)

    def follow(self, rules: Rules) -> tuple[Door, Batch]:
        """A door for other rules, and what this one still held: a curve does not go on under another rule."""
        return Door(rules), self.release()

    def __call__(self, batch: Batch) -> Batch:
        judged = self.rules.where(self.rules.thinned, batch)
        if not judged.any():
            return batch
        return _Passage(self._hinges, batch).through(np.flatnonzero(judged))

    def overdue(self, now: int) -> Batch:
        """What has been held for too long by our clock ``now`` (ns): kept, and the next curve begins there."""
        hinges = self._hinges
        return self._let_go(np.flatnonzero(hinges.holds & (now - hinges.heard >= hinges.limit)))

    def release(self) -> Batch:
        """Everything that is held."""
        return self._let_go(np.flatnonzero(self._hinges.holds))

    def _let_go(self, handles: Rows) -> Batch:
        hinges = self._hinges
        batch = hinges.held(handles)
        hinges.time[handles], hinges.value[handles] = hinges.held_time[handles], hinges.held_value[handles]
        hinges.upper[handles], hinges.lower[handles] = np.inf, -np.inf
        hinges.holds[handles] = hinges.thin[handles] = False
        return batch

    def by_source(self, batch: Batch, now: int) -> Iterator[Batch]:
        """A batch of what was held, one per connection that it came from, received ``now``."""
        sources = [self.rules.sources[handle] for handle in batch.signal.tolist()]
        for source in dict.fromkeys(sources):
            rows = np.array([other == source for other in sources])
            yield batch.take(rows).replace(source=source, sequence=now, received=now)


class _Passage:
    """One batch on its way through the door."""

    def __init__(self, door: Hinges, batch: Batch) -> None:
        self.door = door
        self.batch = batch
        self.numbers = batch.numbers()
        smooth = (batch.status < UNCERTAIN) & is_in(batch.type, frozenset(NUMERIC))
        self.smooth = smooth & np.isfinite(self.numbers) & ((batch.flags & BREAKS) == 0)
        self.keep = np.ones(len(batch), dtype=np.bool_)
        self.flags = batch.flags
        self.before: list[Batch] = []  # held since an earlier batch, and needed now

    def through(self, rows: Rows) -> Batch:
        self.keep[rows] = False
        self.flags = self.batch.flags.copy()
        turns, walks = split(self.batch.signal[rows])
        for turn in turns:
            self._turn(rows[turn])
        for walk in walks:
            self._walk(rows[walk])
        self._store(self.batch.signal[rows])
        return self._result()

    def _turn(self, at: Rows) -> None:
        """Rows of different signals, all at once."""
        door, handles = self.door, self.batch.signal[at]
        time, value = self.batch.time[at], self.numbers[at]
        newest = np.where(door.holds[handles], door.held_time[handles], door.time[handles])
        late = door.open[handles] & (time < newest)
        breaks = ~late & (
            ~self.smooth[at] | ~door.open[handles] | (time == newest) | self._alters(handles, at)
        )
        self.keep[at[late | breaks]] = True
        self._free(handles[breaks & door.holds[handles]])
        self._begin(handles[breaks], time[breaks], value[breaks], self.smooth[at[breaks]])
        door.type[handles[breaks]] = self.batch.type[at[breaks]]
        door.status[handles[breaks]] = self.batch.status[at[breaks]]
        curve = ~late & ~breaks
        self._follow(handles[curve], at[curve])

    def _alters(self, handles: npt.NDArray[np.int32], at: Rows) -> npt.NDArray[np.bool_]:
        """Another type or status than the sample before, which is held or was kept."""
        door = self.door
        alters: npt.NDArray[np.bool_] = door.type[handles] != self.batch.type[at]
        alters |= door.status[handles] != self.batch.status[at]
        return alters

    def _begin(self, handles: Any, time: Any, value: Any, smooth: Any) -> None:
        """The doors hang at these samples from now on; at one that is no number they do not hang at all."""
        door = self.door
        door.time[handles], door.value[handles], door.open[handles] = time, value, smooth
        door.upper[handles], door.lower[handles] = np.inf, -np.inf

    def _follow(self, handles: npt.NDArray[np.int32], at: Rows) -> None:
        door, time, value = self.door, self.batch.time[at], self.numbers[at]
        slope = (value - door.value[handles]) / (time - door.time[handles])
        silence = self.door.rules.silence[handles]
        ends = (slope > door.upper[handles]) | (slope < door.lower[handles])
        ends |= (silence > 0) & (time - door.time[handles] > silence)
        ends &= door.holds[handles]
        door.thin[handles[~ends & door.holds[handles]]] = True
        ended = handles[ends]
        held_time, held_value = door.held_time[ended], door.held_value[ended]
        self._free(ended)
        self._begin(ended, held_time, held_value, True)
        span = time - door.time[handles]
        margin = door.margin[handles]
        rise = value - door.value[handles]
        door.upper[handles] = np.minimum(door.upper[handles], (rise + margin) / span)
        door.lower[handles] = np.maximum(door.lower[handles], (rise - margin) / span)
        door.holds[handles], door.held_row[handles] = True, at
        door.held_time[handles], door.held_value[handles] = time, value

    def _free(self, handles: npt.NDArray[np.int32]) -> None:
        """What these signals hold is kept."""
        door = self.door
        rows = door.held_row[handles]
        here = rows >= 0
        self.keep[rows[here]] = True
        thin = rows[here & door.thin[handles]]
        self.flags[thin] |= np.uint16(Flag.THINNED)
        if not here.all():
            self.before.append(door.held(handles[~here].astype(np.intp)))
        door.holds[handles] = door.thin[handles] = False

    def _walk(self, at: Rows) -> None:
        """A run of one signal, one sample after the other; the same as turns of one row, without their cost."""
        door, batch = self.door, self.batch
        handle = int(batch.signal[at[0]])
        margin, silence = float(door.margin[handle]), int(door.rules.silence[handle])
        opened, holds = bool(door.open[handle]), bool(door.holds[handle])
        a_time, a_value = int(door.time[handle]), float(door.value[handle])
        upper, lower = float(door.upper[handle]), float(door.lower[handle])
        h_time, h_value = int(door.held_time[handle]), float(door.held_value[handle])
        h_row = int(door.held_row[handle])
        thin, kind, status = bool(door.thin[handle]), int(door.type[handle]), int(door.status[handle])
        kept: list[int] = []
        thinned: list[int] = []
        columns = (at, batch.time[at], self.numbers[at], self.smooth[at], batch.type[at], batch.status[at])
        for row, time, value, smooth, k, s in zip(*[column.tolist() for column in columns], strict=True):
            newest = h_time if holds else a_time
            if opened and time < newest:
                kept.append(row)
                continue
            if not (smooth and opened and time != newest and k == kind and s == status):
                if holds:
                    (thinned if thin else kept).append(h_row)
                kept.append(row)
                holds, thin, opened, kind, status = False, False, smooth, k, s
                a_time, a_value, upper, lower = time, value, np.inf, -np.inf
                continue
            slope = (value - a_value) / (time - a_time)
            if holds:
                if lower <= slope <= upper and not (silence and time - a_time > silence):
                    thin = True
                else:
                    (thinned if thin else kept).append(h_row)
                    thin = False
                    a_time, a_value, upper, lower = h_time, h_value, np.inf, -np.inf
            span, rise = time - a_time, value - a_value
            upper, lower = min(upper, (rise + margin) / span), max(lower, (rise - margin) / span)
            holds, h_time, h_value, h_row = True, time, value, row
        self._note(handle, kept, thinned)
        door.open[handle], door.holds[handle], door.thin[handle] = opened, holds, thin
        door.time[handle], door.value[handle] = a_time, a_value
        door.upper[handle], door.lower[handle] = upper, lower
        door.type[handle], door.status[handle] = kind, status
        door.held_time[handle], door.held_value[handle], door.held_row[handle] = h_time, h_value, h_row

    def _note(self, handle: int, kept: list[int], thinned: list[int]) -> None:
        """Rows that are kept, and those with something left out before them; -1 is what was held before."""
        for rows, flag in ((kept, 0), (thinned, Flag.THINNED)):
            if rows and -1 in rows:
                rows.remove(-1)
                held = self.door.held(np.array([handle], dtype=np.intp))
                flags = (held.flags & ~np.uint16(Flag.THINNED)) | np.uint16(flag)
                self.before.append(held.replace(flags=flags))
            self.keep[rows] = True
            self.flags[rows] |= np.uint16(flag)

    def _store(self, signals: npt.NDArray[np.int32]) -> None:
        """What is held outlives the batch; of every signal the last type and status are known."""
        door, batch = self.door, self.batch
        handles = np.unique(signals)
        rows = door.held_row[handles]
        held = handles[door.holds[handles] & (rows >= 0)]
        rows = door.held_row[held]
        for name in _STORED:
            getattr(door, name)[held] = getattr(batch, name)[rows]
        door.heard[held] = batch.received or batch.time[rows]
        door.held_row[handles] = -1

    def _result(self) -> Batch:
        batch = self.batch.replace(flags=self.flags)
        if not self.keep.all():
            batch = batch.take(self.keep)
        if not self.before:
            return batch
        return _joined([*self.before, batch], self.batch)


def _joined(parts: list[Batch], origin: Batch) -> Batch:
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("signal", "time", "type", "bits", "status", "flags")
    }
    return origin.replace(**columns)  # what is held is a number: it needs no heap
