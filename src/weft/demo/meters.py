"""Energy meters: what each machine draws, from what it does."""

from __future__ import annotations

from random import Random
from typing import Final

from weft.demo.machine import STEP, Cause
from weft.demo.mill import Mill
from weft.demo.noise import Noise
from weft.demo.packing import Packing
from weft.demo.washer import Washer

__all__ = ["METERS", "Meters"]

METERS: Final = ("mill", "washer", "packing", "incoming")
HOURS: Final = STEP / 3600.0
COMPRESSOR: Final = (375, 110)  # steps: period, on


class Meters:
    """``power`` in W and ``energy`` in Wh, in the order of :data:`METERS`; incoming has the rest too."""

    def __init__(self, seed: int, mill: Mill, washer: Washer, packing: Packing) -> None:
        self._mill, self._washer, self._packing = mill, washer, packing
        start = Random(f"{seed}/meters")  # noqa: S311  # a simulation, no secret
        self.noise = Noise(f"{seed}/meters")
        self.clock = 0
        self.power = [0.0, 0.0, 0.0, 0.0]
        self.energy = [
            float(start.randrange(81_000_000, 85_000_000)),
            float(start.randrange(9_000_000, 9_500_000)),
            float(start.randrange(610_000, 640_000)),
            5e9 + start.randrange(0, 9_000_000),  # more than 32 bits hold
        ]

    def step(self) -> None:
        self.clock += 1
        power, energy = self.power, self.energy
        power[0] = self._milling()
        power[1] = self._washing()
        power[2] = self._packed()
        period, on = COMPRESSOR
        rest = 1_900.0 + (3_700.0 if self.clock % period < on else 0.0)
        power[3] = power[0] + power[1] + power[2] + rest
        energy[0] += power[0] * HOURS
        energy[1] += power[1] * HOURS
        energy[2] += power[2] * HOURS
        energy[3] += power[3] * HOURS

    def _milling(self) -> float:
        mill = self._mill
        standby = 900.0 if mill.cause is Cause.BREAKDOWN else 1_350.0
        return standby + 110.0 * mill.load + (750.0 if mill.cut.wear else 0.0) + 0.09 * mill.cut.feed

    def _washing(self) -> float:
        washer = self._washer
        heat = 18_000.0 if washer.heater else 0.0
        return 350.0 + heat + 420.0 * washer.flow + (5_500.0 if washer.drying else 0.0)

    def _packed(self) -> float:
        packing = self._packing
        return 280.0 + 52.0 * packing.speed + (1_600.0 if packing.sealing else 240.0)
