"""The press: draws covers from blanks, one stroke each, and wears its die."""

from __future__ import annotations

import math
from typing import Any, Final

from weft.demo.flow import Buffer, Part
from weft.demo.machine import STEP, Cause, Machine, State, Trouble, steps

__all__ = ["FORCE", "Press"]

FORCE: Final = (400.0, 900.0)  # kN that may be asked for
NORMAL: Final = 650.0
FEED, DOWN, DWELL, UP, EJECT = (steps(s) for s in (4.0, 2.4, 3.0, 2.0, 3.6))
STROKE: Final = FEED + DOWN + DWELL + UP + EJECT
OPEN: Final = 320.0  # mm
COIL: Final = 80  # blanks
DIE: Final = 2400.0  # strokes a die lasts at normal force
HOT: Final = 66.0  # Cel of oil at which the press stops itself
AMBIENT: Final = 22.0
SPLITS: Final = 3.0  # deviations beyond which a cover splits

TROUBLES: Final = (
    Trouble(
        Cause.MICRO_STOP,
        ("S11 BLANK NOT IN PLACE", "S14 LIGHT CURTAIN BROKEN", "S17 COVER STUCK IN DIE"),
        mean=450.0,
        repair=(6.0, 10.0, 30.0),
    ),
    Trouble(
        Cause.BREAKDOWN,
        ("S02 PROPORTIONAL VALVE", "S05 PUMP MOTOR PROTECTION"),
        mean=4800.0,
        repair=(120.0, 220.0, 600.0),
    ),
)


class Press(Machine):
    """``setpoint`` in kN is what somebody asked for; a cooler that clogs lets the oil get hot."""

    def __init__(self, seed: int, outfeed: Buffer[Part]) -> None:
        super().__init__("press", seed, TROUBLES)
        self.outfeed = outfeed
        self.blanks, self.parts, self.scrap = 0, 0, 0
        self.setpoint = NORMAL
        self.die, self.strokes = 0.41, 986
        self.coil, self.left = 4711, 33
        self.serial = ""
        self.progress = 0
        self.position, self.force, self.pressure, self.peak = OPEN, 0.0, 12.0, 0.0
        self.oil, self.clogged = 44.0, 0.12
        self.last_stroke = 0  # the step of the last stroke
        self.epoch = 0  # ns UTC of step 0, for the controller's clock; the simulation does not use it
        self.energy = 0.0  # kJ of the last stroke

    @property
    def loaded(self) -> int:
        return int(bool(self.serial))

    def command(self, name: str, value: Any) -> None:
        if name == "force" and isinstance(value, (int, float)) and math.isfinite(value):
            self.setpoint = max(FORCE[0], min(FORCE[1], float(value)))
            self.happened("setpoint", force=self.setpoint)

    def premade(self) -> Part:
        """A cover that was made before the simulation began."""
        self.blanks += 1
        self.parts += 1
        return Part(f"C{self.blanks:06d}", "COVER", 6.0)

    def work(self) -> bool:
        if not self.serial:
            self.blanks += 1
            self.left -= 1
            self.serial, self.progress = f"C{self.blanks:06d}", 0
        if self.progress == STROKE:
            return self._unload()
        self.progress += 1
        if self.progress == FEED + DOWN + DWELL:
            self._struck()
        return True

    def physics(self) -> None:
        wanted = self._force() if self.running else 0.0
        self.force += 0.6 * (wanted - self.force)
        self.peak = self.force if self.progress <= FEED else max(self.peak, self.force)
        self.pressure = 12.0 + 0.29 * self.force
        if self.running:
            self.position = self._position()
        heat = 0.0016 * self.force + (2.2 if self.running else 0.5) * 0.05
        cooling = 0.0125 * (1.0 - self.clogged) * (self.oil - AMBIENT)
        self.oil += STEP * (heat - cooling)
        if self.running:
            self.clogged = min(0.9, self.clogged + STEP * 4.5e-5)

    def _position(self) -> float:
        """A cosine down, a dwell, a cosine up; in mm above the lower dead centre."""
        at = self.progress - FEED
        if at <= 0 or at >= DOWN + DWELL + UP:
            return OPEN
        if at < DOWN:
            return OPEN * 0.5 * (1.0 + math.cos(math.pi * at / DOWN))
        if at <= DOWN + DWELL:
            return 0.0
        return OPEN * 0.5 * (1.0 - math.cos(math.pi * (at - DOWN - DWELL) / UP))

    def _force(self) -> float:
        at = self.progress - FEED
        if at < DOWN * 0.7 or at > DOWN + DWELL:
            return 0.0
        return self.setpoint * (1.0 + 0.08 * self.die) * min(1.0, (at - DOWN * 0.7) / (0.3 * DOWN))

    def _struck(self) -> None:
        self.strokes += 1
        self.last_stroke = self.clock
        self.energy = self.force * 0.038
        self.die += math.pow(self.setpoint / NORMAL, 3.0) / DIE

    def _unload(self) -> bool:
        if not self.outfeed.room_for(1):
            return self.wait(Cause.BLOCKED)
        split = (
            abs(self.random.gauss(0.0, 1.0)) * (0.5 + self.die) + abs(self.setpoint - NORMAL) / 125.0 > SPLITS
        )
        if split:
            self.scrap += 1
            self.happened("scrap", serial=self.serial, reason="split")
        else:
            deviation = round(self.random.gauss(3.0 + 6.0 * self.die, 2.0), 1)
            self.outfeed.put(Part(self.serial, "COVER", deviation))
            self.parts += 1
            self.happened("part", serial=self.serial, deviation=deviation)
        self.serial = ""
        self._look_after()
        return True

    def _look_after(self) -> None:
        """Between two strokes: the oil, the die, the coil."""
        if self.oil > HOT:
            self.happened("failure", cause=int(Cause.HEAT_DISSIPATION), oil=round(self.oil, 1))
            self.clogged = 0.05
            seconds = self.random.triangular(150.0, 420.0, 240.0)
            self.halt(State.ABORTED, Cause.HEAT_DISSIPATION, seconds, "S03 OIL TOO HOT")
        elif self.die >= 1.0:
            self.happened("tool", used=round(self.die, 3))
            self.die = 0.0
            self.halt(State.HELD, Cause.TOOL_CHANGE, 180.0)
        elif not self.left:
            self.coil, self.left = self.coil + 1, COIL
            self.halt(State.HELD, Cause.MATERIAL, 40.0, "S30 COIL EMPTY")
