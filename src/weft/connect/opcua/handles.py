"""Client handles of monitored items, and the signals they stand for: numpy tables, one look-up a message."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from weft.model import Flag

__all__ = ["Handles"]

NOBODY: Final = -1


class Handles:
    """Numbers are counted up and never used again within a session, so that a late sample of a deleted item
    finds nobody."""

    def __init__(self) -> None:
        self._signal = np.full(64, NOBODY, dtype=np.int32)
        self._fresh = np.zeros(64, dtype=np.bool_)
        self._waiting = 0  # how many are fresh
        self._next = 1  # node-opcua takes 0 for none and gives the item a number of its own

    def give(self, signal: int) -> int:
        """A client handle for the signal; its first sample will be marked."""
        handle = self._next
        self._next += 1
        if handle >= len(self._signal):
            self._grow()
        self._signal[handle] = signal
        self._fresh[handle] = True
        self._waiting += 1
        return handle

    def restore(self, handle: int, signal: int) -> None:
        """As it was given before; its first sample is none after an interruption."""
        while handle >= len(self._signal):
            self._grow()
        self._next = max(self._next, handle + 1)
        self._signal[handle] = signal

    def drop(self, handle: int) -> None:
        self._signal[handle] = NOBODY
        self._waiting -= int(self._fresh[handle])
        self._fresh[handle] = False

    def signals(self, handles: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
        """Signal handles (n), -1 where nobody knows the client handle."""
        if len(handles) and int(handles.max()) >= len(self._signal):
            known = handles < len(self._signal)
            return np.where(known, self._signal[np.where(known, handles, 0)], np.int32(NOBODY))
        return self._signal[handles]

    def mark_first(self, handles: npt.NDArray[np.uint32], flags: npt.NDArray[np.uint16]) -> None:
        """Sets FIRST in ``flags`` (n) at each handle's first sample since it was given."""
        if not self._waiting:
            return
        first = np.zeros(len(handles), dtype=np.bool_)
        known = np.flatnonzero(handles < len(self._signal))
        seen, at = np.unique(handles[known], return_index=True)
        fresh = self._fresh[seen]
        first[known[at[fresh]]] = True
        self._fresh[seen[fresh]] = False
        self._waiting -= int(fresh.sum())
        flags[first] |= np.uint16(Flag.FIRST)

    def _grow(self) -> None:
        self._signal = np.concatenate([self._signal, np.full_like(self._signal, NOBODY)])
        self._fresh = np.concatenate([self._fresh, np.zeros_like(self._fresh)])
