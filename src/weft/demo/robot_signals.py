"""What the robot cell's control shows over OPC UA."""

from __future__ import annotations

from typing import Final

from weft.demo.machine import CAUSES, STATES
from weft.demo.robot import JOINTS, MOVES, OVERRIDE, TIGHT, Robot
from weft.demo.sensor import Sensor
from weft.model import ValueType as T

__all__ = ["METHODS", "ROBOT"]

METHODS: Final = ("start", "stop", "reset")
PROGRAM: Final = "ASSEMBLE-A"


def _joint(number: int) -> Sensor[Robot]:
    return Sensor(
        f"joint-{number}",
        T.DOUBLE,
        lambda r: round(r.joints[number - 1] + 0.002 * r.noise(r.clock, number), 4),
        unit="deg",
        description=f"Position of joint {number}",
        limits={"minimum": -185.0, "maximum": 185.0},
    )


def _motor(number: int) -> Sensor[Robot]:
    return Sensor(
        f"motor-{number}-temperature",
        T.FLOAT,
        lambda r: round(r.motors[number - 1] + 0.05 * r.noise(r.clock, 10 + number), 1),
        unit="Cel",
        description=f"Temperature of motor {number}",
        every=1.0,
        limits={"minimum": 0.0, "high": 80.0, "maximum": 120.0},
    )


def _move(robot: Robot) -> str:
    return MOVES[robot.move].name if robot.held else ""


def _tool(robot: Robot) -> int:
    return MOVES[robot.move].tool


def _program(robot: Robot) -> str:
    return PROGRAM if robot.held else ""


def _torque(robot: Robot) -> float:
    return round(robot.torque + 0.04 * robot.noise(robot.clock, 20), 2) if robot.torque else 0.0


def _torques(robot: Robot) -> tuple[float, ...]:
    weights = (12.0, 60.0, 35.0, 6.0, 8.0, 2.0)
    loads = (robot.speed * w * (1.0 + 0.05 * robot.noise(robot.clock, 30 + i)) for i, w in enumerate(weights))
    return tuple(round(load, 2) for load in loads)


ROBOT: Final[tuple[Sensor[Robot], ...]] = (
    Sensor(
        "state",
        T.INT32,
        lambda r: int(r.state),
        description="Machine state (PackML)",
        step=True,
        states=STATES,
    ),
    Sensor("cause", T.INT32, lambda r: int(r.cause), description="Why it stands", step=True, states=CAUSES),
    Sensor("alarm", T.STRING, lambda r: r.alarm, description="Alarm text, empty when none", step=True),
    Sensor(
        "mode",
        T.INT32,
        lambda r: r.mode,
        description="Operating mode",
        step=True,
        states={1: "manual", 2: "automatic"},
    ),
    Sensor("program", T.STRING, _program, description="Program that runs", step=True),
    Sensor("move", T.STRING, _move, description="Move of the program", step=True),
    Sensor("tool", T.BYTE, _tool, description="Tool at the flange", step=True),
    Sensor(
        "speed-override",
        T.DOUBLE,
        lambda r: r.override,
        unit="%",
        description="Share of the programmed speed; may be written",
        step=True,
        limits={"minimum": 0.0, "maximum": 100.0},
        more={"write": {"minimum": OVERRIDE[0], "maximum": OVERRIDE[1], "interval": 0.5, "logic": True}},
        command="override",
    ),
    *(_joint(number) for number in range(1, JOINTS + 1)),
    *(_motor(number) for number in range(1, JOINTS + 1)),
    Sensor(
        "joint-torques",
        T.DOUBLE,
        _torques,
        unit="N.m",
        description="Torques of the six joints",
        every=1.0,
        array=True,
    ),
    Sensor(
        "screw-torque",
        T.FLOAT,
        _torque,
        unit="N.m",
        description="Torque of the screwdriver",
        limits={"minimum": -1.0, "high": TIGHT * 1.05, "maximum": 20.0},
    ),
    Sensor(
        "screw-angle",
        T.FLOAT,
        lambda r: round(r.angle, 1),
        unit="deg",
        description="Angle of the screwdriver",
    ),
    Sensor("serial", T.STRING, lambda r: r.serial, description="Housing in the cell", step=True),
    Sensor(
        "cycle-time",
        T.DOUBLE,
        lambda r: round(r.cycle_time, 1),
        unit="s",
        description="Duration of the last cycle",
        step=True,
    ),
    Sensor("made-count", T.UINT32, lambda r: r.made, unit="1", description="Assemblies made", step=True),
    Sensor(
        "scrap-count", T.UINT32, lambda r: r.scrap, unit="1", description="Assemblies scrapped", step=True
    ),
)
