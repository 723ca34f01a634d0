"""Report by exception: a sample that says nothing new is left out, unless its signal has been silent too long.

What is left out can be told from the catalog (the signal's deadband and maximum silence), and a value kept
only because of the silence carries Flag.REPEATED: thinned data is labelled as such.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from weft.edge.rules import Rules
from weft.edge.runs import split
from weft.model import Batch, Flag

__all__ = ["Sieve"]

FIRST: Final = int(Flag.FIRST)
SUSPECT: Final = int(Flag.CLOCK_SUSPECT)


class Sieve:
    """Remembers each signal's last kept sample. Late samples pass: history decides where they belong."""

    def __init__(self, rules: Rules) -> None:
        n = len(rules)
        self.rules = rules
        self._value = np.full(n, np.nan)
        self._time = np.zeros(n, dtype=np.int64)
        self._heard = np.zeros(n, dtype=np.int64)  # when, by our clock
        self._bits = np.zeros(n, dtype=np.int64)
        self._type = np.zeros(n, dtype=np.uint8)
        self._status = np.zeros(n, dtype=np.uint32)
        self._suspect = np.zeros(n, dtype=np.bool_)
        self._watched = rules.silence > 0

    def follow(self, rules: Rules) -> Sieve:
        """A sieve for other rules that remembers what this one knew."""
        sieve = Sieve(rules)
        n = min(len(self.rules), len(rules))
        for name in ("_value", "_time", "_heard", "_bits", "_type", "_status", "_suspect"):
            getattr(sieve, name)[:n] = getattr(self, name)[:n]
        return sieve

    def __call__(self, batch: Batch) -> Batch:
        judged = self.rules.where(self.rules.sieved | self._watched, batch)
        if not judged.any():
            return batch
        keep, repeated = self._judge(batch, np.flatnonzero(judged))
        flags = np.where(repeated, batch.flags | np.uint16(Flag.REPEATED), batch.flags)
        batch = batch.replace(flags=flags) if repeated.any() else batch
        return batch if keep.all() else batch.take(keep)

    def silent(self, now: int) -> Batch:
        """The last value again of each good signal that has said nothing for its maximum silence. It bears the
        time that the source's clock shows ``now``: by ours it could be newer than what that source sends next,
        and stay the newest."""
        passed = now - self._heard
        due = self._watched & (self._heard > 0) & (passed >= self.rules.silence)
        handles = np.flatnonzero(due & (self._status < 0x80000000) & (self._type <= 11)).astype(np.int32)
        flags = Flag.REPEATED | Flag.RECEIVE_TIME | Flag.SYNTHETIC
        self._time[handles] += passed[handles]
        self._heard[handles] = now
        return Batch(
            handles,
            self._time[handles],
            self._type[handles],
            self._bits[handles],
            self._status[handles],
            np.full(len(handles), flags, dtype=np.uint16),
            received=now,
        )

    def _judge(
        self, batch: Batch, rows: npt.NDArray[np.intp]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        keep = np.ones(len(batch), dtype=np.bool_)
        repeated = np.zeros(len(batch), dtype=np.bool_)
        numbers = batch.numbers()
        turns, walks = split(batch.signal[rows])
        for turn in turns:
            at = rows[turn]
            keep[at], repeated[at] = self._decide(batch, numbers, at)
        for walk in walks:
            at = rows[walk]
            keep[at], repeated[at] = self._walk(batch, numbers, at)
        return keep, repeated

    def _decide(
        self, batch: Batch, numbers: npt.NDArray[np.float64], at: npt.NDArray[np.intp]
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        rules, signal, time, value = self.rules, batch.signal[at], batch.time[at], numbers[at]
        suspect = (batch.flags[at] & np.uint16(Flag.CLOCK_SUSPECT)) != 0
        # One time from the year 2200 must not make all that follow look late.
        mended = self._suspect[signal] & ~suspect
        late = (time < self._time[signal]) & ~mended
        with np.errstate(invalid="ignore"):
            # A comparison with NaN is false: what is not a number, or was not, counts as news.
            still = (np.abs(value - self._value[signal]) <= rules.deadband[signal]) & rules.sieved[signal]
        news = ~still | (batch.status[at] != self._status[signal]) | (batch.type[at] != self._type[signal])
        news |= (batch.flags[at] & np.uint16(Flag.FIRST)) != 0
        silence = rules.silence[signal]
        due = (silence > 0) & (mended | (time - self._time[signal] >= silence))
        keep = news | due | late
        update = keep & ~late
        kept = signal[update]
        self._value[kept], self._time[kept] = value[update], time[update]
        self._heard[kept] = batch.received or time[update]
        self._bits[kept], self._type[kept] = batch.bits[at][update], batch.type[at][update]
        self._status[kept], self._suspect[kept] = batch.status[at][update], suspect[update]
        return keep, due & ~news & ~late

    def _walk(
        self, batch: Batch, numbers: npt.NDArray[np.float64], at: npt.NDArray[np.intp]
    ) -> tuple[list[bool], list[bool]]:
        """The same for a run of one signal, one sample after the other: see :meth:`_decide` for the why."""
        handle = int(batch.signal[at[0]])
        deadband, silence = float(self.rules.deadband[handle]), int(self.rules.silence[handle])
        value, time = float(self._value[handle]), int(self._time[handle])
        status, kind, suspect = (
            int(self._status[handle]),
            int(self._type[handle]),
            bool(self._suspect[handle]),
        )
        keep, repeated = [False] * len(at), [False] * len(at)
        columns = (numbers[at], batch.time[at], batch.status[at], batch.type[at], batch.flags[at])
        last = -1
        for i, (v, t, s, k, f) in enumerate(zip(*[column.tolist() for column in columns], strict=True)):
            doubtful = f & SUSPECT != 0
            mended = suspect and not doubtful
            if t < time and not mended:
                keep[i] = True
                continue
            still = deadband > 0.0 and abs(v - value) <= deadband
            news = not still or s != status or k != kind or f & FIRST != 0
            if not news and not (silence and (mended or t - time >= silence)):
                continue
            keep[i], repeated[i] = True, not news
            value, time, status, kind, suspect, last = v, t, s, k, doubtful, i
        if last >= 0:
            row = at[last]
            self._value[handle], self._time[handle] = value, time
            self._heard[handle] = batch.received or time
            self._bits[handle], self._type[handle] = batch.bits[row], kind
            self._status[handle], self._suspect[handle] = status, suspect
        return keep, repeated
