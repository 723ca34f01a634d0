"""What the energy meters show over Modbus: four makes behind one gateway, each with its own idea of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from weft.demo.meters import Meters
from weft.demo.sensor import Place, Sensor
from weft.model import ValueType as T

__all__ = ["CLOCK_REGISTER", "METER_SIGNALS", "PERIOD"]

CLOCK_REGISTER: Final = 0
PERIOD: Final = 1.0  # s


@dataclass(frozen=True, slots=True)
class Make:
    """How one make shows energy: type, Wh per count, word order."""

    energy: T
    count: float
    order: str
    factor: float  # cos phi at full load
    rated: float  # W
    factor_scale: float = 0.001


MAKES: Final = (
    Make(T.UINT64, 1.0, "ABCD", 0.83, 12_000.0),
    Make(T.UINT32, 0.125, "CDAB", 0.97, 25_000.0),
    Make(T.UINT32, 10.0, "DCBA", 0.71, 3_000.0, -0.001),  # fitted the wrong way round, corrected in the plant
    Make(T.UINT64, 0.5, "CDAB", 0.88, 42_000.0),
)


def _power(meters: Meters, i: int) -> float:
    return meters.power[i] * (1.0 + 0.003 * meters.noise(meters.clock, 10 * i))


def _voltage(meters: Meters, i: int, phase: int) -> float:
    sag = 0.00011 * meters.power[3] + 0.00004 * meters.power[i]
    return 231.6 - sag + 0.5 * meters.noise(meters.clock, 10 * i + 1 + phase)


def _factor(meters: Meters, i: int) -> float:
    make = MAKES[i]
    part = min(1.0, meters.power[i] / make.rated)
    return make.factor * (0.62 + 0.38 * part) + 0.004 * meters.noise(meters.clock, 10 * i + 5)


def _current(meters: Meters, i: int) -> float:
    return meters.power[i] / (3.0 * _voltage(meters, i, 0) * _factor(meters, i))


def _phase(i: int, phase: int) -> Sensor[Meters]:
    return Sensor(
        f"voltage-l{phase + 1}",
        T.UINT16,
        lambda m: _voltage(m, i, phase),
        unit="V",
        description=f"Voltage of phase L{phase + 1} to neutral",
        scale=0.1,
        limits={"minimum": 0.0, "low": 207.0, "high": 253.0},
        place=Place(10 + phase, "uint16"),
    )


def _power_signal(i: int) -> Sensor[Meters]:
    make = MAKES[i]
    return Sensor(
        "power",
        T.FLOAT,
        lambda m: _power(m, i),
        unit="W",
        description="Active power",
        limits={"minimum": 0.0, "maximum": make.rated * 1.5},
        place=Place(4, "float32", make.order),
    )


def _energy_signal(i: int) -> Sensor[Meters]:
    make = MAKES[i]
    return Sensor(
        "energy",
        make.energy,
        lambda m: m.energy[i],
        unit="W.h",
        description="Energy since the meter was fitted",
        scale=make.count,
        place=Place(6, "uint64" if make.energy is T.UINT64 else "uint32", make.order),
    )


def _current_signal(i: int) -> Sensor[Meters]:
    return Sensor(
        "current",
        T.UINT32,
        lambda m: _current(m, i),
        unit="A",
        description="Current of phase L1",
        scale=0.001,
        limits={"minimum": 0.0},
        place=Place(13, "uint32", MAKES[i].order),
    )


def _factor_signal(i: int) -> Sensor[Meters]:
    return Sensor(
        "power-factor",
        T.INT16,
        lambda m: _factor(m, i),
        unit="1",
        description="Power factor, negative when capacitive",
        scale=MAKES[i].factor_scale,
        limits={"minimum": -1.0, "maximum": 1.0},
        place=Place(15, "int16"),
    )


FREQUENCY: Final[Sensor[Meters]] = Sensor(
    "frequency",
    T.UINT16,
    lambda m: 50.0 + 0.012 * m.noise(m.clock // 5, 60),
    unit="Hz",
    description="Mains frequency",
    scale=0.001,
    limits={"low": 49.8, "high": 50.2},
    place=Place(16, "uint16"),
)


def _signals(i: int) -> tuple[Sensor[Meters], ...]:
    phases = (_phase(i, phase) for phase in range(3))
    return (
        _power_signal(i),
        _energy_signal(i),
        *phases,
        _current_signal(i),
        _factor_signal(i),
        FREQUENCY,
    )


METER_SIGNALS: Final = tuple(_signals(i) for i in range(len(MAKES)))
