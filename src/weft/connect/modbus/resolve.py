"""From what a plant's folder says to registers: names of the own map, and SunSpec points by walking the chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from weft.connect.api import Link, Point
from weft.connect.modbus import csvmap
from weft.connect.modbus.address import Address, Config
from weft.connect.modbus.chain import Chain, walk
from weft.connect.modbus.client import Client, Silence
from weft.connect.modbus.frames import DeviceError
from weft.connect.modbus.place import Place
from weft.connect.modbus.sunspec import Models
from weft.model import quality
from weft.runtime import Invalid, NotFound, Retry

__all__ = ["RETRY_CHAIN", "Resolver"]

RETRY_CHAIN: Final = 10.0


class Resolver:
    """Of one line. ``units`` are the unit ids by device's name, the empty name being the connection's own.
    ``waiting`` are points whose unit has not said yet which models it has."""

    def __init__(self, config: Config, units: dict[str, int]) -> None:
        self.waiting: list[Point] = []
        self._config = config
        self._units = units
        self._map = csvmap.load(config.map) if config.map else {}
        self._models = Models(config.sunspec_models) if config.sunspec_models else None
        self._chains: dict[int, Chain] = {}
        self._without: dict[int, NotFound] = {}

    async def follow(self, points: Sequence[Point], link: Link, client: Client) -> tuple[Point, ...]:
        """The points with their places. One that cannot be found is refused; one whose unit does not answer now
        is bad and ``waiting``. Raises Retry."""
        self.waiting = []
        silent: set[int] = set()
        found: list[Point] = []
        for point in points:
            address: Address = point.address
            unit = self.unit(address)
            if address.sunspec and unit in silent:
                self.waiting.append(point)
                continue
            try:
                if address.sunspec and unit not in self._chains:
                    await self._walk(unit, client)
                found.append(msgspec.structs.replace(point, address=self.place(address)))
            except (NotFound, Invalid) as error:
                link.refuse(point, quality.BAD_NODE_ID_UNKNOWN, str(error))
            except (Silence, DeviceError):
                silent.add(unit)
                self.waiting.append(point)
        if self.waiting and not found:
            raise Retry(f"{client.peer} does not say which SunSpec models it has.")
        return tuple(found)

    def unit(self, address: Address) -> int:
        return self._units.get(address.device, 1) if address.unit is None else address.unit

    def place(self, address: Address) -> Place:
        """Raises NotFound, and Invalid when the connection lacks what the address needs."""
        unit = self.unit(address)
        if address.name:
            entry = self._map.get(address.name)
            if entry is None:
                raise NotFound(
                    f"The register map {self._config.map or '(none is given)'} has no {address.name!r}."
                )
            return entry.place(unit)
        if not address.sunspec:
            return address.place(unit)
        if unit in self._without:
            raise self._without[unit]
        if unit not in self._chains:
            raise NotFound(f"Unit {unit} has not said which SunSpec models it has.")
        return self._chains[unit].place(address.sunspec)

    @property
    def entries(self) -> dict[str, csvmap.Entry]:
        """The own map."""
        return self._map

    async def chain(self, unit: int, client: Client) -> Chain:
        """Raises NotFound, Invalid, DeviceError, Silence, Retry."""
        await self._walk(unit, client)
        if unit in self._without:
            raise self._without[unit]
        return self._chains[unit]

    async def _walk(self, unit: int, client: Client) -> None:
        if self._models is None:
            raise Invalid(
                "SunSpec points need the models' definitions.",
                remedy="Name the folder of model_*.json in sunspec_models.",
            )
        if unit in self._without:
            return
        try:
            self._chains[unit] = await walk(client, unit, self._models)
        except NotFound as error:
            self._without[unit] = error
