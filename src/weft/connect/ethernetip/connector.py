"""The connector: see the package's README for what it does with a controller."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import msgspec

from weft.connect.api import Found, Link, Place, Point, Scope, Write
from weft.connect.ethernetip.address import Address as CipAddress
from weft.connect.ethernetip.address import Config as CipConfig
from weft.connect.ethernetip.driver import Driver, Lost, connect
from weft.connect.ethernetip.listing import listing
from weft.connect.ethernetip.poll import Cycle, Poll, status_of
from weft.connect.ethernetip.types import BadValue, encode
from weft.model import Batch, BatchBuilder, Flag, ValueType, concat, quality
from weft.runtime import Clock, Invalid, Retry, SystemClock

__all__ = ["EtherNetIp"]


class EtherNetIp:
    """Explicit messages of EtherNet/IP, client side."""

    Config: ClassVar[type[msgspec.Struct]] = CipConfig
    Address: ClassVar[type[msgspec.Struct]] = CipAddress
    forgets: ClassVar[bool] = True

    def __init__(self, config: CipConfig) -> None:
        self.config = config
        self._driver: Driver | None = None
        self._clock: Clock = SystemClock()

    async def run(self, link: Link) -> None:
        self._clock = link.clock
        async with connect(self.config) as driver:
            self._driver = driver
            try:
                await Poll(self.config, link, driver).run()
            finally:
                self._driver = None

    async def write(self, writes: Sequence[Write]) -> Sequence[int]:
        """One OPC UA StatusCode each; a write without an answer is BadTimeout and is not sent again."""
        driver = self._up()
        statuses: list[int] = []
        for number, write in enumerate(writes):
            try:
                statuses.append(await _write(driver, write.point.address, write.value))
            except Lost:
                statuses.append(quality.BAD_TIMEOUT)
            except Retry:
                if not number:
                    raise
                statuses.append(quality.BAD_NOT_CONNECTED)
        return statuses

    async def read(self, points: Sequence[Point]) -> Batch:
        """The points as they are now."""
        cycle = Cycle(self._up(), points)
        now = self._clock.now()
        batch = await cycle.read(now, Flag.RECEIVE_TIME)
        missing = BatchBuilder()
        for i, (status, _) in cycle.refused.items():
            missing.add(
                points[i].handle, now, None, ValueType.NULL, status, Flag.RECEIVE_TIME | Flag.SYNTHETIC
            )
        return concat([batch, missing.build(received=now)])

    @classmethod
    def discover(cls, scope: Scope) -> AsyncIterator[Place]:
        """As :class:`~weft.connect.Discovers`."""
        from weft.connect.ethernetip.discover import discover

        return discover(scope)

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """The controller's tags with their present values, members of structures one by one; ``start`` is how their
        names begin (``Program:Main``)."""
        if self.config.controller == "generic":
            raise Invalid(
                "A generic CIP device has no list of tags.", remedy="Its objects are in its manual."
            )
        async with connect(self.config) as driver:
            async for found in listing(driver, start):
                yield found

    async def probe(self) -> str:
        """Product and revision."""
        async with connect(self.config, tags=False) as driver:
            identity = await driver.identity()
        where = f"{self.config.host}:{self.config.port}"
        if len(identity) < 15:
            return f"An EtherNet/IP device answers at {where}; it does not say its name."
        major, minor, _, serial, size = struct.unpack_from("<BBHIB", identity, 6)
        name = identity[15 : 15 + size].decode("latin-1")
        return f"{name} {major}.{minor}, serial {serial:08X}, at {where}"

    def _up(self) -> Driver:
        if self._driver is None:
            raise Retry("The connection is not up: nothing was sent.")
        return self._driver


async def _write(driver: Driver, address: CipAddress, value: Any) -> int:
    if not address.tag:
        return await _write_attribute(driver, address, value)
    result = await driver.write(address.request, value)
    if not result.fault:
        return quality.GOOD
    if "encod" in result.fault.lower() or "writable value" in result.fault.lower():
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
        return quality.BAD_OUT_OF_RANGE if numeric else quality.BAD_TYPE_MISMATCH
    return status_of(result.fault)


async def _write_attribute(driver: Driver, address: CipAddress, value: Any) -> int:
    if address.offset:
        return quality.BAD_NOT_SUPPORTED  # only a whole attribute can be set; the rest of it would be a guess
    try:
        data = encode(value, address.type or "", address.count)
    except BadValue:
        return quality.BAD_TYPE_MISMATCH
    result = await driver.set_attribute(address.place, data)
    # An answer without data is what setting gives.
    return quality.GOOD if result.fault in {"", "no value"} else status_of(result.fault)
