"""A link of a part of a connection's points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import anyio

from weft.connect.api import Link, Point
from weft.model import Batch
from weft.runtime import Clock

__all__ = ["Branch", "Emit"]

Emit: TypeAlias = Callable[[Batch, Callable[[], None] | None], None]


class Branch:
    """A link of a part of the points, with their places looked up; everything else is the whole link's.
    ``tell_up`` and ``emit`` hear of success and samples in its stead."""

    def __init__(self, whole: Link, tell_up: Callable[[str], None] | None, emit: Emit | None) -> None:
        self.name = whole.name
        self.clock: Clock = whole.clock
        self.points: Sequence[Point] = ()
        self._emit = emit or whole.emit
        self.refuse = whole.refuse
        self.tell = whole.tell
        self.gap = whole.gap
        self.newest = whole.newest
        self.recall = whole.recall
        self.remember = whole.remember
        self._tell_up = tell_up or whole.up
        self._whole = whole
        self._change = anyio.Event()

    @property
    def pressure(self) -> float:
        return self._whole.pressure

    def emit(self, batch: Batch, stored: Callable[[], None] | None = None) -> None:
        self._emit(batch, stored)

    def up(self, detail: str = "") -> None:
        self._tell_up(detail)

    async def changed(self, seen: Sequence[Point]) -> None:
        while self.points is seen:
            await self._change.wait()

    def update(self, points: Sequence[Point]) -> None:
        if tuple(points) != self.points:
            self.points = tuple(points)
            change, self._change = self._change, anyio.Event()
            change.set()
