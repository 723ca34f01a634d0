"""Late samples are labelled: a reader who goes by the order of arrival can tell them."""

from __future__ import annotations

from typing import Any

import numpy as np

from weft.edge.rules import Rules
from weft.model import Batch, Flag

__all__ = ["Order"]

# Times that cannot be, and times of ours: they say nothing of the order in which the source measured.
NO_ORDER = np.uint16(Flag.CLOCK_SUSPECT | Flag.SYNTHETIC | Flag.RECEIVE_TIME)


class Order:
    """The newest source time of each signal, by the source's own clock."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._newest = np.full(len(rules), np.iinfo(np.int64).min)

    def follow(self, rules: Rules) -> Order:
        order = Order(rules)
        n = min(len(self.rules), len(rules))
        order._newest[:n] = self._newest[:n]
        return order

    def __call__(self, batch: Batch) -> Batch:
        judged = self.rules.known(batch.signal) & ((batch.flags & NO_ORDER) == 0)
        rows: Any = slice(None) if judged.all() else np.flatnonzero(judged)
        signal, time = batch.signal[rows], batch.time[rows]
        newest = self._newest[signal]
        late = time < newest
        if len(time) > 1 and (time[1:] < time[:-1]).any():
            late |= _behind(signal, time)
            np.maximum.at(self._newest, signal, time)
        else:  # of one signal's rows the last is written last
            self._newest[signal] = np.maximum(newest, time)
        if not late.any():
            return batch
        flags = batch.flags.copy()
        flags[rows] |= np.where(late, np.uint16(Flag.LATE), np.uint16(0))
        return batch.replace(flags=flags)


def _behind(signal: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Which rows (n) come after a newer one of the same signal within these."""
    order = np.argsort(signal, kind="stable")
    ranks = np.unique(time, return_inverse=True)[1].astype(np.int64)[order]
    # A signal's ranks lie above all of the one before it: one running maximum serves all.
    groups = np.cumsum(np.append(False, np.diff(signal[order]) != 0))
    lifted = ranks + groups * (len(time) + 1)
    behind = np.empty(len(time), dtype=np.bool_)
    behind[order] = lifted < np.maximum.accumulate(lifted)
    return behind
