"""The CNC mill: programmes of phases, a tool that wears by Taylor's law, pallets of blanks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import cycle
from typing import Final, NamedTuple

from weft.demo.flow import Buffer, Part
from weft.demo.machine import STEP, Cause, Machine, State, Trouble, steps

__all__ = ["CHANGE_AT", "PROGRAMMES", "Mill", "Programme", "tool_life", "wear_land"]

TOOL_DIAMETER: Final = 16.0  # mm
TAYLOR_C: Final = 350.0  # m/min: the cutting speed at which a carbide tool lives one minute in steel
TAYLOR_N: Final = 0.25
CHANGE_AT: Final = 0.97  # share of the tool life at which the control calls for the sister tool
PALLET: Final = 24  # blanks
AMBIENT: Final = 22.0  # Cel


def tool_life(rpm: float) -> float:
    """Seconds a tool lives at this spindle speed: V T^n = C (Taylor 1907, ISO 3685)."""
    speed = math.pi * TOOL_DIAMETER * rpm / 1000.0
    return 60.0 * math.pow(TAYLOR_C / speed, 1.0 / TAYLOR_N)


def wear_land(used: float) -> float:
    """Flank wear VB in um of a tool whose life is used to this share: fast at first, then steady, then fast
    again; 300 um at the end (ISO 3685, 7.1)."""
    return 45.0 * (1.0 - math.exp(-used / 0.04)) + 165.0 * used + 90.0 * used**5


class Phase(NamedTuple):
    """``load`` in % of the spindle's rated power with a new tool, ``feed`` in mm/min."""

    seconds: float
    rpm: float
    feed: float
    load: float
    vibration: float
    cuts: bool


@dataclass(frozen=True, slots=True)
class Programme:
    name: str
    product: str
    phases: tuple[Phase, ...]

    def compile(self) -> tuple[Cut, ...]:
        """One row per step, so that running it costs one look-up."""
        return tuple(
            Cut(phase.rpm, phase.feed, phase.load, phase.vibration, _wear(phase))
            for phase in self.phases
            for _ in range(steps(phase.seconds))
        )


class Cut(NamedTuple):
    rpm: float
    feed: float
    load: float
    vibration: float
    wear: float


def _wear(phase: Phase) -> float:
    return STEP / tool_life(phase.rpm) if phase.cuts else 0.0


STANDING: Final = Cut(0.0, 0.0, 0.0, 0.0, 0.0)
PROGRAMMES: Final = (
    Programme(
        "O1001",
        "HOUSING-A",
        (
            Phase(3.0, 0.0, 0.0, 0.0, 0.0, cuts=False),
            Phase(9.0, 3400.0, 820.0, 62.0, 2.4, cuts=True),
            Phase(4.0, 1900.0, 240.0, 38.0, 1.1, cuts=True),
            Phase(6.0, 4400.0, 1150.0, 29.0, 0.7, cuts=True),
            Phase(2.0, 0.0, 6000.0, 0.0, 0.1, cuts=False),
        ),
    ),
    Programme(
        "O1002",
        "FLANGE-B",
        (
            Phase(3.0, 0.0, 0.0, 0.0, 0.0, cuts=False),
            Phase(6.0, 3100.0, 640.0, 71.0, 2.9, cuts=True),
            Phase(7.0, 2200.0, 310.0, 44.0, 1.3, cuts=True),
            Phase(5.0, 4200.0, 980.0, 25.0, 0.6, cuts=True),
            Phase(2.0, 0.0, 6000.0, 0.0, 0.1, cuts=False),
        ),
    ),
)
TROUBLES: Final = (
    Trouble(
        Cause.MICRO_STOP,
        ("2031 CHIP CONVEYOR OVERLOAD", "2107 DOOR INTERLOCK", "2044 PART CLAMP PRESSURE LOW"),
        mean=420.0,
        repair=(8.0, 14.0, 35.0),
        first=(25.0, 45.0),
    ),
    Trouble(
        Cause.BREAKDOWN,
        ("1011 SPINDLE DRIVE OVERTEMPERATURE", "1203 AXIS Z FOLLOWING ERROR"),
        mean=4200.0,
        repair=(150.0, 280.0, 700.0),
    ),
)


