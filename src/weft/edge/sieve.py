"""Report by exception: a sample that says nothing new is left out, unless its signal has been silent too long.

What is left out can be told from the catalog (the signal's deadband and maximum silence), and a value kept
only because of the silence carries Flag.REPEATED: thinned data is labelled as such.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weft.edge.rules import Rules
from weft.model import Batch, Flag

__all__ = ["Sieve"]


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
        known = self.rules.known(batch.signal)
        judged = np.zeros(len(batch), dtype=np.bool_)
        watched = self.rules.sieved | self._watched
        judged[known] = watched[batch.signal[known]]
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
        # A signal's samples depend on each other, different signals' do not: judge the first sample of every
        # signal at once, then the second of those that have one, and so on.
        for turn in _turns(batch.signal[rows]):
            at = rows[turn]
            keep[at], repeated[at] = self._decide(batch, numbers, at)
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


def _turns(signals: npt.NDArray[np.int32]) -> list[npt.NDArray[np.intp]]:
    """Positions of each signal's first sample, of each one's second, and so on; all in arrival order."""
    order = np.argsort(signals, kind="stable")
    ordered = signals[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    if len(starts) == len(signals):
        return [np.arange(len(signals))]
    lengths = np.diff(np.r_[starts, len(ordered)])
    rank = np.empty(len(signals), dtype=np.intp)
    rank[order] = np.arange(len(ordered)) - np.repeat(starts, lengths)
    by_rank = np.argsort(rank, kind="stable")
    return list(np.split(by_rank, np.flatnonzero(np.diff(rank[by_rank])) + 1))
