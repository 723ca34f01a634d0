"""The tags of the palletiser's controller (EtherNet/IP)."""

from __future__ import annotations

from typing import Any, Final

from weft.demo.machine import CAUSES, STATES
from weft.demo.palletiser import SPEED, ZONES, Palletiser
from weft.demo.sensor import Sensor
from weft.model import ValueType as T

__all__ = ["LOGIX", "PALLETISER", "PERIOD", "PROGRAM"]

PERIOD: Final = 0.4  # s between two changes of the tags
PROGRAM: Final = "Main"
# What the controller calls the types of the sensors.
LOGIX: Final = {
    T.BOOLEAN: "BOOL",
    T.INT16: "INT",
    T.INT32: "DINT",
    T.UINT32: "DWORD",
    T.FLOAT: "REAL",
    T.DOUBLE: "LREAL",
    T.STRING: "STRING",
}


def _tag(name: str, **more: Any) -> dict[str, Any]:
    return {"tag": name, **more}


def _main(name: str) -> dict[str, Any]:
    return {"tag": f"Program:{PROGRAM}.{name}"}


def _currents(palletiser: Palletiser) -> tuple[float, ...]:
    return tuple(
        round(current + 0.02 * palletiser.noise(palletiser.clock, 1 + zone), 3)
        for zone, current in enumerate(palletiser.currents)
    )


def _zones(palletiser: Palletiser) -> tuple[float, ...]:
    return tuple(float(palletiser.occupied >> zone & 1) for zone in range(ZONES))


PALLETISER: Final[tuple[Sensor[Palletiser], ...]] = (
    Sensor(
        "running", T.BOOLEAN, lambda p: p.running, description="It works", step=True, address=_tag("Running")
    ),
    Sensor(
        "state",
        T.INT32,
        lambda p: int(p.state),
        description="Machine state (PackML)",
        step=True,
        states=STATES,
        address=_main("State"),
    ),
    Sensor(
        "cause",
        T.INT32,
        lambda p: int(p.cause),
        description="Why it stands",
        step=True,
        states=CAUSES,
        address=_main("Cause"),
    ),
    Sensor(
        "step-of-work",
        T.INT16,
        lambda p: p.step_of_work,
        description="Step of the sequence",
        step=True,
        states={0: "waits", 10: "conveys", 20: "lifts", 30: "changes pallet"},
        address=_main("Step"),
    ),
    Sensor(
        "alarm",
        T.STRING,
        lambda p: p.alarm,
        description="Alarm text, empty when none",
        step=True,
        address=_main("Alarm"),
    ),
    Sensor(
        "speed-setpoint",
        T.FLOAT,
        lambda p: p.setpoint,
        unit="m/s",
        description="Speed asked for; may be written",
        step=True,
        limits={"minimum": 0.0, "maximum": 1.0},
        more={"write": {"minimum": SPEED[0], "maximum": SPEED[1], "interval": 0.5, "logic": True}},
        address=_tag("SpeedSetpoint"),
        command="speed",
    ),
    Sensor(
        "speed",
        T.FLOAT,
        lambda p: round(max(0.0, p.speed + 0.002 * p.noise(p.clock, 20)), 4) if p.speed > 0.001 else 0.0,
        unit="m/s",
        description="Speed of the conveyor",
        limits={"minimum": 0.0, "maximum": 1.0},
        address=_tag("Speed"),
    ),
    Sensor(
        "zone-currents",
        T.FLOAT,
        _currents,
        unit="A",
        description="Current of each zone's drive",
        array=True,
        address=_tag("ZoneCurrents", count=ZONES),
    ),
    Sensor(
        "zone-3-current",
        T.FLOAT,
        lambda p: _currents(p)[2],
        unit="A",
        description="Current of zone 3, whose eye gets dirty",
        limits={"minimum": 0.0, "high": 4.0, "maximum": 8.0},
        address=_tag("ZoneCurrents[2]"),
    ),
    Sensor(
        "zones-occupied",
        T.INT16,
        _zones,
        description="1 where a pack is",
        step=True,
        array=True,
        address=_tag("ZonesOccupied", count=ZONES),
    ),
    Sensor(
        "motor-temperature",
        T.FLOAT,
        lambda p: round(p.motor + 0.04 * p.noise(p.clock, 21), 2),
        unit="Cel",
        description="Main drive",
        limits={"minimum": 0.0, "high": 70.0, "maximum": 120.0},
        address=_tag("Motor.Temperature"),
    ),
    Sensor(
        "vacuum",
        T.FLOAT,
        lambda p: round(p.vacuum + 1.5 * p.noise(p.clock, 22), 1),
        unit="mbar",
        description="Vacuum of the gripper",
        limits={"minimum": -1000.0, "maximum": 100.0},
        address=_tag("Motor.Vacuum"),
    ),
    Sensor(
        "pack",
        T.STRING,
        lambda p: p.pack,
        description="Pack on the conveyor",
        step=True,
        address=_tag("Pack"),
    ),
    Sensor(
        "layer",
        T.INT32,
        lambda p: len(p.pallet),
        unit="1",
        description="Packs on the pallet",
        step=True,
        address=_tag("Layer"),
    ),
    Sensor(
        "pallet-count",
        T.INT32,
        lambda p: p.pallets,
        unit="1",
        description="Pallets made",
        step=True,
        address=_tag("Pallets"),
    ),
    Sensor(
        "pack-count",
        T.INT32,
        lambda p: p.palletised,
        unit="1",
        description="Packs on pallets",
        step=True,
        address=_tag("Packs"),
    ),
)
