"""How the clocks stand: each source's beside ours, and ours beside the world's. Times of samples are never touched.

A source's drift is the median of receive time less source time over a window; the way through the network is in it.
The newest sample of each batch counts: the older ones have waited in the source's queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, Final

import numpy as np

from weft.edge import hostclock
from weft.edge.hostclock import HostClock
from weft.model import Batch, BatchBuilder, Event, Flag, Kind, ValueType
from weft.model.sources import HEALTH, OWN
from weft.runtime import Clock, Ready

__all__ = ["Clocks"]

EVERY: Final = 10  # seconds between two samples of the drift
WINDOW: Final = 300  # batches
LEAST: Final = 5  # batches until a median says something
JUMP: Final = 500_000_000  # ns between two clocks of ours within a second
HOST: Final = "host"
# Their time says nothing of the source's clock: it is ours, or of another moment.
TELLS_NOTHING: Final = np.uint16(
    Flag.REPLAYED
    | Flag.HISTORY
    | Flag.SUBSTITUTED
    | Flag.FIRST
    | Flag.RECEIVE_TIME
    | Flag.SYNTHETIC
    | Flag.LATE
)


class Clocks:
    """Watches. ``limit`` is in seconds; ``handles`` gives the handle of ``<connection>/clock-drift`` and the like,
    which may be absent; ``publish`` takes samples, ``tell`` events."""

    def __init__(
        self,
        *,
        clock: Clock,
        limit: float,
        handles: Callable[[], Mapping[str, int]],
        publish: Callable[[Batch], None],
        tell: Callable[[Event], None],
        host: Callable[[], HostClock | None] = hostclock.read,
    ) -> None:
        self._clock = clock
        self._limit = round(limit * 1e9)
        self._handles = handles
        self._publish = publish
        self._tell = tell
        self._host = host
        self._lags: dict[str, deque[int]] = {}
        self._suspect: set[str] = set()
        self._sequence = clock.now()

    def note(self, batch: Batch) -> None:
        """A batch has arrived from a connector."""
        if not batch.received or batch.source in OWN or not len(batch):
            return
        told = (batch.flags & TELLS_NOTHING) == 0
        if told.any():
            newest = batch.time if told.all() else batch.time[told]
            lag = batch.received - int(newest.max())
            self._lags.setdefault(batch.source, deque(maxlen=WINDOW)).append(lag)

    async def run(self, ready: Ready) -> None:
        """Until cancelled: every second whether our own clock jumped, every ten how all stand."""
        ready()
        self.measure()
        wall, steady = self._clock.now(), self._clock.monotonic()
        while True:
            for _ in range(EVERY):
                await self._clock.sleep(1.0)
                now, beat = self._clock.now(), self._clock.monotonic()
                jump = (now - wall) - round((beat - steady) * 1e9)
                if abs(jump) > JUMP:
                    self._jumped(jump)
                wall, steady = now, beat
            self.measure()

    def measure(self) -> None:
        """Publishes how the clocks stand now, and tells whose has gone wrong or is right again."""
        rows: dict[str, tuple[Any, int]] = {}
        for source, lags in self._lags.items():
            if len(lags) >= LEAST:
                drift = round(median(lags))
                rows[f"{source}/clock-drift"] = (drift / 1e6, ValueType.DOUBLE)
                self._judge(source, drift)
        host = self._host()
        if host is not None:
            rows[f"{HOST}/clock-offset"] = (host.offset, ValueType.DOUBLE)
            rows[f"{HOST}/clock-error"] = (host.error, ValueType.DOUBLE)
            rows[f"{HOST}/clock-synchronized"] = (host.synchronized, ValueType.BOOLEAN)
        self._emit(rows)

    def _emit(self, rows: Mapping[str, tuple[Any, int]]) -> None:
        now, handles = self._clock.now(), self._handles()
        found = BatchBuilder()
        for name, (value, kind) in rows.items():
            if name in handles:
                found.add(handles[name], now, value, kind)
        if len(found):
            self._sequence += 1
            self._publish(found.build(source=HEALTH, sequence=self._sequence, received=now))

    def _judge(self, source: str, drift: int) -> None:
        wrong = abs(drift) > self._limit
        if wrong != (source in self._suspect):
            (self._suspect.add if wrong else self._suspect.discard)(source)
            self._say(source, "suspect" if wrong else "normal", drift)

    def _jumped(self, jump: int) -> None:
        """Lags of before say nothing of our clock of now."""
        self._lags.clear()
        self._say(HOST, "jumped", jump)

    def _say(self, source: str, state: str, drift: int) -> None:
        now = self._clock.now()
        data = {"state": state, "seconds": drift / 1e9}
        self._tell(Event(kind=Kind.CLOCK_SUSPECT, source=source, time=now, recorded=now, data=data))