class Mill(Machine):
    """``used`` is the share of the present tool's life that is gone."""

    def __init__(self, seed: int, outfeed: Buffer[Part]) -> None:
        super().__init__("mill", seed, TROUBLES)
        self.outfeed = outfeed
        self.blanks, self.parts, self.scrap = 0, 0, 0
        self.tool, self.tools, self.used = 1, 0, 0.82
        self._breaks_at = max(0.9, self._strength())
        self._compiled = {programme.name: programme.compile() for programme in PROGRAMMES}
        self._order = cycle(PROGRAMMES)
        self.programme = next(self._order)
        self.pallet = PALLET // 2
        self.serial, self.last_serial = "", ""
        self.progress = 0
        self.cycle_started = 0
        self.cuts = self._compiled[self.programme.name]
        self.cut = STANDING
        self.speed, self.load = 0.0, 0.0
        self.spindle_temperature, self.coolant_temperature, self.coolant = 34.0, 25.5, 88.0

    @property
    def loaded(self) -> int:
        """Parts in the machine: 0 or 1."""
        return int(bool(self.serial))

    def premade(self, deviation: float | None = None) -> Part:
        """A part that was made before the simulation began."""
        self.blanks += 1
        self.parts += 1
        self.last_serial = f"{self.blanks:06d}"
        if deviation is None:
            deviation = round(self.random.gauss(8.0, 5.0), 1)
        return Part(self.last_serial, self.programme.product, deviation)

    def work(self) -> bool:
        if not self.serial:
            self._load()
        if self.progress == len(self.cuts):
            return self._unload()
        cut = self.cut = self.cuts[self.progress]
        self.progress += 1
        self.used += cut.wear
        if self.used >= self._breaks_at and cut.wear:
            self._break()
        return True

    def physics(self) -> None:
        if not self.running:
            self.cut = STANDING
        cut = self.cut
        self.speed += max(-700.0, min(700.0, cut.rpm - self.speed))
        wanted = cut.load * (1.0 + 0.45 * self.used) + 0.0011 * self.speed
        self.load += 0.4 * (wanted - self.load)
        heat = self.load * 0.00042 + self.speed * 1.1e-6
        self.spindle_temperature += STEP * (heat - 0.0011 * (self.spindle_temperature - AMBIENT))
        warm = 0.00016 * self.load - 0.0016 * (self.coolant_temperature - AMBIENT)
        self.coolant_temperature += STEP * warm
        if cut.wear:
            self.coolant -= 0.0012

    def _load(self) -> None:
        self.blanks += 1
        self.pallet -= 1
        self.serial = f"{self.blanks:06d}"
        self.progress = 0
        self.cycle_started = self.clock

    def _unload(self) -> bool:
        if not self.outfeed.room_for(1):
            return self.wait(Cause.BLOCKED)
        deviation = self.random.gauss(0.045 * wear_land(self.used), 7.0)
        self.outfeed.put(Part(self.serial, self.programme.product, round(deviation, 1)))
        self.parts += 1
        self.happened(
            "part", serial=self.serial, programme=self.programme.name, deviation=round(deviation, 1)
        )
        self._finish()
        return True

    def _finish(self) -> None:
        empty = self._clear()
        if self.used >= CHANGE_AT:
            self._change_tool()
            self.halt(State.HELD, Cause.TOOL_CHANGE, 18.0)
        elif empty:
            self.halt(State.HELD, Cause.MATERIAL, 15.0, "3001 PALLET EMPTY")

    def _break(self) -> None:
        tool = self.tool
        self.scrap += 1
        self.happened("scrap", serial=self.serial, reason="tool breakage", used=round(self.used, 4))
        self._clear()
        self._change_tool()
        seconds = self.random.triangular(60.0, 150.0, 90.0)
        self.halt(State.ABORTED, Cause.TOOL_BREAKAGE, seconds, f"1042 TOOL {tool} BROKEN")

    def _clear(self) -> bool:
        """The part has left the machine; True when that was the pallet's last, and another one came."""
        self.last_serial, self.serial = self.serial, ""
        if self.pallet:
            return False
        self.pallet = PALLET
        self.programme = next(self._order)
        self.cuts = self._compiled[self.programme.name]
        return True

    def _change_tool(self) -> None:
        self.happened("tool", number=self.tool, used=round(self.used, 4), wear=round(wear_land(self.used), 1))
        self.used = 0.0
        self.tools += 1
        self.tool = self.tool % 4 + 1
        self._breaks_at = self._strength()
        self.coolant = min(100.0, self.coolant + 25.0) if self.coolant < 60.0 else self.coolant

    def _strength(self) -> float:
        """The share of its life at which a tool breaks: one in eight before its planned change."""
        return self.random.weibullvariate(1.35, 6.0)
