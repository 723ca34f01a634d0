"""The robot cell: puts a shaft and a cover into each housing, and screws them together."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final, NamedTuple

from weft.demo.flow import Buffer, Part
from weft.demo.machine import STEP, Cause, Machine, State, Trouble, steps

__all__ = ["JOINTS", "OVERRIDE", "Robot"]

JOINTS: Final = 6
OVERRIDE: Final = (10.0, 100.0)  # % of the programmed speed that may be asked for
TIGHT: Final = 12.0  # N.m
AMBIENT: Final = 22.0
HOT: Final = 85.0  # Cel of a motor at which the cell stops itself


class Move(NamedTuple):
    """To a pose (degrees of the six joints) with a tool, in so many seconds at full speed."""

    name: str
    seconds: float
    pose: tuple[float, ...]
    tool: int
    screws: bool = False


HOME: Final = (0.0, -90.0, 90.0, 0.0, 90.0, 0.0)
MOVES: Final = (
    Move("pick housing", 3.0, (-62.0, -48.0, 96.0, 0.0, 42.0, -62.0), 1),
    Move("place housing", 2.4, (4.0, -55.0, 108.0, 0.0, 37.0, 4.0), 1),
    Move("pick shaft", 2.6, (58.0, -40.0, 88.0, 0.0, 42.0, 58.0), 2),
    Move("insert shaft", 2.8, (4.0, -63.0, 112.0, 0.0, 41.0, 94.0), 2),
    Move("pick cover", 2.4, (92.0, -44.0, 93.0, 0.0, 41.0, 2.0), 2),
    Move("place cover", 2.2, (4.0, -58.0, 109.0, 0.0, 39.0, 4.0), 2),
    Move("screw", 4.0, (6.0, -66.0, 115.0, 12.0, 41.0, 184.0), 3, screws=True),
    Move("hand on", 2.2, (148.0, -50.0, 99.0, 0.0, 41.0, 58.0), 1),
)
TROUBLES: Final = (
    Trouble(
        Cause.MICRO_STOP,
        ("R41 GRIPPER NOT CLOSED", "R45 SCREW NOT FED", "R52 VISION FOUND NO PART"),
        mean=480.0,
        repair=(6.0, 12.0, 30.0),
        first=(80.0, 200.0),
    ),
    Trouble(
        Cause.BREAKDOWN,
        ("R02 COLLISION DETECTED", "R07 ENCODER AXIS 4"),
        mean=5400.0,
        repair=(100.0, 240.0, 600.0),
    ),
)


class Robot(Machine):
    """``override`` in % is what somebody asked for. Stopped by a command it stands until it is started again, after a
    reset if it was stopped by itself."""

    def __init__(
        self,
        seed: int,
        housings: Buffer[Part],
        shafts: Buffer[Part],
        covers: Buffer[Part],
        outfeed: Buffer[Part],
    ) -> None:
        super().__init__("robot", seed, TROUBLES)
        self.housings, self.shafts, self.covers, self.outfeed = housings, shafts, covers, outfeed
        self.held: tuple[Part, Part, Part] | None = None
        self.made, self.scrap, self.cycles = 0, 0, 0
        self.override = 100.0
        self.stopped = False
        self.move, self.done = 0, 0.0  # which of MOVES, and the share of it that is done
        self.joints: tuple[float, ...] = HOME
        self.start: tuple[float, ...] = HOME
        self.speed = 0.0  # share of the programmed one
        self.torque, self.angle = 0.0, 0.0
        self.motors = [38.0, 44.0, 41.0, 33.0, 32.0, 30.0]
        self.friction = 0.0  # of joint 2, whose grease gets old
        self.cycle_started, self.cycle_time = 0, 0.0

    @property
    def loaded(self) -> int:
        """Assemblies in the cell: 0 or 1."""
        return int(self.held is not None)

    @property
    def serial(self) -> str:
        return self.held[0].serial if self.held else ""

    @property
    def mode(self) -> int:
        """1 manual, 2 automatic (ISO 10218-1's operating modes)."""
        return 1 if self.stopped or self.state is State.ABORTED else 2

    def command(self, name: str, value: Any) -> None:
        if name == "override" and isinstance(value, (int, float)) and math.isfinite(value):
            self.override = max(OVERRIDE[0], min(OVERRIDE[1], float(value)))
        elif name == "stop":
            self.stopped = True
        elif name == "start":
            self.stopped = False
        elif name == "reset" and self._pause:
            self._pause = min(self._pause, steps(1.0))
        else:
            return
        self.happened("command", name=name, value=value)

    def work(self) -> bool:
        if self.stopped:
            self.become(State.STOPPED, Cause.OPERATOR, "R01 STOPPED BY OPERATOR")
            return False
        if self.held is None and not self._take():
            return False
        move = MOVES[self.move]
        self.done += STEP / move.seconds * self.override / 100.0
        if self.done < 1.0:
            return True
        if self.move == len(MOVES) - 1:
            return self._hand_on()
        self._next_move(self.move + 1)
        return True

    def physics(self) -> None:
        moving = self.running and self.held is not None
        self.speed += 0.5 * ((self.override / 100.0 if moving else 0.0) - self.speed)
        before = self.joints
        if moving:
            share = 0.5 * (1.0 - math.cos(math.pi * min(1.0, self.done)))
            target = MOVES[self.move].pose
            self.joints = tuple(a + share * (b - a) for a, b in zip(self.start, target, strict=True))
        screwing = moving and MOVES[self.move].screws
        self.torque = TIGHT * min(1.0, self.done) ** 3 if screwing else 0.0
        self.angle = 1440.0 * min(1.0, self.done) if screwing else 0.0
        self._warm(before)
        if moving:
            self.friction = min(1.0, self.friction + STEP / 9000.0)

    def _warm(self, before: tuple[float, ...]) -> None:
        for i, (new, old) in enumerate(zip(self.joints, before, strict=True)):
            heat = 0.012 * abs(new - old) + (0.055 + 0.12 * self.friction * (i == 1)) * self.speed
            self.motors[i] += STEP * (heat - 0.0024 * (self.motors[i] - AMBIENT))

    def _take(self) -> bool:
        if not (len(self.housings) and len(self.shafts) and len(self.covers)):
            return self.wait(Cause.STARVED)
        self.held = (self.housings.take(), self.shafts.take(), self.covers.take())
        self.cycle_started = self.clock
        self._next_move(0)
        return True

    def _next_move(self, move: int) -> None:
        self.move, self.done, self.start = move, 0.0, self.joints

    def _hand_on(self) -> bool:
        if self.held is None or not self.outfeed.room_for(1):
            self.done = 1.0
            return self.wait(Cause.BLOCKED)
        housing, shaft, cover = self.held
        self.cycles += 1
        self.cycle_time = (self.clock - self.cycle_started) * STEP
        if self.random.random() < 0.006:
            self.scrap += 1
            self.happened("scrap", serial=housing.serial, reason="screw not tight")
        else:
            self.made += 1
            runout = round(abs(shaft.deviation + self.random.gauss(0.0, 2.0)), 1)
            gap = round(abs(cover.deviation + self.random.gauss(0.0, 3.0)), 1)
            whole = replace(housing, shaft=shaft.serial, cover=cover.serial, runout=runout, gap=gap)
            self.outfeed.put(whole)
            self.happened("assembled", serial=housing.serial, shaft=shaft.serial, cover=cover.serial)
        self.held = None
        if self.motors[1] > HOT:
            self._overheated()
        return True

    def _overheated(self) -> None:
        self.happened("failure", cause=int(Cause.OVERSTRAIN), motor=round(self.motors[1], 1))
        self.friction = 0.0
        seconds = self.random.triangular(120.0, 400.0, 240.0)
        self.halt(State.ABORTED, Cause.OVERSTRAIN, seconds, "R05 MOTOR AXIS 2 OVERTEMPERATURE")
