"""The palletiser: a conveyor in six zones brings packs, and four of them make a pallet."""

from __future__ import annotations

import math
from typing import Any, Final

from weft.demo.flow import Buffer
from weft.demo.machine import STEP, Cause, Machine, Trouble, steps

__all__ = ["PALLET", "SPEED", "ZONES", "Palletiser"]

PALLET: Final = 4  # packs
ZONES: Final = 6
ZONE: Final = 1.2  # m
SPEED: Final = (0.05, 0.60)  # m/s that may be asked for
LIFTING: Final = steps(9.0)
CHANGING: Final = steps(20.0)
AMBIENT: Final = 22.0

TROUBLES: Final = (
    Trouble(
        Cause.MICRO_STOP,
        ("E11 PACK SKEWED", "E14 PHOTO EYE ZONE 3 DIRTY", "E17 VACUUM NOT REACHED"),
        mean=380.0,
        repair=(5.0, 9.0, 24.0),
    ),
    Trouble(
        Cause.BREAKDOWN, ("E02 DRIVE ZONE 5", "E06 LIFT CHAIN"), mean=6600.0, repair=(120.0, 260.0, 600.0)
    ),
)


class Palletiser(Machine):
    """``setpoint`` in m/s is what somebody asked for. Packs are either on the conveyor or on the open pallet."""

    def __init__(self, seed: int, infeed: Buffer[str], outfeed: Buffer[tuple[str, ...]]) -> None:
        super().__init__("palletiser", seed, TROUBLES)
        self.infeed, self.outfeed = infeed, outfeed
        self.setpoint, self.speed = 0.25, 0.0
        self.pack = ""
        self.way = 0.0  # m that the pack has come
        self.pallet: list[str] = []
        self.pallets, self.palletised = 0, 0
        self.currents = [0.4] * ZONES
        self.motor, self.vacuum = 34.0, 0.0
        self.step_of_work = 0  # 0 waits, 10 conveys, 20 lifts, 30 changes the pallet
        self._busy = 0

    @property
    def loaded(self) -> int:
        """Packs in the machine."""
        return len(self.pallet) + bool(self.pack)

    @property
    def occupied(self) -> int:
        """A bit for each zone: a pack is in it."""
        return 1 << min(ZONES - 1, int(self.way / ZONE)) if self.pack else 0

    def command(self, name: str, value: Any) -> None:
        if name == "speed" and isinstance(value, (int, float)) and math.isfinite(value):
            self.setpoint = max(SPEED[0], min(SPEED[1], float(value)))
            self.happened("setpoint", speed=self.setpoint)

    def work(self) -> bool:
        if self._busy:
            self._busy -= 1
            return True
        if self.step_of_work == 20:
            self.pallet.append(self.pack)
            self.pack, self.step_of_work = "", 0
        if len(self.pallet) == PALLET:
            return self._change()
        if not self.pack:
            return self._take()
        return self._convey()

    def physics(self) -> None:
        moving = self.running and self.step_of_work == 10
        self.speed += 0.4 * ((self.setpoint if moving else 0.0) - self.speed)
        lifting = self.running and self.step_of_work == 20
        self.vacuum += 0.3 * ((-620.0 if lifting else 0.0) - self.vacuum)
        loaded = self.occupied
        for zone in range(ZONES):
            wanted = 0.4 + 3.1 * self.speed + (0.9 if loaded >> zone & 1 else 0.0) * (self.speed > 0.02)
            self.currents[zone] += 0.5 * (wanted - self.currents[zone])
        self.motor += STEP * (0.16 * self.speed - 0.0011 * (self.motor - AMBIENT))

    def _take(self) -> bool:
        self.step_of_work = 0
        if not len(self.infeed):
            return self.wait(Cause.STARVED)
        self.pack, self.way, self.step_of_work = self.infeed.take(), 0.0, 10
        return True

    def _convey(self) -> bool:
        self.way += self.speed * STEP
        if self.way >= ZONES * ZONE:
            self.way = ZONES * ZONE
            self.step_of_work, self._busy = 20, LIFTING
        return True

    def _change(self) -> bool:
        if not self.outfeed.room_for(1):
            return self.wait(Cause.BLOCKED)
        self.pallets += 1
        self.palletised += len(self.pallet)
        self.outfeed.put(tuple(self.pallet))
        self.happened("pallet", number=self.pallets, packs=list(self.pallet))
        self.pallet = []
        self.step_of_work, self._busy = 30, CHANGING
        return True
