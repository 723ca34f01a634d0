"""The connector: see the package's README for what it does with a device."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from weft.connect.api import Link
from weft.connect.modbus.address import Address as RegisterAddress
from weft.connect.modbus.address import Config as DeviceConfig
from weft.connect.modbus.client import Client, Silence, connect
from weft.connect.modbus.frames import BadFrame, DeviceError, identification, identify, read
from weft.connect.modbus.poll import Poll
from weft.runtime import Retry

__all__ = ["Modbus"]

_PAGES = 4


class Modbus:
    """Modbus TCP, client side: functions 1 to 4 for reading, 43/14 for asking who answers."""

    Config: ClassVar[type[msgspec.Struct]] = DeviceConfig
    Address: ClassVar[type[msgspec.Struct]] = RegisterAddress

    def __init__(self, config: DeviceConfig) -> None:
        self.config = config

    async def run(self, link: Link) -> None:
        async with connect(self.config) as client:
            await Poll(self.config, link, client).run()

    async def probe(self) -> str:
        """Who answers there: vendor, product and revision where the device tells them."""
        where = f"{self.config.host}:{self.config.port}, unit {self.config.unit}"
        async with connect(self.config) as client:
            name = await self._identify(client)
        return (
            f"{name} at {where}" if name else f"A Modbus device answers at {where}; it does not say its name."
        )

    async def _identify(self, client: Client) -> str:
        objects: dict[int, str] = {}
        first: int | None = 0
        try:
            for _ in range(_PAGES):
                if first is None:
                    break
                more, first = identification(await client.ask(self.config.unit, identify(first)))
                objects |= more
        except (DeviceError, BadFrame):
            pass  # it answers, but not to this: few devices know the function
        except Silence:
            await self._answers(client)
        return " ".join(objects[i] for i in sorted(objects) if i < 3 and objects[i])

    async def _answers(self, client: Client) -> None:
        # Some devices say nothing to functions they do not know. To a read every device says something, if
        # only that the register is not there.
        try:
            await client.ask(self.config.unit, read(3, 0, 1))
        except Silence:
            raise Retry(
                f"{client.peer} takes the connection, but unit {self.config.unit} answers nothing within "
                f"{self.config.timeout:g} s.",
                remedy="Is the unit id right?",
            ) from None
