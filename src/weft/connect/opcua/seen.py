"""The newest source time of each signal that was handed over: what comes next is judged by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from weft.model import Batch

__all__ = ["NEVER", "Seen"]

NEVER: Final = -(2**63)
_AHEAD: Final = 60 * 1_000_000_000  # a time further ahead of ours is none
_MOST: Final = 1 << 24


class Seen:
    """Times (ns UTC) by signal handle; NEVER where nothing is known."""

    def __init__(self) -> None:
        self._time = np.full(64, NEVER, dtype=np.int64)

    def learn(self, newest: Mapping[int, int], now: int) -> None:
        """From what is kept; what was seen here already counts more."""
        known = {s: t for s, t in newest.items() if 0 <= s < _MOST and t <= now + _AHEAD}
        if not known:
            return
        signal = np.array(list(known), dtype=np.int64)
        self._grow(int(signal.max()))
        self._time[signal] = np.maximum(self._time[signal], np.array(list(known.values()), dtype=np.int64))

    def note(self, batch: Batch) -> None:
        """The samples of a batch, in its order."""
        if not len(batch):
            return
        if int(batch.time.max()) > batch.received + _AHEAD:
            batch = batch.take(batch.time <= batch.received + _AHEAD)
        try:
            self._time[batch.signal] = batch.time
        except IndexError:
            self._grow(int(batch.signal.max()))
            self._time[batch.signal] = batch.time

    def of(self, signal: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """(n) times of these signals."""
        inside = signal < len(self._time)
        return np.where(inside, self._time[np.where(inside, signal, 0)], NEVER)

    def at(self, signal: int) -> int:
        return int(self._time[signal]) if signal < len(self._time) else NEVER

    def newest(self) -> int:
        """Of all signals; NEVER when there is none."""
        return int(self._time.max())

    def forget(self, signal: int) -> None:
        if signal < len(self._time):
            self._time[signal] = NEVER

    def _grow(self, highest: int) -> None:
        more = max(highest + 1, 2 * len(self._time)) - len(self._time)
        self._time = np.concatenate([self._time, np.full(more, NEVER, dtype=np.int64)])
