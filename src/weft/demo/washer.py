"""The washer: baskets of four, a heated tank with a real heat balance, soil that comes with the parts."""

from __future__ import annotations

from typing import Final

from weft.demo.flow import Buffer, Part
from weft.demo.machine import STEP, Cause, Machine, State, Trouble, steps

__all__ = ["BASKET", "SETPOINT", "Washer"]

BASKET: Final = 4  # parts
PATIENCE: Final = steps(60.0)  # then a part-filled basket goes
PHASES: Final = (("load", 4.0), ("wash", 32.0), ("rinse", 14.0), ("dry", 20.0), ("unload", 4.0))
SCHEDULE: Final = tuple(phase for phase, seconds in PHASES for _ in range(steps(seconds)))

SETPOINT: Final = 60.0  # Cel
HYSTERESIS: Final = 0.6
LOWEST: Final = 55.0  # below, washing would not clean
AMBIENT: Final = 22.0
HEATER: Final = 18_000.0  # W
LOSS: Final = 62.0  # W/K through the walls
SPRAY: Final = 3_400.0  # W that the spray carries off
TANK: Final = 200.0 * 4186.0  # J/K: 200 l of water
PART: Final = 5_200.0  # J/K: a steel part of 11 kg
STALE: Final = 1500.0  # uS/cm at which a third of the bath is renewed
FRESH: Final = 810.0

TROUBLES: Final = (
    Trouble(
        Cause.MICRO_STOP,
        ("F21 FILTER PRESSURE HIGH", "F07 BASKET SENSOR", "F12 SPRAY ARM BLOCKED"),
        mean=480.0,
        repair=(12.0, 22.0, 50.0),
    ),
    Trouble(
        Cause.BREAKDOWN,
        ("F03 HEATER CONTACTOR TRIPPED", "F01 PUMP MOTOR PROTECTION"),
        mean=3000.0,
        repair=(120.0, 240.0, 420.0),
    ),
)


class Washer(Machine):
    """Takes parts from ``infeed`` and leaves them, clean, on ``outfeed``."""

    def __init__(self, seed: int, infeed: Buffer[Part], outfeed: Buffer[Part]) -> None:
        super().__init__("washer", seed, TROUBLES)
        self.infeed, self.outfeed = infeed, outfeed
        self.basket: list[Part] = []
        self.cycles, self.washed, self.batches = 0, 0, 117
        self.batch = f"{self.batches:06d}"
        self.phase = ""
        self.progress = 0
        self._waited = 0
        self.temperature, self.heater = 58.6, True
        self.pressure, self.flow = 0.0, 0.0
        self.conductivity, self.level = 1180.0, 91.0
        self.clogging = 0.35  # share of the filter's area
        self.renewing = False

    @property
    def spraying(self) -> bool:
        return self.running and self.phase in {"wash", "rinse"}

    @property
    def drying(self) -> bool:
        return self.running and self.phase == "dry"

    def work(self) -> bool:
        if not self.basket and not self._fill():
            return False
        if self.progress == len(SCHEDULE):
            return self._unload()
        self.phase = SCHEDULE[self.progress]
        if self.phase == "wash" and self.temperature < LOWEST:
            if self.cause is not Cause.HEATING:
                self.become(State.HELD, Cause.HEATING, "F30 BATH TOO COLD")
            return False
        self.progress += 1
        return True

    def physics(self) -> None:
        self._heat()
        spraying = self.spraying
        wanted = (3.1 + 1.9 * self.clogging) if spraying else 0.0
        self.pressure += 0.25 * (wanted - self.pressure)
        self.flow += 0.2 * ((9.6 - 4.0 * self.clogging if spraying else 0.0) - self.flow)
        if spraying:
            self.clogging = min(0.98, self.clogging + 1.2e-5)
            self.level -= 0.0009
        if self.renewing:
            self._renew()

    def _heat(self) -> None:
        if self.temperature >= SETPOINT + HYSTERESIS or self.cause is Cause.BREAKDOWN:
            self.heater = False
        elif self.temperature <= SETPOINT - HYSTERESIS:
            self.heater = True
        gain = HEATER if self.heater else 0.0
        lost = LOSS * (self.temperature - AMBIENT) + (SPRAY if self.spraying else 0.0)
        self.temperature += STEP * (gain - lost) / TANK

    def _renew(self) -> None:
        self.conductivity += 0.004 * (FRESH - 40.0 - self.conductivity)
        self.temperature -= 0.0016
        self.level = min(95.0, self.level + 0.05)
        if self.conductivity <= FRESH:
            self.renewing = False

    def _fill(self) -> bool:
        waiting = len(self.infeed)
        self._waited = self._waited + 1 if waiting else 0
        self.phase = ""
        if waiting < BASKET and self._waited < PATIENCE:
            return self.wait(Cause.STARVED)
        self.basket = [self.infeed.take() for _ in range(min(BASKET, waiting))]
        self._waited = self.progress = 0
        self.batches += 1
        self.batch = f"{self.batches:06d}"
        self.temperature -= PART * len(self.basket) * (self.temperature - AMBIENT) / TANK
        return True

    def _unload(self) -> bool:
        if not self.outfeed.room_for(len(self.basket)):
            return self.wait(Cause.BLOCKED)
        for part in self.basket:
            self.outfeed.put(part)
        self.cycles += 1
        self.washed += len(self.basket)
        self.happened("basket", batch=self.batch, parts=[part.serial for part in self.basket])
        self.conductivity += 4.5 * len(self.basket)
        self.basket = []
        self.renewing = self.renewing or self.conductivity >= STALE
        if self.clogging > 0.9:
            self.clogging = 0.2
            self.halt(State.HELD, Cause.MATERIAL, 30.0, "F40 FILTER CHANGE")
        return True
