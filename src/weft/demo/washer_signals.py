"""What the washer's controller shows over Modbus: an old map, grown over the years, with a habit from every
engineer who touched it (scaled integers, swapped words, packed bits, texts)."""

from __future__ import annotations

from typing import Final

from weft.demo.machine import CAUSES, STATES, Cause
from weft.demo.sensor import Place, Sensor
from weft.demo.washer import LOWEST, SETPOINT, Washer
from weft.model import ValueType as T

__all__ = ["CLOCK_REGISTER", "PERIOD", "WASHER"]

CLOCK_REGISTER: Final = 100
PERIOD: Final = 0.4  # s between two images of the controller

FLAGS: Final = Place(105, "uint16")
PHASES: Final = {0: "empty", 1: "load", 2: "wash", 3: "rinse", 4: "dry", 5: "unload"}
_PHASE: Final = {"": 0, "load": 1, "wash": 2, "rinse": 3, "dry": 4, "unload": 5}


def _temperature(washer: Washer) -> float:
    return washer.temperature + 0.04 * washer.noise(washer.clock, 1)


def _pressure(washer: Washer) -> float:
    return max(0.0, washer.pressure + (0.05 * washer.noise(washer.clock, 2) if washer.spraying else 0.0))


def _humidity(washer: Washer) -> float:
    return 46.0 + 0.45 * (washer.temperature - SETPOINT) + (6.0 if washer.drying else 0.0)


def _flag(bit: int) -> Place:
    return Place(FLAGS.register, FLAGS.kind, bit=bit)


WASHER: Final[tuple[Sensor[Washer], ...]] = (
    Sensor(
        "state",
        T.UINT16,
        lambda w: int(w.state),
        description="Machine state (PackML)",
        step=True,
        states=STATES,
        place=Place(104, "uint16"),
    ),
    Sensor("pump", T.BOOLEAN, lambda w: w.spraying, description="Spray pump runs", step=True, place=_flag(0)),
    Sensor(
        "heater", T.BOOLEAN, lambda w: w.heater, description="Tank heater is on", step=True, place=_flag(1)
    ),
    Sensor(
        "dryer", T.BOOLEAN, lambda w: w.drying, description="Hot-air dryer runs", step=True, place=_flag(2)
    ),
    Sensor(
        "dosing",
        T.BOOLEAN,
        lambda w: w.renewing,
        description="Bath is being renewed",
        step=True,
        place=_flag(3),
    ),
    Sensor(
        "fault",
        T.BOOLEAN,
        lambda w: w.cause is Cause.BREAKDOWN,
        description="Collective fault",
        step=True,
        place=_flag(15),
    ),
    Sensor(
        "phase",
        T.UINT16,
        lambda w: _PHASE[w.phase],
        description="Step of the washing programme",
        step=True,
        states=PHASES,
        place=Place(105, "uint16", bits=(4, 3)),
    ),
    Sensor(
        "cause",
        T.UINT16,
        lambda w: int(w.cause),
        description="Why it stands",
        step=True,
        states=CAUSES,
        place=Place(105, "uint16", bits=(8, 4)),
    ),
    Sensor(
        "bath-temperature",
        T.UINT16,
        _temperature,
        unit="Cel",
        description="Temperature of the washing bath",
        scale=0.05,
        offset=-40.0,
        limits={"low": LOWEST, "high": 63.0, "maximum": 95.0},
        place=Place(106, "uint16"),
    ),
    Sensor(
        "setpoint",
        T.INT16,
        lambda w: SETPOINT,
        unit="Cel",
        description="Wanted temperature of the bath",
        scale=0.1,
        step=True,
        place=Place(107, "int16"),
    ),
    Sensor(
        "pressure",
        T.FLOAT,
        lambda w: round(_pressure(w), 2),
        unit="bar",
        description="Pressure before the spray arms",
        limits={"minimum": 0.0, "high": 4.9, "maximum": 10.0},
        place=Place(108, "float32", "CDAB"),
    ),
    Sensor(
        "flow",
        T.INT16,
        lambda w: w.flow,
        unit="L/min",
        description="Flow through the spray arms",
        scale=0.1,
        limits={"minimum": 0.0},
        place=Place(110, "int16", "BADC"),
    ),
    Sensor(
        "ambient-temperature",
        T.INT16,
        lambda w: -3.5 + 0.4 * w.noise(w.clock // 50, 3),
        unit="Cel",
        description="Outside air at the dryer's inlet, in winter",
        scale=0.1,
        place=Place(111, "int16"),
    ),
    Sensor(
        "conductivity",
        T.UINT32,
        lambda w: w.conductivity + 0.4 * w.noise(w.clock, 4),
        unit="uS/cm",
        description="Conductivity of the bath: soil and detergent",
        scale=0.01,
        limits={"minimum": 0.0, "high": 1520.0},
        place=Place(112, "uint32", "CDAB"),
    ),
    Sensor(
        "level",
        T.DOUBLE,
        lambda w: round(w.level, 3),
        unit="%",
        description="Level of the tank",
        limits={"minimum": 0.0, "low": 60.0, "maximum": 100.0},
        place=Place(114, "float64", "DCBA"),
    ),
    Sensor(
        "filter",
        T.FLOAT,
        lambda w: round(100.0 * w.clogging, 1),
        unit="%",
        description="Share of the filter that is clogged",
        limits={"minimum": 0.0, "high": 85.0, "maximum": 100.0},
        place=Place(118, "float32", "BADC"),
    ),
    Sensor(
        "cycle-count",
        T.UINT32,
        lambda w: w.cycles,
        unit="1",
        description="Baskets washed",
        step=True,
        place=Place(120, "uint32", "DCBA"),
    ),
    Sensor(
        "washed-count",
        T.UINT64,
        lambda w: w.washed,
        unit="1",
        description="Parts washed",
        step=True,
        place=Place(122, "uint64", "CDAB"),
    ),
    Sensor(
        "balance",
        T.INT32,
        lambda w: len(w.outfeed) - len(w.infeed),
        unit="1",
        description="Parts waiting after the washer less those before it",
        step=True,
        place=Place(126, "int32", "CDAB"),
    ),
    Sensor(
        "batch",
        T.STRING,
        lambda w: w.batch,
        description="Number of the basket",
        step=True,
        place=Place(128, "string", length=4),
    ),
    Sensor(
        "alarm",
        T.STRING,
        lambda w: w.alarm,
        description="Alarm text, empty when none",
        step=True,
        place=Place(132, "string", "BADC", length=16),
    ),
    Sensor(
        "humidity",
        T.UINT16,
        _humidity,
        unit="%",
        description="Relative humidity of the exhaust air",
        scale=0.1,
        limits={"minimum": 0.0, "maximum": 100.0},
        place=Place(150, "uint16"),
    ),
)
