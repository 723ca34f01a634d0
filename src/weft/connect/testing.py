"""A link that only records: for the tests of connectors, ours and other people's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anyio

from weft.connect.api import Point
from weft.model import Batch, Row, concat
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
