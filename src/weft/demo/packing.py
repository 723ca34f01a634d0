"""The packing machine: a camera finds what the mill did, six good assemblies make a pack."""

from __future__ import annotations

from typing import Final

from weft.demo.flow import Buffer, Part
from weft.demo.machine import STEP, Cause, Machine, State, Trouble, steps

__all__ = ["PACK", "TOLERANCE", "Packing"]

PACK: Final = 6  # parts
TOLERANCE: Final = 25.0  # um
PLACING: Final = steps(13.0)
SEALING: Final = steps(8.0)
ROLL: Final = 200.0  # m of film
FILM: Final = 0.45  # m for a pack
AMBIENT: Final = 22.0

TROUBLES: Final = (
    Trouble(
        Cause.MICRO_STOP,
        ("P11 PART JAM AT INFEED", "P14 FILM SPLICE", "P19 LABEL NOT READ"),
        mean=260.0,
        repair=(6.0, 11.0, 28.0),
        first=(30.0, 60.0),
    ),
    Trouble(
        Cause.BREAKDOWN,
        ("P02 SERVO FAULT", "P05 SEALING JAW HEATER"),
        mean=3600.0,
        repair=(90.0, 200.0, 500.0),
    ),
)


class Packing(Machine):
    """Parts in the machine are either in hand (``part``) or in the open pack (``pack``)."""

    def __init__(self, seed: int, infeed: Buffer[Part], outfeed: Buffer[str]) -> None:
        super().__init__("packing", seed, TROUBLES)
        self.infeed, self.outfeed = infeed, outfeed
        self.part: Part | None = None
        self.last: Part | None = None
        self.last_good = True
        self.pack: list[Part] = []
        self.packs, self.packed, self.rejects, self.inspected = 0, 0, 0, 0
        self.code, self.weight = "", 0.0
        self.sealing = False
        self._left = 0
        self.film = 5.2
        self.speed, self.motor, self.jaw = 0.0, 31.0, 148.0

    @property
    def loaded(self) -> int:
        """Parts in the machine."""
        return len(self.pack) + (self.part is not None)

    def premade(self) -> str:
        """A pack that was closed before the simulation began; nobody counts what is in it."""
        self.packs += 1
        return f"{self.packs + 120:06d}"

    def work(self) -> bool:
        if self._left:
            self._left -= 1
            return True
        if self.sealing:
            self._seal()
        elif self.part is not None:
            self._inspect(self.part)
        if len(self.pack) == PACK:
            return self._start_seal()
        return self._take()

    def physics(self) -> None:
        wanted = 18.0 if self.running else 0.0
        self.speed += 0.3 * (wanted - self.speed)
        self.motor += STEP * (0.0021 * self.speed - 0.0013 * (self.motor - AMBIENT))
        self.jaw += STEP * (0.02 * (150.0 - self.jaw) - (0.05 if self.sealing else 0.0))

    def _take(self) -> bool:
        if not len(self.infeed):
            return self.wait(Cause.STARVED)
        self.part = self.infeed.take()
        self._left = PLACING
        return True

    def _inspect(self, part: Part) -> None:
        good = abs(part.deviation) <= TOLERANCE
        self.part, self.last, self.last_good = None, part, good
        self.inspected += 1
        if good:
            self.pack.append(part)
            self.happened("inspected", serial=part.serial, deviation=part.deviation)
        else:
            self.rejects += 1
            self.happened("reject", serial=part.serial, deviation=part.deviation)

    def _start_seal(self) -> bool:
        if not self.outfeed.room_for(1):
            return self.wait(Cause.BLOCKED)
        if self.film < FILM:
            self.film = ROLL
            self.halt(State.HELD, Cause.MATERIAL, 25.0, "P30 FILM ROLL EMPTY")
            return True
        self.sealing = True
        self._left = SEALING
        return True

    def _seal(self) -> None:
        self.packs += 1
        self.packed += len(self.pack)
        self.film -= FILM
        self.code = f"{self.packs + 120:06d}"
        self.weight = round(PACK * 11.2 + 0.35 + 0.08 * self.random.gauss(0.0, 1.0), 3)
        self.happened("pack", code=self.code, parts=[part.serial for part in self.pack])
        self.outfeed.put(self.code)
        self.pack = []
        self.sealing = False
