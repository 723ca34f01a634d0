"""The press's controller: one data block on python-snap7's server (S7 communication)."""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import anyio
from snap7.server import Server
from snap7.type import SrvArea

from weft.demo.display import Display
from weft.demo.machine import steps
from weft.demo.sensor import Sensor, Value
from weft.demo.timeline import fast_forward, play

__all__ = ["Block", "S7Server", "encode"]

LOOK: Final = 0.005  # s between two looks at what the server's threads did
_UNIX: Final = 116_444_736_000_000_000  # 1970 in ticks of 100 ns since 1601
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CODES: Final = {"SINT": "b", "INT": "h", "DINT": "i", "REAL": "f", "LREAL": "d"}


def encode(address: dict[str, Any], value: Value) -> bytes:
    """A value as the controller keeps it (S7: big-endian, texts with two lengths, DTL of twelve bytes)."""
    kind = address["type"]
    if isinstance(value, tuple):
        return b"".join(struct.pack(f">{_CODES[kind]}", each) for each in value)
    if isinstance(value, str):
        room = address["length"]
        text = value.encode("latin-1", "replace")[:room]
        return bytes((room, len(text))) + text.ljust(room, b"\0")
    if kind == "DTL" and isinstance(value, int):
        seconds, ticks = divmod(value - _UNIX, 10_000_000)
        at = _EPOCH + timedelta(seconds=seconds)
        weekday = at.isoweekday() % 7 + 1  # Sunday is 1
        parts = (at.year, at.month, at.day, weekday, at.hour, at.minute, at.second, ticks * 100)
        return struct.pack(">HBBBBBBI", *parts)
    return struct.pack(f">{_CODES[kind]}", value)


class Block(Server):
    """The server with the block ``number`` of ``size`` bytes. ``read`` says which bytes somebody has read,
    ``written`` where somebody wrote; both come from the server's threads."""

    def __init__(self, number: int, size: int) -> None:
        super().__init__(log=False)
        self._number = number
        self.memory = bytearray(size)
        self.guard = threading.Lock()
        self.unread: set[int] = set()
        self.written: list[tuple[int, bytes]] = []
        self.register_area(SrvArea.DB, number, self.memory)

    def put(self, image: bytes, used: set[int]) -> None:
        """A new picture of the whole block at once, of which ``used`` are to be read."""
        with self.guard:
            self.memory[:] = image
            for start, data in self.written:  # not yet looked at: it must not be lost
                self.memory[start : start + len(data)] = data
            self.unread = set(used)

    def _handle_read_area(self, request: dict[str, Any], client_address: tuple[str, int]) -> bytes:
        with self.guard:  # all items of a request are of one moment
            answer: bytes = super()._handle_read_area(request, client_address)
        return answer

    def _read_from_memory_area(
        self, area: Any, db_number: int, start: int, count: int
    ) -> tuple[int, bytearray]:
        if db_number == self._number:
            self.unread.difference_update(range(start, start + count))
        found: tuple[int, bytearray] = super()._read_from_memory_area(area, db_number, start, count)
        return found

    def _write_to_memory_area(self, area: Any, db_number: int, start: int, write_data: bytearray) -> bool:
        with self.guard:
            done: bool = super()._write_to_memory_area(area, db_number, start, write_data)
            if done and db_number == self._number:
                self.written.append((start, bytes(write_data)))
        return done


class S7Server:
    """Serves ``display`` as data block ``block``, changing every ``period`` s. With ``lockstep`` it goes on only
    when all of the block's values were read, as the Modbus devices do."""

    def __init__(
        self, display: Display, *, block: int, size: int, period: float, lockstep: bool = False
    ) -> None:
        self._display = display
        self._period = steps(period)
        self._lockstep = lockstep
        self._server = Block(block, size)
        self._image = bytearray(size)
        self._writable = {s.address["offset"]: s for s in display.sensors if s.command}
        self._used = {byte for sensor in display.sensors for byte in _bytes(sensor)}

    async def run(self, port: int, resume: int = 0) -> None:
        """Until cancelled. ``resume`` is the step from which a lock-step goes on."""
        logging.getLogger("snap7").setLevel(logging.CRITICAL)
        factory = self._display.factory
        if self._lockstep:
            await fast_forward(factory, resume)
        await self._show()
        self._server.start_to("127.0.0.1", port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._obey)
            if self._lockstep:
                await self._steps()
            else:
                await play(factory, self._display.timeline, self._period, self._show)

    async def _steps(self) -> None:
        factory, timeline = self._display.factory, self._display.timeline
        await timeline.opened()
        while not timeline.ended(factory.clock):
            while self._server.unread:  # noqa: ASYNC110  # the server's threads tell nobody
                await anyio.sleep(LOOK)
            step = timeline.after(factory.clock, self._period)
            await timeline.present(step)
            await fast_forward(factory, step)
            await self._show()

    async def _show(self) -> None:
        changes = self._display.changes()
        for sensor, raw in changes:
            _put(self._image, sensor, raw)
        self._server.put(bytes(self._image), self._used)

    async def _obey(self) -> None:
        """What was written to a value that can be written is a command; the rest comes back with the next picture."""
        while True:
            await anyio.sleep(0.05)
            with self._server.guard:
                written, self._server.written = self._server.written, []
            for start, data in written:
                sensor = self._writable.get(start)
                if sensor is not None and len(data) == len(_bytes(sensor)):
                    (value,) = struct.unpack(f">{_CODES[sensor.address['type']]}", data)
                    self._image[start : start + len(data)] = data
                    self._display.wrote(sensor, value)


def _bytes(sensor: Sensor[Any]) -> Sequence[int]:
    address = sensor.address
    start = address["offset"]
    if address["type"] == "BOOL":
        return (start,)
    size = {"STRING": address.get("length", 0) + 2, "DTL": 12}.get(address["type"])
    if size is None:
        size = struct.calcsize(_CODES[address["type"]]) * address.get("count", 1)
    return range(start, start + size)


def _put(image: bytearray, sensor: Sensor[Any], raw: Value) -> None:
    address = dict(sensor.address)
    at = address["offset"]
    if address["type"] == "BOOL":
        bit = 1 << address["bit"]
        image[at] = image[at] | bit if raw else image[at] & ~bit
        return
    data = encode(address, raw)
    image[at : at + len(data)] = data
