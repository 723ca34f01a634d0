"""A single reading, outside of the cycle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import msgspec
import numpy as np

from weft.connect.api import Point
from weft.connect.modbus.address import Config
from weft.connect.modbus.client import Client
from weft.connect.modbus.reader import Away, Reader
from weft.connect.modbus.round import Round
from weft.model import Batch, Flag, concat, quality
from weft.runtime import Clock

__all__ = ["Asked", "bad", "read_now"]


class Asked:
    """The link of a single reading: it keeps what is refused instead of telling people."""

    def __init__(self, clock: Clock) -> None:
        self.name = "read"
        self.clock = clock
        self.points: Sequence[Point] = ()
        self.pressure = 0.0
        self.refused: list[tuple[Point, int]] = []

    def refuse(self, point: Point, status: int, reason: str) -> None:
        self.refused.append((point, status))

    async def changed(self, seen: Sequence[Point]) -> None:
        await anyio.sleep_forever()

    def emit(self, batch: Batch, stored: Callable[[], None] | None = None) -> None: ...

    def up(self, detail: str = "") -> None: ...

    def tell(self, kind: str, data: dict[str, Any], *, time: int = 0) -> None: ...

    def gap(self, first: int, last: int, cause: str, points: Sequence[Point] = ()) -> None: ...

    def newest(self) -> dict[int, int]:
        return {}

    def recall(self) -> dict[str, Any]:
        return {}

    def remember(self, data: dict[str, Any]) -> None: ...


async def read_now(asked: Asked, config: Config, client: Client) -> Batch:
    """One reading of the points of ``asked``, without a device's clock. Raises Retry."""
    reader = Reader(msgspec.structs.replace(config, clock=None), asked, client)
    round = Round(reader.registers)
    for blocks in reader.registers.units.values():
        try:
            for block in blocks:
                await reader.read(block, round)
        except Away:
            for block in blocks:
                rows = reader.registers.layout.rows(block)
                round.missing(rows, quality.BAD_NO_COMMUNICATION, asked.clock.now())
    parts = [round.batch()]
    for point, status in asked.refused:
        parts.append(bad([point], status, asked.clock))
    return concat(parts, received=asked.clock.now())


def bad(points: Sequence[Point], status: int, clock: Clock) -> Batch:
    """One sample without a value for each point, at our own time."""
    n = len(points)
    return Batch(
        np.array([point.handle for point in points], dtype=np.int32),
        np.full(n, clock.now(), dtype=np.int64),
        np.zeros(n, dtype=np.uint8),
        np.zeros(n, dtype=np.int64),
        np.full(n, status, dtype=np.uint32),
        np.full(n, Flag.RECEIVE_TIME | Flag.SYNTHETIC, dtype=np.uint16),
    )
