"""Where things are: the factory's paths below its site, and what its machines are called on their networks."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from weft.demo.meter_signals import METER_SIGNALS
from weft.demo.meters import METERS
from weft.demo.sensor import Sensor
from weft.demo.washer_signals import WASHER

__all__ = [
    "LINE",
    "METER_PATHS",
    "MILL_NAME",
    "MILL_PATH",
    "PACKING_PATH",
    "PATHS",
    "ROBOT_NAME",
    "STATIONS",
    "WASHER_PATH",
    "meter_sensors",
    "station_sensors",
    "washer_sensors",
]

LINE: Final = "production/line-1"
MILL_PATH: Final = f"{LINE}/mill"
WASHER_PATH: Final = f"{LINE}/washer"
PACKING_PATH: Final = f"{LINE}/packing"
MILL_NAME: Final = "Mill1"
ROBOT_NAME: Final = "Cell1"
PATHS: Final = {
    "mill": MILL_PATH,
    "washer": WASHER_PATH,
    "packing": PACKING_PATH,
    "lathe": f"{LINE}/lathe",
    "press": f"{LINE}/press",
    "robot": f"{LINE}/robot",
    "inspection": f"{LINE}/inspection",
    "palletiser": f"{LINE}/palletiser",
    "cart": "logistics/cart",
}
STATIONS: Final = ("lathe", "press", "robot", "inspection", "palletiser", "cart")
METER_PATHS: Final = tuple(
    "utilities/power/incoming" if meter == "incoming" else f"{LINE}/{meter}/meter" for meter in METERS
)


def station_sensors(station: str) -> tuple[Sensor[Any], ...]:
    """The sensors of one of :data:`STATIONS`."""
    if station not in STATIONS:
        raise ValueError(f"there is no station {station!r}")
    found: tuple[Sensor[Any], ...] = getattr(import_module(f"weft.demo.{station}_signals"), station.upper())
    return found


def washer_sensors() -> list[tuple[str, Sensor[Any]]]:
    """Signal paths and sensors of the washer."""
    return [(f"{WASHER_PATH}/{sensor.name}", sensor) for sensor in WASHER]


def meter_sensors(meter: int) -> list[tuple[str, Sensor[Any]]]:
    """Signal paths and sensors of one meter, by its place in the list of meters."""
    return [(f"{METER_PATHS[meter]}/{sensor.name}", sensor) for sensor in METER_SIGNALS[meter]]
