"""The whole factory in one deterministic simulation: its state is a function of seed and step."""

from __future__ import annotations

from weft.demo.flow import Buffer
from weft.demo.machine import Happening
from weft.demo.meters import Meters
from weft.demo.mill import Mill
from weft.demo.packing import Packing
from weft.demo.washer import Washer

__all__ = ["Factory"]


class Factory:
    """mill → ``milled`` → washer → ``washed`` → packing, watched by meters. ``seed`` decides everything.

    The shift before left parts on the conveyors, so that all machines have work at once.
    """

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed
        self.clock = 0
        self.milled, self.washed = Buffer(8), Buffer(12)
        self.mill = Mill(seed, self.milled)
        self.washer = Washer(seed, self.milled, self.washed)
        self.packing = Packing(seed, self.washed)
        self.packing.pack = [self.mill.premade() for _ in range(3)]
        for _ in range(3):
            self.washed.put(self.mill.premade())
        for _ in range(4):
            self.milled.put(self.mill.premade())
        self.meters = Meters(seed, self.mill, self.washer, self.packing)

    def step(self) -> None:
        """One :data:`~weft.demo.machine.STEP` on, downstream first: a part moves one machine per step."""
        self.clock += 1
        self.packing.step()
        self.washer.step()
        self.mill.step()
        self.meters.step()

    def run_to(self, step: int) -> None:
        """Forward to this step; the past is not to be had."""
        if step < self.clock:
            raise ValueError(f"the factory stands at step {self.clock} and cannot go back to {step}")
        for _ in range(step - self.clock):
            self.step()

    def happenings(self) -> list[Happening]:
        """What happened since the last call, in order of time."""
        machines = (self.mill, self.washer, self.packing)
        found = sorted((h for m in machines for h in m.happenings), key=lambda h: h.step)
        for machine in machines:
            machine.happenings.clear()
        return found

    def balance(self) -> dict[str, int]:
        """Where the blanks went; ``blanks`` is the sum of the others."""
        return {
            "blanks": self.mill.blanks,
            "in the mill": self.mill.loaded,
            "scrapped": self.mill.scrap,
            "before the washer": len(self.milled),
            "in the washer": len(self.washer.basket),
            "before packing": len(self.washed),
            "in packing": self.packing.loaded,
            "packed": self.packing.packed,
            "rejected": self.packing.rejects,
        }
