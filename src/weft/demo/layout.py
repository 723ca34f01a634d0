"""Where things are: the factory's paths below its site, and what its machines are called on their networks."""

from __future__ import annotations

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
    "WASHER_PATH",
    "meter_sensors",
    "washer_sensors",
]

LINE: Final = "production/line-1"
MILL_PATH: Final = f"{LINE}/mill"
WASHER_PATH: Final = f"{LINE}/washer"
PACKING_PATH: Final = f"{LINE}/packing"
MILL_NAME: Final = "Mill1"
METER_PATHS: Final = tuple(
    "utilities/power/incoming" if meter == "incoming" else f"{LINE}/{meter}/meter" for meter in METERS
)


def washer_sensors() -> list[tuple[str, Sensor[Any]]]:
    """Signal paths and sensors of the washer."""
    return [(f"{WASHER_PATH}/{sensor.name}", sensor) for sensor in WASHER]


def meter_sensors(meter: int) -> list[tuple[str, Sensor[Any]]]:
    """Signal paths and sensors of one meter, by its place in the list of meters."""
    return [(f"{METER_PATHS[meter]}/{sensor.name}", sensor) for sensor in METER_SIGNALS[meter]]
