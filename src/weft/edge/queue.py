"""What waits between connectors and bus: bounded, in order, and honest about what fell out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from weft.model import Batch
from weft.runtime import get_logger, metrics

__all__ = ["Gap", "Queue", "Waiting"]

log = get_logger(__name__)

DROPPED: Final = metrics.counter("edge_samples_dropped", "Samples that fell out of a full queue")
WAITING: Final = metrics.gauge("edge_samples_waiting", "Samples not yet acknowledged by the bus")


class Waiting(NamedTuple):
    """A batch and whom to tell once it is stored."""

    batch: Batch
    stored: Callable[[], None] | None


class Gap(msgspec.Struct):
    """Samples of one connection that are known to be missing, and the range of their source times."""

    samples: int = 0
    first: int = 0
    last: int = 0

    def widen(self, batch: Batch) -> None:
        first, last = int(batch.time.min()), int(batch.time.max())
        self.first = min(self.first, first) if self.samples else first
        self.last = max(self.last, last) if self.samples else last
        self.samples += len(batch)


class Queue:
    """At most ``limit`` rows, those on their way to the bus included; the oldest that still wait here go
    first, and leave a gap. What its source awaits an acknowledgement of goes last: a broker that is never
    acknowledged ends by sending nothing, and its window bounds how much that can be."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.rows = 0
        self.urgent = False
        self._entries: deque[Waiting] = deque()
        self._gaps: dict[str, Gap] = {}

    def __bool__(self) -> bool:
        return bool(self._entries)

    def put(self, entry: Waiting) -> None:
        self._entries.append(entry)
        self.rows += len(entry.batch)
        self.urgent |= entry.stored is not None
        while self.rows > self.limit and len(self._entries) > 1:
            self._drop(self._oldest())
        WAITING.set(self.rows)

    def take(self, most: int) -> list[Waiting]:
        """Up to ``most`` of the oldest; they count as waiting until they are settled."""
        taken = [self._entries.popleft() for _ in range(min(most, len(self._entries)))]
        self.urgent = any(entry.stored is not None for entry in self._entries)
        return taken

    def settle(self, rows: int) -> None:
        """So many rows are stored."""
        self.rows -= rows
        WAITING.set(self.rows)

    def take_gaps(self) -> dict[str, Gap]:
        """What has fallen out since the last call, by connection."""
        gaps, self._gaps = self._gaps, {}
        return gaps

    def _oldest(self) -> Waiting:
        """The oldest but the newest, that nobody awaits; without one the oldest."""
        for i in range(len(self._entries) - 1):
            if self._entries[i].stored is None:
                entry = self._entries[i]
                del self._entries[i]
                return entry
        return self._entries.popleft()

    def _drop(self, entry: Waiting) -> None:
        batch = entry.batch
        if entry.stored is not None:
            entry.stored()  # lost, and written down as such: the source must not wait for it for ever
        self.rows -= len(batch)
        DROPPED.inc(len(batch))
        if batch.source not in self._gaps:
            log.error("queue full, samples lost", connection=batch.source, limit=self.limit)
        self._gaps.setdefault(batch.source, Gap()).widen(batch)
