"""One line and what is behind it: connect, look names up, poll; and write or read in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from zlib import crc32

import anyio
import msgspec

from weft.connect.api import Link, Point, Write
from weft.connect.modbus.address import Config
from weft.connect.modbus.asked import Asked, bad, read_now
from weft.connect.modbus.branch import Branch, Emit
from weft.connect.modbus.client import Client, connect
from weft.connect.modbus.poll import Poll
from weft.connect.modbus.resolve import RETRY_CHAIN, Resolver
from weft.connect.modbus.writer import Order, Writer
from weft.model import Batch, quality
from weft.runtime import Clock, Invalid, NotFound, Retry

__all__ = ["Station", "stations"]


class Shares:
    """The points of each device by its name, sorted once for all lines of a connection."""

    def __init__(self) -> None:
        self._points: Sequence[Point] = ()
        self._shares: dict[str, list[Point]] = {}

    def of(self, points: Sequence[Point]) -> dict[str, list[Point]]:
        if points is not self._points:
            shares: dict[str, list[Point]] = defaultdict(list)
            for point in points:
                shares[point.address.device].append(point)
            self._points, self._shares = points, dict(shares)
        return self._shares


class Station:
    """A line at ``config``, and the devices (names and unit ids) behind it."""

    def __init__(self, config: Config, units: dict[str, int], shares: Shares) -> None:
        self.config = config
        self.units = units
        self._shares = shares
        # Any number that is another for another device: readings spread over the interval.
        self.phase = crc32(f"{config.host}:{config.port}".encode()) / 2**32
        self._client: Client | None = None
        self._writer: Writer | None = None
        self._resolver: Resolver | None = None

    def of(self, points: Sequence[Point]) -> tuple[Point, ...]:
        """Those that lie behind this line."""
        shares = self._shares.of(points)
        return tuple(point for name in self.units for point in shares.get(name, ()))

    async def run(
        self, link: Link, tell_up: Callable[[str], None] | None = None, emit: Emit | None = None
    ) -> None:
        """Until cancelled. Raises Retry, NeedsHuman."""
        async with connect(self.config) as client:
            self._resolver = resolver = Resolver(self.config, self.units)
            self._client, self._writer = client, Writer(client)
            try:
                await self._poll(Branch(link, tell_up, emit), link, client, resolver)
            finally:
                self._client = self._writer = self._resolver = None

    async def _poll(self, branch: Branch, link: Link, client: Client, resolver: Resolver) -> None:
        seen = link.points
        branch.update(await resolver.follow(self.of(seen), link, client))
        self._mark_waiting(branch, resolver)
        lost: Retry | None = None

        async def look_up() -> None:
            nonlocal lost, seen
            try:
                while True:
                    with anyio.move_on_after(RETRY_CHAIN if resolver.waiting else None):
                        await link.changed(seen)
                    seen = link.points
                    branch.update(await resolver.follow(self.of(seen), link, client))
                    self._mark_waiting(branch, resolver)
            except Retry as error:
                lost = error
                group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(look_up)
            try:
                await Poll(self.config, branch, client, self.phase).run()
            except Retry as error:
                lost = error
            group.cancel_scope.cancel()
        if lost is not None:
            raise lost

    def _mark_waiting(self, branch: Branch, resolver: Resolver) -> None:
        if resolver.waiting:
            branch.emit(bad(resolver.waiting, quality.BAD_NO_COMMUNICATION, branch.clock))

    async def write(self, writes: Sequence[Write], link: Link) -> list[int]:
        """One status each. Raises Retry when the line is not up."""
        if self._writer is None or self._resolver is None:
            raise Retry(f"{self.config.host or 'The line'} is not connected: nothing was written.")
        statuses = [quality.BAD_NODE_ID_UNKNOWN] * len(writes)
        orders: list[Order] = []
        for number, write in enumerate(writes):
            try:
                place = self._resolver.place(write.point.address)
            except (NotFound, Invalid):
                continue
            orders.append(Order(number, place, write.value))
        for number, status in (await self._writer.write(orders)).items() if orders else ():
            statuses[number] = status
        return statuses

    async def read(self, points: Sequence[Point], clock: Clock) -> Batch:
        """The points as they are now. Raises Retry when the line is not up."""
        if self._client is None or self._resolver is None:
            raise Retry(f"{self.config.host or 'The line'} is not connected: nothing can be read.")
        asked = Asked(clock)
        asked.points = await self._resolver.follow(points, asked, self._client)
        asked.refused += [(point, quality.BAD_NO_COMMUNICATION) for point in self._resolver.waiting]
        return await read_now(asked, self.config, self._client)


def stations(config: Config) -> list[Station]:
    """The lines of a connection: its own, and those of devices that have a host of theirs."""
    lines: dict[tuple[str, int], dict[str, int]] = {}
    own = (config.host, config.port)
    if config.host or config.serial is not None:
        lines[own] = {"": config.unit}
    for device in config.devices:
        where = (device.host, device.port) if device.host else own
        lines.setdefault(where, {})[device.name] = device.unit
    host = config.host if config.serial is not None else config.host or "-"
    alone = msgspec.structs.replace(config, devices=(), host=host)
    shares = Shares()
    configs = {
        where: alone if where == own else msgspec.structs.replace(alone, host=where[0], port=where[1])
        for where in lines
    }
    return [Station(configs[where], units, shares) for where, units in lines.items()]
