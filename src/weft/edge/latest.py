"""The newest sample of each signal, as guard rails, derived signals and local logic need it: before report by
exception has left anything out, and without asking anybody."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import anyio
import numpy as np

from weft.edge.order import NO_ORDER
from weft.model import Batch, Flag, Row
from weft.model.expression import Reading
from weft.model.quality import BAD_WAITING_FOR_INITIAL_DATA

__all__ = ["Latest"]

# The source says that it is not of this moment: then its own time tells how old it is.
_OLD: Final = np.uint16(Flag.HISTORY | Flag.REPLAYED | Flag.SYNTHETIC)
MEMORY: Final = int(Flag.HISTORY)
NOTHING: Final = Reading(None, BAD_WAITING_FOR_INITIAL_DATA, float("inf"))


class Latest:
    """Columns by handle. Only signals that are ``watched`` are remembered: others cost nothing."""

    def __init__(self) -> None:
        self._watched = np.zeros(0, dtype=np.bool_)
        self._any = False
        self._time = np.zeros(0, dtype=np.int64)
        self._heard = np.zeros(0, dtype=np.int64)  # when, by our clock; 0 is never
        self._type = np.zeros(0, dtype=np.uint8)
        self._status = np.zeros(0, dtype=np.uint32)
        self._flags = np.zeros(0, dtype=np.uint16)
        self._values: list[Any] = []
        self._waiting: dict[int, anyio.Event] = {}

    def watch(self, handles: Iterable[int]) -> None:
        """These from now on; what is known of them stays, what is known of others is forgotten."""
        wanted = sorted(set(handles))
        n = max(wanted[-1] + 1 if wanted else 0, 0)
        watched = np.zeros(n, dtype=np.bool_)
        watched[wanted] = True
        kept = min(n, len(self._watched))
        old = np.zeros(n, dtype=np.bool_)
        old[:kept] = self._watched[:kept] & watched[:kept]
        for name in ("_time", "_heard", "_type", "_status", "_flags"):
            before = getattr(self, name)
            column = np.zeros(n, dtype=before.dtype)
            column[:kept] = before[:kept]
            column[~old] = 0
            setattr(self, name, column)
        values = [*self._values[:kept], *([None] * (n - kept))]
        self._values = [value if known else None for value, known in zip(values, old.tolist(), strict=True)]
        self._watched = watched
        self._any = bool(wanted)

    def unknown(self) -> list[int]:
        """Watched handles of which nothing has been heard."""
        return np.flatnonzero(self._watched & (self._heard == 0)).tolist()

    def take(self, batch: Batch) -> list[int]:
        """Remembers the newest of each watched signal; returns the handles that have a new one."""
        if not self._any:
            return []
        rows = np.flatnonzero((batch.signal >= 0) & (batch.signal < len(self._watched)))
        rows = rows[self._watched[batch.signal[rows]]]
        handles = batch.signal[rows]
        newer = (batch.time[rows] >= self._time[handles]) | self._by_another_clock(batch.flags[rows], handles)
        rows = rows[newer]
        if not len(rows):
            return []
        if len(rows) > 1:
            order = np.lexsort((batch.time[rows], batch.signal[rows]))
            signal = batch.signal[rows][order]
            rows = rows[order[np.append(signal[1:] != signal[:-1], True)]]
        return self._store(batch, rows)

    def _by_another_clock(self, flags: Any, handles: Any) -> Any:
        """Where the times do not say which is newer: a time that cannot be; or ours before, the source's now. A value
        that stood still while the line was away has our time, and read again it has an older one of its source."""
        known = self._flags[handles]
        ours = ((known & NO_ORDER) != 0) & ((flags & (_OLD | NO_ORDER)) == 0)
        return ours | ((known & np.uint16(Flag.CLOCK_SUSPECT)) != 0)

    def _store(self, batch: Batch, rows: Any) -> list[int]:
        handles = batch.signal[rows]
        time, flags = batch.time[rows], batch.flags[rows]
        received = batch.received or int(time.max())
        self._time[handles], self._flags[handles] = time, flags
        self._heard[handles] = np.where((flags & _OLD) != 0, np.minimum(time, received), received)
        self._type[handles], self._status[handles] = batch.type[rows], batch.status[rows]
        found: list[int] = handles.tolist()
        for handle, row in zip(found, rows.tolist(), strict=True):
            self._values[handle] = batch.value(row)
            if handle in self._waiting:
                self._waiting.pop(handle).set()
        return found

    def reading(self, handle: int, now: int) -> Reading:
        """What is known of a signal; ``age`` is how long ago it was heard, in seconds by our clock."""
        if not self._knows(handle):
            return NOTHING
        # Heard in the future: our clock was set back, by at least as much.
        age = abs(now - int(self._heard[handle])) / 1e9
        return Reading(self._values[handle], int(self._status[handle]), age)

    def is_live(self, handle: int) -> bool:
        """Whether the newest sample is of this moment and of this life, not from anybody's memory."""
        return self._knows(handle) and not int(self._flags[handle]) & MEMORY

    def row(self, handle: int) -> Row | None:
        """The newest sample of a signal, None for none."""
        if not self._knows(handle):
            return None
        return Row(
            handle,
            int(self._time[handle]),
            self._values[handle],
            int(self._type[handle]),
            int(self._status[handle]),
            int(self._flags[handle]),
        )

    async def next(self, handle: int) -> None:
        """Returns when the signal has another sample."""
        await self._waiting.setdefault(handle, anyio.Event()).wait()

    def _knows(self, handle: int) -> bool:
        return 0 <= handle < len(self._heard) and bool(self._heard[handle])
