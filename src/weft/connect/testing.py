"""A link that only records: for the tests of connectors, ours and other people's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio

from weft.connect.api import Point
from weft.model import Batch, Row, concat, quality
from weft.runtime import Clock, SystemClock

__all__ = ["Recorder"]


class Recorder:
    """A :class:`~weft.connect.api.Link` that keeps everything it is given."""

    def __init__(self, points: Sequence[Point], *, clock: Clock | None = None) -> None:
        self.name = "recorder"
        self.clock: Clock = clock or SystemClock()
        self.points: Sequence[Point] = tuple(points)
        self.pressure = 0.0
        self.batches: list[Batch] = []
        self.refused: dict[str, tuple[int, str]] = {}
        self.details: list[str] = []
        self.events: list[tuple[str, dict[str, Any], int]] = []
        self.gaps: list[tuple[int, int, str, tuple[Point, ...]]] = []
        self.memory: dict[str, Any] = {}
        self.kept: dict[int, int] = {}
        self._news = anyio.Event()
        self._change = anyio.Event()

    def emit(self, batch: Batch, stored: Callable[[], None] | None = None) -> None:
        self.batches.append(batch)
        if stored is not None:
            stored()
        self._tell()

    def up(self, detail: str = "") -> None:
        self.details.append(detail)
        self._tell()

    def refuse(self, point: Point, status: int, reason: str) -> None:
        self.refused[point.path] = (status, reason)
        self._tell()

    def tell(self, kind: str, data: dict[str, Any], *, time: int = 0) -> None:
        self.events.append((kind, data, time or self.clock.now()))
        self._tell()

    def gap(self, first: int, last: int, cause: str, points: Sequence[Point] = ()) -> None:
        self.gaps.append((first, last, cause, tuple(points)))
        self._tell()

    def newest(self) -> dict[int, int]:
        """What a test says is kept already; its own batches count, too."""
        newest = dict(self.kept)
        for row in self.rows:
            if row.status < quality.UNCERTAIN:
                newest[row.signal] = max(row.time, newest.get(row.signal, 0))
        return newest

    def recall(self) -> dict[str, Any]:
        return dict(self.memory)

    def remember(self, data: dict[str, Any]) -> None:
        self.memory = dict(data)

    async def changed(self, seen: Sequence[Point]) -> None:
        while self.points is seen:
            await self._change.wait()

    def update(self, points: Sequence[Point]) -> None:
        self.points = tuple(points)
        change, self._change = self._change, anyio.Event()
        change.set()

    @property
    def rows(self) -> list[Row]:
        return list(concat(self.batches))

    def of(self, handle: int) -> list[Row]:
        return [row for row in self.rows if row.signal == handle]

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Waits until ``condition`` holds. Raises TimeoutError."""
        with anyio.fail_after(seconds):
            while not condition():
                await self._news.wait()

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()
