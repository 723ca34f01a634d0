"""What waits between connectors and bus: bounded, in order, and honest about what fell out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from weft.model import Batch
from weft.runtime import get_logger, metrics

__all__ = ["Gap", "Queue", "Waiting", "size"]

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
    """At most ``limit`` rows and about ``most_bytes`` bytes, those on their way to the bus included; the oldest that still wait here go
    first, and leave a gap. What its source awaits an acknowledgement of goes last: a broker that is never
    acknowledged ends by sending nothing, and its window bounds how much that can be."""

    def __init__(self, limit: int, most_bytes: int = 256 << 20) -> None:
        self.limit = limit
        self.most_bytes = most_bytes
        self.rows = 0
        self.bytes = 0
        self.urgent = False
        self._entries: deque[Waiting] = deque()
        self._gaps: dict[str, Gap] = {}

    def __len__(self) -> int:
        """Batches that nobody has taken yet."""
        return len(self._entries)

    def put(self, entry: Waiting) -> None:
        self._entries.append(entry)
        self.rows += len(entry.batch)
        self.bytes += size(entry.batch)
        self.urgent |= entry.stored is not None
        while self.fullness > 1 and len(self._entries) > 1:
            self._drop(self._oldest())
        WAITING.set(self.rows)

    def take(self, most: int) -> list[Waiting]:
        """Up to ``most`` of the oldest; they count as waiting until they are settled."""
        taken = [self._entries.popleft() for _ in range(min(most, len(self._entries)))]
        self.urgent = any(entry.stored is not None for entry in self._entries)
        return taken

    @property
    def fullness(self) -> float:
        """0: empty, 1: full."""
        return max(self.rows / self.limit, self.bytes / self.most_bytes)

    def settle(self, rows: int, bytes: int) -> None:
        """So many rows of so many bytes are stored."""
        self.rows -= rows
        self.bytes -= bytes
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
        self.bytes -= size(batch)
        DROPPED.inc(len(batch))
        if batch.source not in self._gaps:
            log.error("queue full, samples lost", connection=batch.source, limit=self.limit)
        self._gaps.setdefault(batch.source, Gap()).widen(batch)


ROW: Final = 27  # bytes of a sample's columns
OBJECT: Final = 64  # about what a value costs on the heap


def size(batch: Batch) -> int:
    """About the bytes that a batch holds in memory. Rows share the heap of the batch that they came in."""
    heap = sum(
        OBJECT + (len(value) if isinstance(value, (str, bytes, list, tuple)) else 0) for value in batch.heap
    )
    return ROW * len(batch) + heap
