"""The palletiser's controller: its tags over EtherNet/IP."""

from __future__ import annotations

import struct
from typing import Any, Final

import anyio

from weft.demo.cip_server import CipServer
from weft.demo.cip_services import Controller
from weft.demo.cip_tags import Spot, Tag, Tags
from weft.demo.display import Display
from weft.demo.machine import steps
from weft.demo.palletiser_signals import LOGIX, PROGRAM
from weft.demo.sensor import Sensor, Value
from weft.demo.timeline import fast_forward, play

__all__ = ["LogixServer"]

STRUCTURE: Final = ("MotorData", [("Temperature", "REAL", 0), ("Vacuum", "REAL", 0)])


class Watched(Controller):
    """Knows which of the tags somebody has read since ``unread`` was set."""

    def __init__(self, tags: Tags) -> None:
        super().__init__(tags, program="Palletiser")
        self.unread: set[tuple[str, int]] = set()
        self.done = anyio.Event()

    def _part(self, spot: Spot, elements: int, offset: int, room: int) -> tuple[int, bytes]:
        status, content = super()._part(spot, elements, offset, room)
        begin = spot.offset + offset
        end = begin + len(content) - len(spot.head)
        self.unread -= {(spot.tag.name, at) for at in range(begin, end)}
        if not self.unread:
            self.done.set()
        return status, content


class LogixServer:
    """Serves ``display`` as tags that change every ``period`` s. With ``lockstep`` they do so only when all of them
    were read."""

    def __init__(self, display: Display, *, period: float, lockstep: bool = False) -> None:
        self._display = display
        self._period = steps(period)
        self._lockstep = lockstep
        self._tags = Tags()
        self._tags.structure(*STRUCTURE)
        self._tags.add("Motor", STRUCTURE[0], bytes(8))
        self._places = {sensor.name: self._place(sensor) for sensor in display.sensors}
        self._controller = Watched(self._tags)
        self._controller.written = self._written

    async def run(self, port: int, resume: int = 0) -> None:
        """Until cancelled. ``resume`` is the step from which a lock-step goes on."""
        if self._lockstep:
            await fast_forward(self._display.factory, resume)
        await self._show()
        async with anyio.create_task_group() as tasks:
            await tasks.start(CipServer(self._controller).run, port)
            if self._lockstep:
                await self._steps()
            else:
                await play(self._display.factory, self._display.timeline, self._period, self._show)

    async def _steps(self) -> None:
        factory, timeline = self._display.factory, self._display.timeline
        await timeline.opened()
        while not timeline.ended(factory.clock):
            await self._controller.done.wait()
            step = timeline.after(factory.clock, self._period)
            await timeline.present(step)
            await fast_forward(factory, step)
            await self._show()

    async def _show(self) -> None:
        for sensor, raw in self._display.changes():
            tag, at = self._places[sensor.name]
            data = _encode(tag, sensor, raw)
            tag.data[at : at + len(data)] = data
        self._controller.unread = {
            (tag.name, byte)
            for sensor in self._display.sensors
            for tag, at in [self._places[sensor.name]]
            for byte in range(at, at + _size(tag, sensor))
        }
        self._controller.done = anyio.Event()

    def _written(self, spot: Spot) -> None:
        for sensor in self._display.sensors:
            if sensor.command and self._places[sensor.name] == (spot.tag, spot.offset):
                (value,) = struct.unpack_from("<f", spot.tag.data, spot.offset)
                self._display.wrote(sensor, value)

    def _place(self, sensor: Sensor[Any]) -> tuple[Tag, int]:
        """The tag and the byte in it; tags are made as the sensors come."""
        name, _, member = str(sensor.address["tag"]).removeprefix(f"Program:{PROGRAM}.").partition(".")
        program = PROGRAM if str(sensor.address["tag"]).startswith("Program:") else ""
        if member:
            spot = self._tags.find([name, member])
            return spot.tag, spot.offset
        if name.endswith("]"):
            array, index = name[:-1].split("[")
            spot = self._tags.find([array, int(index)])
            return spot.tag, spot.offset
        count = sensor.address.get("count")
        dims, start = ((count,), [0] * count) if count else ((), "" if sensor.type.name == "STRING" else 0)
        return self._tags.add(name, LOGIX[sensor.type], start, dims, program), 0


def _encode(tag: Tag, sensor: Sensor[Any], raw: Value) -> bytes:
    if isinstance(raw, str):
        text = raw.encode("latin-1", "replace")[:82]
        return struct.pack("<I", len(text)) + text.ljust(84, b"\0")
    values = raw if isinstance(raw, tuple) else (raw,)
    return struct.pack(f"<{len(values)}{_CODES[LOGIX[sensor.type]]}", *values)


def _size(tag: Tag, sensor: Sensor[Any]) -> int:
    if LOGIX[sensor.type] == "STRING":
        return tag.element
    return struct.calcsize(_CODES[LOGIX[sensor.type]]) * int(sensor.address.get("count", 1))


_CODES: Final = {"BOOL": "?", "INT": "h", "DINT": "i", "REAL": "f", "LREAL": "d"}
