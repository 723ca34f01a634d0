"""What the packing machine says over MQTT: one JSON object per event, and one per second.

Topic          when                       time
packing/state  a change, and every 30 s   ``ts``, RFC 3339
packing/part   a part was inspected       ``ts``, RFC 3339
packing/pack   a pack was closed          ``ts``, ms since 1970
packing/process  every second             ``ts``, ms since 1970
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from weft.demo.machine import CAUSES, STATES
from weft.demo.packing import ROLL, Packing
from weft.demo.sensor import Sensor
from weft.model import ValueType as T

__all__ = ["MESSAGES", "PACKING", "PREFIX", "Message"]

PREFIX: Final = "factory/line-1/packing"


@dataclass(frozen=True, slots=True)
class Message:
    """One kind of message: sent ``every`` so many s (0: only on the kernel's event of that ``event``)."""

    topic: str
    event: tuple[str, ...]
    every: float
    iso: bool


MESSAGES: Final = (
    Message("state", ("state",), 30.0, iso=True),
    Message("part", ("inspected", "reject"), 0.0, iso=True),
    Message("pack", ("pack",), 0.0, iso=False),
    Message("process", (), 1.0, iso=False),
)


def _serial(packing: Packing) -> str:
    return packing.last.serial if packing.last else ""


def _deviation(packing: Packing) -> float:
    return packing.last.deviation if packing.last else 0.0


def _current(packing: Packing) -> float:
    return round(0.9 + 0.21 * packing.speed + 0.05 * packing.noise(packing.clock, 1), 3)


PACKING: Final[tuple[Sensor[Packing], ...]] = (
    Sensor(
        "state",
        T.INT32,
        lambda p: int(p.state),
        description="Machine state (PackML)",
        step=True,
        states=STATES,
        topic="state",
        key="state",
    ),
    Sensor(
        "cause",
        T.INT32,
        lambda p: int(p.cause),
        description="Why it stands",
        step=True,
        states=CAUSES,
        topic="state",
        key="cause",
    ),
    Sensor(
        "alarm",
        T.STRING,
        lambda p: p.alarm,
        description="Alarm text, empty when none",
        step=True,
        topic="state",
        key="alarm",
    ),
    Sensor(
        "serial", T.STRING, _serial, description="Part inspected last", step=True, topic="part", key="serial"
    ),
    Sensor(
        "good", T.BOOLEAN, lambda p: p.last_good, description="It was good", step=True, topic="part", key="ok"
    ),
    Sensor(
        "deviation",
        T.DOUBLE,
        _deviation,
        unit="um",
        description="Measured deviation from the drawing",
        step=True,
        limits={"low": -25.0, "high": 25.0},
        topic="part",
        key="camera.deviation",
    ),
    Sensor(
        "inspected-count",
        T.UINT32,
        lambda p: p.inspected,
        unit="1",
        description="Parts inspected",
        step=True,
        topic="part",
        key="count.inspected",
    ),
    Sensor(
        "reject-count",
        T.UINT32,
        lambda p: p.rejects,
        unit="1",
        description="Parts rejected",
        step=True,
        topic="part",
        key="count.rejected",
    ),
    Sensor(
        "pack-code",
        T.STRING,
        lambda p: p.code,
        description="Code of the pack",
        step=True,
        topic="pack",
        key="code",
    ),
    Sensor(
        "pack-count",
        T.UINT32,
        lambda p: p.packs,
        unit="1",
        description="Packs closed",
        step=True,
        topic="pack",
        key="packs",
    ),
    Sensor(
        "pack-weight",
        T.DOUBLE,
        lambda p: p.weight,
        unit="kg",
        description="Weight of the pack",
        step=True,
        limits={"low": 67.0, "high": 68.0},
        topic="pack",
        key="weight",
    ),
    Sensor(
        "speed",
        T.DOUBLE,
        lambda p: round(p.speed, 2),
        unit="m/min",
        description="Speed of the belt",
        limits={"minimum": 0.0, "maximum": 30.0},
        topic="process",
        key="speed",
    ),
    Sensor(
        "motor-current",
        T.DOUBLE,
        _current,
        unit="A",
        description="Current of the belt's motor",
        limits={"minimum": 0.0, "high": 6.0},
        topic="process",
        key="motor.current",
    ),
    Sensor(
        "motor-temperature",
        T.DOUBLE,
        lambda p: round(p.motor, 2),
        unit="Cel",
        description="Temperature of the belt's motor",
        limits={"high": 80.0},
        topic="process",
        key="motor.temperature",
    ),
    Sensor(
        "jaw-temperature",
        T.DOUBLE,
        lambda p: round(p.jaw + 0.08 * p.noise(p.clock, 2), 1),
        unit="Cel",
        description="Temperature of the sealing jaws",
        limits={"low": 140.0, "high": 160.0},
        topic="process",
        key="jaw",
    ),
    Sensor(
        "film",
        T.DOUBLE,
        lambda p: round(p.film, 2),
        unit="m",
        description="Film left on the roll",
        limits={"minimum": 0.0, "low": 3.0, "maximum": ROLL},
        topic="process",
        key="film",
    ),
    Sensor(
        "infeed",
        T.INT32,
        lambda p: len(p.infeed),
        unit="1",
        description="Parts waiting before the machine",
        step=True,
        topic="process",
        key="infeed",
    ),
)
