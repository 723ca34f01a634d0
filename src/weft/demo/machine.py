"""What all machines share: states, stops and the troubles that cause them.

States and their numbers are PackML's (OPC 10031-4, 5.4.2; ANSI/ISA-TR88.00.02): *Held* is a stop from inside the
machine, *Suspended* one from outside (starved, blocked), *Aborted* a breakdown, *Idle* a machine without people,
*Stopped* one that somebody stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from random import Random
from typing import Any, Final

from weft.demo.noise import Noise

__all__ = [
    "CAUSES",
    "STATES",
    "STEP",
    "STEP_NS",
    "Cause",
    "Happening",
    "Machine",
    "State",
    "Trouble",
    "steps",
]

STEP: Final = 0.2  # seconds of simulated time
STEP_NS: Final = 200_000_000
NEVER: Final = 1 << 62


def steps(seconds: float) -> int:
    """How many steps a duration takes; at least one."""
    return max(1, round(seconds / STEP))


class State(IntEnum):
    STOPPED = 2
    IDLE = 4
    SUSPENDED = 5
    EXECUTE = 6
    ABORTED = 9
    HELD = 11


class Cause(IntEnum):
    NONE = 0
    STARVED = 1
    BLOCKED = 2
    MICRO_STOP = 3
    BREAKDOWN = 4
    TOOL_CHANGE = 5
    TOOL_BREAKAGE = 6
    MATERIAL = 7
    HEATING = 8
    NO_SHIFT = 9
    OPERATOR = 10
    TOOL_WEAR = 11
    HEAT_DISSIPATION = 12
    POWER = 13
    OVERSTRAIN = 14
    RANDOM = 15


STATES: Final = {int(state): state.name.capitalize() for state in State}
CAUSES: Final = {int(cause): cause.name.replace("_", " ").lower() for cause in Cause}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that stops a machine now and then: after an exponential time of *running* (mean in s), for a
    triangular time (low, most often, high in s). ``first`` is the window of the first one, in s of running."""

    cause: Cause
    alarms: tuple[str, ...]
    mean: float
    repair: tuple[float, float, float]
    first: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of the ground truth: ``kind`` is state, part, scrap, tool, basket, pack, reject, or what the machine
    does besides."""

    step: int
    machine: str
    kind: str
    data: dict[str, Any]


class Machine:
    """One machine. ``step`` advances it by :data:`STEP`; a subclass says what work and physics are."""

    def __init__(self, name: str, seed: int, troubles: tuple[Trouble, ...]) -> None:
        self.name = name
        self.random = Random(f"{seed}/{name}")  # noqa: S311  # a simulation, no secret
        self.noise = Noise(f"{seed}/{name}")
        self.clock = 0
        self.state = State.EXECUTE
        self.cause = Cause.NONE
        self.alarm = ""
        self.happenings: list[Happening] = []
        self._troubles = troubles
        self._pause = 0
        self._stood: tuple[State, Cause, str] | None = None  # how the machine stood when people went
        self._ran = 0
        self._due = [self._draw(trouble, first=True) for trouble in troubles]
        self._next = min(self._due, default=NEVER)

    def work(self) -> bool:
        """One step of production; False when the machine had to stand."""
        raise NotImplementedError

    def physics(self) -> None:
        """One step of what goes on in any state: temperatures, pressures, wear of nerves."""
        raise NotImplementedError

    def command(self, name: str, value: Any) -> None:
        """Obeys somebody outside; a machine that takes no such command does nothing."""

    def step(self, *, manned: bool = True) -> None:
        """``manned``: people are there; without them a machine stands as it is."""
        self.clock += 1
        if not manned:
            self._rest()
        elif self._stood is not None:
            self._resume(self._stood)
        elif self._pause:
            self._pause -= 1
        elif self.work():
            self._ran += 1
            if self._ran >= self._next:
                self._fail()
            if self.state is not State.EXECUTE and not self._pause:
                self.become(State.EXECUTE, Cause.NONE)
        self.physics()

    @property
    def running(self) -> bool:
        return self.state is State.EXECUTE

    def happened(self, kind: str, **data: Any) -> None:
        self.happenings.append(Happening(self.clock, self.name, kind, data))

    def become(self, state: State, cause: Cause, alarm: str = "") -> None:
        if (state, cause, alarm) != (self.state, self.cause, self.alarm):
            self.state, self.cause, self.alarm = state, cause, alarm
            self.happened("state", state=int(state), cause=int(cause), alarm=alarm)

    def halt(self, state: State, cause: Cause, seconds: float, alarm: str = "") -> None:
        """Stands for ``seconds``, then works on."""
        self._pause = steps(seconds)
        self.become(state, cause, alarm)

    def wait(self, cause: Cause) -> bool:
        """Stands because of its neighbours; always False, as the result of :meth:`work`."""
        if self.cause is not cause:
            self.become(State.SUSPENDED, cause)
        return False

    def _rest(self) -> None:
        if self._stood is None:
            self._stood = (self.state, self.cause, self.alarm)
            self.become(State.IDLE, Cause.NO_SHIFT)

    def _resume(self, left: tuple[State, Cause, str]) -> None:
        self._stood = None
        self.become(*left)

    def _fail(self) -> None:
        index = self._due.index(self._next)
        trouble = self._troubles[index]
        self._due[index] = self._ran + self._draw(trouble)
        self._next = min(self._due)
        if self._pause:
            return  # it stands already; the trouble is found and cleared in the same stop
        low, mode, high = trouble.repair
        state = State.ABORTED if trouble.cause is Cause.BREAKDOWN else State.HELD
        seconds = self.random.triangular(low, high, mode)
        self.halt(state, trouble.cause, seconds, self.random.choice(trouble.alarms))

    def _draw(self, trouble: Trouble, *, first: bool = False) -> int:
        if first and trouble.first is not None:
            return steps(self.random.uniform(*trouble.first))
        return steps(self.random.expovariate(1.0 / trouble.mean))
