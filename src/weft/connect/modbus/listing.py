"""What can be listed: the own map, and the SunSpec points that a device has. Modbus itself has no list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from weft.connect.api import Found, Point
from weft.connect.modbus.address import Config
from weft.connect.modbus.asked import Asked, read_now
from weft.connect.modbus.chain import Chain
from weft.connect.modbus.chain import Link as ModelLink
from weft.connect.modbus.client import Client, Silence, connect
from weft.connect.modbus.csvmap import Entry
from weft.connect.modbus.frames import DeviceError
from weft.connect.modbus.place import Place
from weft.connect.modbus.resolve import Resolver
from weft.connect.modbus.station import Station
from weft.connect.modbus.sunspec import Found as SunSpecPoint
from weft.model import Batch
from weft.runtime import Invalid, NotFound, Retry, SystemClock

__all__ = ["listing"]


async def listing(config: Config, stations: Sequence[Station], device: str) -> AsyncIterator[Found]:
    """Of one device. Raises Invalid when there is nothing to list from, NotFound for another name, Retry."""
    if not config.map and not config.sunspec_models:
        raise Invalid(
            "A Modbus device cannot say which registers it has.",
            remedy="Give a register map (map) or the folder of SunSpec models (sunspec_models).",
        )
    station, name, unit = _chosen(stations, device)
    resolver = Resolver(station.config, station.units)
    async with connect(station.config) as client:
        items = [_of_entry(entry, entry.place(unit), name) for entry in resolver.entries.values()]
        if config.sunspec_models:
            items += await _sunspec(resolver, unit, client, name)
        batch = await _values([place for _, place in items], station, client)
    values = {row.signal: row for row in batch}
    for number, (found, place) in enumerate(items):
        row = values.get(number)
        more: dict[str, Any] = {} if row is None else {"value": row.value, "status": row.status}
        yield Found(type=place.value_type, **found, **more)


def _chosen(stations: Sequence[Station], device: str) -> tuple[Station, str, int]:
    for station in stations:
        for name, unit in station.units.items():
            if name == device or not device:
                return station, name, unit
    raise NotFound(f"The connection has no device {device!r}.")


async def _sunspec(
    resolver: Resolver, unit: int, client: Client, device: str
) -> list[tuple[dict[str, Any], Place]]:
    try:
        chain: Chain = await resolver.chain(unit, client)
    except NotFound:
        if resolver.entries:
            return []  # a device with a map of its own need not be a SunSpec device
        raise
    except (Silence, DeviceError) as error:
        raise Retry(
            f"Unit {unit} of {client.peer} does not say which SunSpec models it has: {error}."
        ) from error
    return [
        _of_point(link, found, device)
        for link in chain.links.values()
        for found in link.points.values()
        if found.name not in {"ID", "L"} and found.point.type != "sunssf"
    ]


def _of_entry(entry: Entry, place: Place, device: str) -> tuple[dict[str, Any], Place]:
    return {
        "name": entry.name,
        "address": {"name": entry.name} | _device(device),
        "unit": entry.unit,
        "description": entry.description,
        "states": entry.states,
        "writable": not place.read_only,
    }, place


def _of_point(link: ModelLink, found: SunSpecPoint, device: str) -> tuple[dict[str, Any], Place]:
    point = found.point
    words = [point.desc or point.label]
    if found.bits:
        words.append("bits: " + ", ".join(f"{bit} {name}" for name, bit in found.bits.items()))
    if point.units and not found.unit:
        words.append(f"unit: {point.units.strip()}")
    return {
        "name": found.name,
        "folder": link.name,
        "address": {"sunspec": f"{link.name}.{found.name}"} | _device(device),
        "unit": found.unit,
        "description": "; ".join(word for word in words if word),
        "states": found.states,
        "writable": not found.place.read_only,
    }, found.place


def _device(name: str) -> dict[str, str]:
    return {"device": name} if name else {}


async def _values(places: Sequence[Place], station: Station, client: Client) -> Batch:
    asked = Asked(SystemClock())
    asked.points = tuple(Point(i, str(i), place) for i, place in enumerate(places))
    return await read_now(asked, station.config, client)
