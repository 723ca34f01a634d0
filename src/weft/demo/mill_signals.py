"""What the mill's control shows over OPC UA."""

from __future__ import annotations

import math
from typing import Final

from weft.demo.machine import CAUSES, STATES
from weft.demo.mill import Mill, wear_land
from weft.demo.sensor import Sensor
from weft.model import ValueType as T

__all__ = ["MILL"]


def _cutting(mill: Mill) -> float:
    return mill.cut.vibration


def _vibration(mill: Mill) -> float:
    quiet = 0.25 + mill.speed * 9e-5
    return max(0.05, quiet + _cutting(mill) * (1.0 + 1.6 * mill.used**3) + 0.09 * mill.noise(mill.clock, 1))


def _shake(mill: Mill) -> float:
    """One sample of the accelerometer, not its mean: it swings around zero."""
    depth = 0.4 + 2.1 * _cutting(mill) + mill.speed * 2e-4
    return depth * (math.sin(mill.clock * 1.7) + 0.6 * mill.noise(mill.clock, 2))


def _load(mill: Mill) -> float:
    if mill.speed < 1.0 and mill.load < 0.2:
        return 0.0
    return max(0.0, mill.load * (1.0 + 0.022 * mill.noise(mill.clock, 3)) + 0.15 * mill.noise(mill.clock, 4))


def _speed(mill: Mill) -> float:
    return mill.speed + 1.8 * mill.noise(mill.clock, 5) if mill.speed > 0.0 else 0.0


def _axis(mill: Mill, reach: float, turn: float, park: float) -> float:
    if not mill.cut.feed:
        return park
    return reach * math.sin(mill.progress * turn)


def _depth(mill: Mill) -> float:
    return -34.0 * mill.progress / len(mill.cuts) if mill.cut.wear else 150.0


def _lag(mill: Mill) -> float:
    """Following error of the axes: with the sign of the motion."""
    if not mill.cut.feed:
        return 0.0
    return 0.004 * mill.cut.feed * math.cos(mill.progress * 0.31) + 1.2 * mill.noise(mill.clock, 6)


def _block(mill: Mill) -> int:
    return 10 * mill.progress if mill.running else 0


MILL: Final[tuple[Sensor[Mill], ...]] = (
    Sensor(
        "state",
        T.INT32,
        lambda m: int(m.state),
        description="Machine state (PackML)",
        step=True,
        states=STATES,
    ),
    Sensor(
        "cause",
        T.BYTE,
        lambda m: int(m.cause),
        description="Why it stands",
        step=True,
        states=CAUSES,
    ),
    Sensor(
        "alarm",
        T.STRING,
        lambda m: m.alarm,
        description="Alarm text of the control, empty when none",
        step=True,
    ),
    Sensor("programme", T.STRING, lambda m: m.programme.name, description="Selected NC programme", step=True),
    Sensor("block", T.UINT32, _block, description="NC block being run", step=True),
    Sensor("part-count", T.UINT32, lambda m: m.parts, unit="1", description="Parts made", step=True),
    Sensor("scrap-count", T.UINT32, lambda m: m.scrap, unit="1", description="Parts lost", step=True),
    Sensor(
        "serial",
        T.STRING,
        lambda m: m.serial or m.last_serial,
        description="Serial number of the part",
        step=True,
    ),
    Sensor(
        "door", T.BOOLEAN, lambda m: m.progress < 12 and m.cut.wear == 0.0, description="Door open", step=True
    ),
    Sensor("tool", T.UINT16, lambda m: m.tool, description="Tool in the spindle", step=True),
    Sensor(
        "tool-changes", T.UINT32, lambda m: m.tools, unit="1", description="Worn tools changed", step=True
    ),
    Sensor(
        "spindle-load",
        T.DOUBLE,
        lambda m: round(_load(m), 2),
        unit="%",
        description="Load of the spindle drive",
        limits={"minimum": 0.0, "high": 95.0, "maximum": 150.0},
    ),
    Sensor(
        "spindle-speed",
        T.DOUBLE,
        lambda m: round(_speed(m), 1),
        unit="/min",
        description="Speed of the spindle",
        limits={"minimum": 0.0, "maximum": 12000.0},
    ),
    Sensor(
        "feed",
        T.FLOAT,
        lambda m: m.cut.feed,
        unit="mm/min",
        description="Path feed",
        step=True,
        limits={"minimum": 0.0, "maximum": 10000.0},
    ),
    Sensor(
        "x",
        T.DOUBLE,
        lambda m: round(_axis(m, 120.0, 0.31, 0.0), 3),
        unit="mm",
        description="Position of axis X",
    ),
    Sensor(
        "y",
        T.DOUBLE,
        lambda m: round(_axis(m, 80.0, 0.17, 210.0), 3),
        unit="mm",
        description="Position of axis Y",
    ),
    Sensor("z", T.DOUBLE, lambda m: round(_depth(m), 3), unit="mm", description="Position of axis Z"),
    Sensor("following-error", T.INT32, _lag, unit="um", description="Following error of axis X"),
    Sensor(
        "vibration-x",
        T.FLOAT,
        lambda m: round(_shake(m), 3),
        unit="m/s2",
        description="Acceleration at the spindle, momentary",
    ),
    Sensor(
        "vibration-rms",
        T.FLOAT,
        lambda m: round(_vibration(m), 2),
        unit="mm/s",
        description="Vibration velocity at the spindle, rms",
        every=0.4,
        limits={"minimum": 0.0, "high": 7.1, "maximum": 50.0},
    ),
    Sensor(
        "tool-wear",
        T.DOUBLE,
        lambda m: round(wear_land(m.used), 1),
        unit="um",
        description="Flank wear of the tool in use, by the control's model",
        every=1.0,
        limits={"minimum": 0.0, "high": 285.0},
    ),
    Sensor(
        "spindle-temperature",
        T.FLOAT,
        lambda m: round(m.spindle_temperature + 0.03 * m.noise(m.clock, 7), 1),
        unit="Cel",
        description="Temperature of the spindle's front bearing",
        every=1.0,
        limits={"high": 55.0, "maximum": 120.0},
    ),
    Sensor(
        "coolant-temperature",
        T.FLOAT,
        lambda m: round(m.coolant_temperature + 0.03 * m.noise(m.clock, 8), 2),
        unit="Cel",
        description="Temperature of the coolant in the tank",
        every=2.0,
        limits={"high": 32.0},
    ),
    Sensor(
        "coolant-level",
        T.FLOAT,
        lambda m: round(m.coolant, 1),
        unit="%",
        description="Level of the coolant tank",
        every=2.0,
        limits={"minimum": 0.0, "low": 40.0, "maximum": 100.0},
    ),
    Sensor(
        "outfeed",
        T.UINT16,
        lambda m: len(m.outfeed),
        unit="1",
        description="Parts on the conveyor to the washer",
        step=True,
        limits={"minimum": 0.0, "maximum": 8.0},
    ),
)
