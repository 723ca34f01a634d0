"""What lies in data block 10 of the press's controller (S7)."""

from __future__ import annotations

from typing import Any, Final

from weft.demo.machine import CAUSES, STATES, STEP_NS
from weft.demo.press import FORCE, OPEN, Press
from weft.demo.sensor import Sensor
from weft.model import ValueType as T

__all__ = ["BLOCK", "PERIOD", "PRESS", "SIZE"]

BLOCK: Final = 10
SIZE: Final = 118  # bytes
PERIOD: Final = 0.4  # s between two changes of the block
COIL: Final = 10  # characters
_UNIX: Final = 116_444_736_000_000_000  # 1970 in ticks of 100 ns since 1601


def _at(byte: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"db": BLOCK, "offset": byte, "type": kind, **more}


def _noisy(value: float, spread: float, press: Press, channel: int) -> float:
    return round(value + spread * press.noise(press.clock, channel), 3)


def _zones(press: Press) -> tuple[float, ...]:
    """Force at the four columns: the blank never lies quite in the middle."""
    shares = (0.251, 0.249, 0.254, 0.246)
    return tuple(
        float(round(press.force * share * (1.0 + 0.01 * press.noise(press.clock, 10 + i))))
        for i, share in enumerate(shares)
    )


def _last_stroke(press: Press) -> int:
    """In ticks, by the controller's clock."""
    return _UNIX + (press.epoch + press.last_stroke * STEP_NS) // 100


PRESS: Final[tuple[Sensor[Press], ...]] = (
    Sensor(
        "running",
        T.BOOLEAN,
        lambda p: p.running,
        description="It works",
        step=True,
        address=_at(0, "BOOL", bit=0),
    ),
    Sensor(
        "curtain-free",
        T.BOOLEAN,
        lambda p: not p.alarm.startswith("S14"),
        description="Nobody in the light curtain",
        step=True,
        address=_at(0, "BOOL", bit=1),
    ),
    Sensor(
        "die-closed",
        T.BOOLEAN,
        lambda p: p.position < 0.5,
        description="Die closed",
        step=True,
        address=_at(0, "BOOL", bit=3),
    ),
    Sensor(
        "state",
        T.INT16,
        lambda p: int(p.state),
        description="Machine state (PackML)",
        step=True,
        states=STATES,
        address=_at(2, "INT"),
    ),
    Sensor(
        "cause",
        T.INT16,
        lambda p: int(p.cause),
        description="Why it stands",
        step=True,
        states=CAUSES,
        address=_at(4, "INT"),
    ),
    Sensor(
        "force",
        T.FLOAT,
        lambda p: _noisy(p.force, 1.5, p, 1),
        unit="kN",
        description="Press force",
        limits={"minimum": -20.0, "high": 920.0, "maximum": 1200.0},
        address=_at(6, "REAL"),
    ),
    Sensor(
        "peak-force",
        T.FLOAT,
        lambda p: round(p.peak, 1),
        unit="kN",
        description="Highest force of the stroke",
        address=_at(10, "REAL"),
    ),
    Sensor(
        "position",
        T.FLOAT,
        lambda p: round(p.position, 2),
        unit="mm",
        description="Ram above its lower dead centre",
        limits={"minimum": 0.0, "maximum": OPEN + 10.0},
        address=_at(14, "REAL"),
    ),
    Sensor(
        "pressure",
        T.FLOAT,
        lambda p: _noisy(p.pressure, 0.3, p, 2),
        unit="bar",
        description="Hydraulic pressure",
        address=_at(18, "REAL"),
    ),
    Sensor(
        "oil-temperature",
        T.FLOAT,
        lambda p: _noisy(p.oil, 0.05, p, 3),
        unit="Cel",
        description="Hydraulic oil",
        limits={"minimum": 0.0, "high": 62.0, "maximum": 120.0},
        address=_at(22, "REAL"),
    ),
    Sensor(
        "force-setpoint",
        T.FLOAT,
        lambda p: p.setpoint,
        unit="kN",
        description="Force asked for; may be written",
        step=True,
        limits={"minimum": 0.0, "maximum": 1000.0},
        more={"write": {"minimum": FORCE[0], "maximum": FORCE[1], "step": 100.0, "interval": 1.0}},
        address=_at(26, "REAL"),
        command="force",
    ),
    Sensor(
        "strokes",
        T.INT32,
        lambda p: p.strokes,
        unit="1",
        description="Strokes of this press",
        step=True,
        address=_at(30, "DINT"),
    ),
    Sensor(
        "part-count",
        T.INT32,
        lambda p: p.parts,
        unit="1",
        description="Covers made",
        step=True,
        address=_at(34, "DINT"),
    ),
    Sensor(
        "scrap-count",
        T.INT32,
        lambda p: p.scrap,
        unit="1",
        description="Covers split",
        step=True,
        address=_at(38, "DINT"),
    ),
    Sensor(
        "die-wear",
        T.DOUBLE,
        lambda p: 100.0 * p.die,
        unit="%",
        description="Share of the die's life that is used",
        limits={"minimum": 0.0, "high": 95.0},
        address=_at(42, "LREAL"),
    ),
    Sensor(
        "coil",
        T.STRING,
        lambda p: f"{p.coil:08d}",
        description="Coil in use",
        step=True,
        address=_at(50, "STRING", length=COIL),
    ),
    Sensor(
        "last-stroke",
        T.DATETIME,
        _last_stroke,
        description="When the last stroke was",
        step=True,
        address=_at(62, "DTL"),
    ),
    Sensor(
        "column-forces",
        T.INT16,
        _zones,
        unit="kN",
        description="Force at the four columns",
        array=True,
        address=_at(74, "INT", count=4),
    ),
    Sensor(
        "alarm",
        T.STRING,
        lambda p: p.alarm[:32],
        description="Alarm text, empty when none",
        step=True,
        address=_at(82, "STRING", length=32),
    ),
    Sensor(
        "temper",
        T.SBYTE,
        lambda p: round(-8.0 + 4.0 * p.die),
        description="Correction of the blank holder",
        step=True,
        address=_at(116, "SINT"),
    ),
)
