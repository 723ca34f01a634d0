"""The chain of SunSpec models in a device: found at one of three places, followed to its end."""

from __future__ import annotations

from typing import Final

from msgspec import Struct, structs

from weft.connect.modbus.client import Client
from weft.connect.modbus.frames import DeviceError
from weft.connect.modbus.place import Place
from weft.connect.modbus.sunspec import HEADER, Found, Models, expand
from weft.runtime import NotFound

__all__ = ["Chain", "Link", "walk"]

BASES: Final = (40000, 50000, 0)
MARK: Final = b"SunS"
END: Final = 0xFFFF
MOST_MODELS: Final = 300
MOST_REGISTERS: Final = 100  # in one request: some devices refuse more


class Link(Struct, frozen=True):
    """A model of the chain: its number, which of that number it is (from 1), its first register and its points.
    ``missing`` says why there are none."""

    model: int
    occurrence: int
    start: int
    points: dict[str, Found]
    missing: str = ""

    @property
    def name(self) -> str:
        return str(self.model) if self.occurrence == 1 else f"{self.model}#{self.occurrence}"


class Chain(Struct, frozen=True):
    """All models of a unit by name (``103``, ``203#2``)."""

    unit: int
    links: dict[str, Link]

    def place(self, written: str) -> Place:
        """Where a point such as ``103.W`` lies. Raises NotFound with what is there instead."""
        model, _, name = written.partition(".")
        link = self.links.get(model)
        if link is None:
            raise NotFound(
                f"Unit {self.unit} has no SunSpec model {model}; it has {', '.join(self.links) or 'none'}."
            )
        if link.missing:
            raise NotFound(link.missing)
        found = link.points.get(name)
        if found is not None:
            return found.place
        field, _, bit = name.rpartition(".")
        parent = link.points.get(field)
        if parent is not None and bit in parent.bits:
            return structs.replace(parent.place, bit=parent.bits[bit], null=None)
        raise NotFound(f"Model {model} of unit {self.unit} has no point {name!r}.")


async def walk(client: Client, unit: int, models: Models) -> Chain:
    """Follows the chain. Raises NotFound when there is none, and as the client does."""
    at = await _begin(client, unit)
    links: dict[str, Link] = {}
    counts: dict[int, int] = {}
    while len(links) < MOST_MODELS and at + HEADER <= 65536:
        header = await client.read(unit, 3, at, HEADER)
        number, length = int.from_bytes(header[:2], "big"), int.from_bytes(header[2:], "big")
        if number == END or at + HEADER + length > 65536:
            break
        counts[number] = counts.get(number, 0) + 1
        link = await _link(client, unit, models, (number, counts[number], at, length))
        links[link.name] = link
        at += HEADER + length
    return Chain(unit, links)


async def _begin(client: Client, unit: int) -> int:
    for base in BASES:
        try:
            if await client.read(unit, 3, base, 2) == MARK:
                return base + 2
        except DeviceError:
            continue
    raise NotFound(f"Unit {unit} of {client.peer} has no SunSpec map at 40000, 50000 or 0.")


async def _link(client: Client, unit: int, models: Models, where: tuple[int, int, int, int]) -> Link:
    number, occurrence, start, length = where
    try:
        model = models[number]
    except NotFound as error:
        return Link(number, occurrence, start, {}, str(error))
    data = b""
    try:
        for at in range(0, HEADER + length, MOST_REGISTERS):
            data += await client.read(unit, 3, start + at, min(MOST_REGISTERS, HEADER + length - at))
    except DeviceError as error:
        return Link(number, occurrence, start, {}, f"Model {number} of unit {unit} cannot be read: {error}.")
    return Link(number, occurrence, start, {f.name: f for f in expand(model, unit, start, data)})
