"""The connector: see the package's README for what it does with a device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

import anyio
import msgspec

from weft.connect.api import Found, Link, Place, Point, Scope, Write
from weft.connect.modbus.address import Address as RegisterAddress
from weft.connect.modbus.address import Config as DeviceConfig
from weft.connect.modbus.client import Client, Silence, connect
from weft.connect.modbus.fleet import Fleet
from weft.connect.modbus.frames import BadFrame, DeviceError, identification, identify, read
from weft.connect.modbus.listing import listing
from weft.connect.modbus.station import stations
from weft.model import Batch, concat, quality
from weft.runtime import NeedsHuman, Retry, WeftError

__all__ = ["Modbus"]

_PAGES = 4


class Modbus:
    """Modbus, client side: functions 1 to 4 for reading, 5, 6, 15, 16 and 22 for writing, 43/14 for asking who
    answers. Over TCP, RTU over TCP or a serial line, to one device or to many."""

    Config: ClassVar[type[msgspec.Struct]] = DeviceConfig
    Address: ClassVar[type[msgspec.Struct]] = RegisterAddress
    forgets: ClassVar[bool] = True

    def __init__(self, config: DeviceConfig) -> None:
        self.config = config
        self._stations = stations(config)
        self._by_device = {name: station for station in self._stations for name in station.units}
        self._link: Link | None = None

    async def run(self, link: Link) -> None:
        self._link = link
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._refuse_strangers, link)
                lost = await self._run(link)
                group.cancel_scope.cancel()
        finally:
            self._link = None
        if lost is not None:
            raise lost

    async def write(self, writes: Sequence[Write]) -> Sequence[int]:
        """One OPC UA StatusCode each; a write without an answer is BadTimeout and is not sent again."""
        link = self._up()
        statuses = [quality.BAD_CONFIGURATION_ERROR] * len(writes)
        parts: dict[str, list[int]] = defaultdict(list)
        for number, write in enumerate(writes):
            parts[write.point.address.device].append(number)
        asked = {name: numbers for name, numbers in parts.items() if name in self._by_device}
        alone = len(asked) == 1

        async def write_to(name: str, numbers: list[int]) -> None:
            try:
                done = await self._by_device[name].write([writes[i] for i in numbers], link)
            except Retry:
                if alone:
                    raise
                done = [quality.BAD_NOT_CONNECTED] * len(numbers)
            for number, status in zip(numbers, done, strict=True):
                statuses[number] = status

        if alone:
            await write_to(*next(iter(asked.items())))
            return statuses
        async with anyio.create_task_group() as group:
            for name, numbers in asked.items():
                group.start_soon(write_to, name, numbers)
        return statuses

    async def read(self, points: Sequence[Point]) -> Batch:
        """The points as they are now; a device that is not connected has none in the batch unless it is the only
        one."""
        clock = self._up().clock
        asked = [station for station in self._stations if station.of(points)]
        batches: list[Batch] = []
        for station in asked:
            try:
                batches.append(await station.read(station.of(points), clock))
            except Retry:
                if len(asked) == 1:
                    raise
        return concat(batches)

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """The lines of the own map and the SunSpec points of the device, with their present values; ``start`` is
        the name of a device of many."""
        async for found in listing(self.config, self._stations, start):
            yield found

    @classmethod
    def discover(cls, scope: Scope) -> AsyncIterator[Place]:
        """As :class:`~weft.connect.Discovers`."""
        from weft.connect.modbus.discover import discover

        return discover(scope)

    async def probe(self) -> str:
        """Who answers there: vendor, product and revision where the device tells them."""
        station = self._stations[0]
        unit = next(iter(station.units.values()))
        async with connect(station.config) as client:
            where = f"{client.peer}, unit {unit}"
            name = await self._identify(client, unit)
        return (
            f"{name} at {where}" if name else f"A Modbus device answers at {where}; it does not say its name."
        )

    async def _run(self, link: Link) -> WeftError | None:
        """What ended it, for whoever is outside the group: a group would wrap it."""
        try:
            if len(self._stations) == 1:
                await self._stations[0].run(link)
            else:
                await Fleet(self._stations, link).run()
        except (Retry, NeedsHuman) as error:
            return error
        return None

    async def _refuse_strangers(self, link: Link) -> None:
        while True:
            points = link.points
            for point in points:
                if point.address.device not in self._by_device:
                    reason = f"The connection has no device {point.address.device!r}."
                    link.refuse(point, quality.BAD_CONFIGURATION_ERROR, reason)
            await link.changed(points)

    def _up(self) -> Link:
        if self._link is None:
            raise Retry("The connection is not up: nothing was sent.")
        return self._link

    async def _identify(self, client: Client, unit: int) -> str:
        objects: dict[int, str] = {}
        first: int | None = 0
        try:
            for _ in range(_PAGES):
                if first is None:
                    break
                more, first = identification(await client.ask(unit, identify(first)))
                objects |= more
        except (DeviceError, BadFrame):
            pass  # it answers, but not to this: few devices know the function
        except Silence:
            await self._answers(client, unit)
        return " ".join(objects[i] for i in sorted(objects) if i < 3 and objects[i])

    async def _answers(self, client: Client, unit: int) -> None:
        # Some devices say nothing to functions they do not know. To a read every device says something, if
        # only that the register is not there.
        try:
            await client.ask(unit, read(3, 0, 1))
        except Silence:
            raise Retry(
                f"{client.peer} takes the connection, but unit {unit} answers nothing within "
                f"{self.config.timeout:g} s.",
                remedy="Is the unit id right?",
            ) from None
