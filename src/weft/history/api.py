"""The historian's reads, the same in Python, HTTP and CLI: Arrow tables, times in ns UTC, [start, end)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pyarrow as pa

from weft.model import Batch

__all__ = ["History"]


class History(Protocol):
    """Last write wins on (signal, time) in every read: across segments and in the live tail."""

    def append(self, batch: Batch, sequence: int) -> None:
        """Takes a batch of the samples stream into the live tail; ``sequence`` is the stream's. A sequence
        at or below the last one taken is ignored."""
        ...

    async def seal(self) -> int:
        """Writes the live tail as a segment; returns the highest stream sequence that is now safe on disk."""
        ...

    @property
    def sealed(self) -> int:
        """The highest stream sequence that is safe on disk: replay after it."""
        ...

    def snapshot(self, signals: Sequence[int] | None = None) -> Batch:
        """The newest sample of each signal (by source time); signals without one are left out."""
        ...

    async def raw(self, signals: Sequence[int], start: int, end: int, *, most: int = 1_000_000) -> pa.Table:
        """Samples as they came, sorted by (signal, time): signal int32, time timestamp[ns, UTC], value
        double?, integer int64?, text string?, data binary? (arrays, bytes, structures as msgpack), type uint8,
        status uint32, flags uint16; see :mod:`weft.history.columns`. Raises Invalid for a reversed range or
        more than ``most`` rows."""
        ...

    async def summary(self, signals: Sequence[int], start: int, end: int, interval: int) -> pa.Table:
        """Per signal and interval of ``interval`` ns: signal, time (interval's start), count, good (count of
        good samples), minimum, maximum, average of the good numbers (NaN left out; null when there is none).
        Intervals begin at ``start``; those without a sample are left out. Raises Invalid for a reversed range,
        an interval of no length, or a million intervals and more."""
        ...

    async def sql(self, query: str, *, most: int = 100_000) -> pa.Table:
        """One SELECT over the views ``sample`` (raw's columns, ``number`` double?, ``good`` boolean) and
        ``signal`` (``signal``, ``path``, ``unit`` …). Raises Invalid, also for more than ``most`` rows, too much
        time or memory. In a join name ``sample`` first: the other table is held in memory."""
        ...
