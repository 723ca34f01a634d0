"""The whole factory in one deterministic simulation: its state is a function of seed, step and commands."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from weft.demo.carrier import Carrier
from weft.demo.commands import Commands
from weft.demo.flow import Buffer, Part
from weft.demo.inspection import Inspection
from weft.demo.lathe import Lathe
from weft.demo.machine import Happening, Machine
from weft.demo.meters import Meters
from weft.demo.mill import Mill
from weft.demo.packing import Packing
from weft.demo.palletiser import Palletiser
from weft.demo.press import Press
from weft.demo.robot import Robot
from weft.demo.shift import BEGIN, Shifts
from weft.demo.washer import Washer

__all__ = ["MACHINES", "Factory"]

MACHINES: Final = (
    "mill", "washer", "lathe", "press", "robot", "inspection", "packing", "palletiser", "cart",
)  # fmt: skip
UNMANNED: Final = frozenset({"cart"})  # works when nobody is there, too


class Factory:
    """``seed`` decides everything; ``begin`` is when the model day stands at step 0, in s after its midnight.

    ::

        blanks → mill → milled → washer → washed ─┐
        bars → lathe ─────────────────→ shafts ───┤
        coils → press ────────────────→ covers ───┴→ robot → assembled → inspection → inspected → packing
              → packs → palletiser → pallets → cart → warehouse

    The shift before left parts on the conveyors, so that all machines have work at once.
    """

    def __init__(self, seed: int = 1, *, begin: float = BEGIN, commands: Commands | None = None) -> None:
        self.seed = seed
        self.clock = 0
        self.shifts = Shifts(begin)
        self.commands = commands or Commands()
        self.milled, self.washed = Buffer[Part](8), Buffer[Part](12)
        self.shafts, self.covers = Buffer[Part](16), Buffer[Part](16)
        self.assembled, self.inspected = Buffer[Part](6), Buffer[Part](8)
        self.packs, self.pallets = Buffer[str](4), Buffer[tuple[str, ...]](2)
        self.mill = Mill(seed, self.milled)
        self.washer = Washer(seed, self.milled, self.washed)
        self.lathe = Lathe(seed, self.shafts)
        self.press = Press(seed, self.covers)
        self.robot = Robot(seed, self.washed, self.shafts, self.covers, self.assembled)
        self.inspection = Inspection(seed, self.assembled, self.inspected)
        self.packing = Packing(seed, self.inspected, self.packs)
        self.palletiser = Palletiser(seed, self.packs, self.pallets)
        self.cart = Carrier(seed, self.pallets)
        self._fill()
        self.meters = Meters(seed, self.mill, self.washer, self.packing)
        # Downstream first: a part moves one machine per step.
        self._machines: tuple[Machine, ...] = tuple(getattr(self, name) for name in reversed(MACHINES))

    def _fill(self) -> None:
        self.packing.pack = [self._assembly() for _ in range(3)]
        for _ in range(3):
            self.inspected.put(self._assembly())
        for _ in range(2):
            self.assembled.put(self._assembly(7.5))
        for _ in range(3):
            self.washed.put(self.mill.premade(7.5))
        for _ in range(4):
            self.milled.put(self.mill.premade())
        for _ in range(6):
            self.shafts.put(self.lathe.premade())
            self.covers.put(self.press.premade())
        self.palletiser.pallet = [self.packing.premade() for _ in range(2)]

    def _assembly(self, deviation: float | None = None) -> Part:
        self.robot.made += 1
        shaft, cover = self.lathe.premade(), self.press.premade()
        return replace(
            self.mill.premade(deviation), shaft=shaft.serial, cover=cover.serial, runout=4.0, gap=5.0
        )

    def step(self) -> None:
        """One :data:`~weft.demo.machine.STEP` on."""
        self.clock += 1
        for command in self.commands.due(self.clock):
            if command.machine in MACHINES:
                getattr(self, command.machine).command(command.name, command.value)
        manned = self.shifts.look(self.clock)
        for machine in self._machines:
            machine.step(manned=manned or machine.name in UNMANNED)
        self.meters.step()

    def run_to(self, step: int) -> None:
        """Forward to this step; the past is not to be had."""
        if step < self.clock:
            raise ValueError(f"the factory stands at step {self.clock} and cannot go back to {step}")
        self.commands.look()
        for _ in range(step - self.clock):
            self.step()

    def happenings(self) -> list[Happening]:
        """What happened since the last call, in order of time."""
        machines = [getattr(self, name) for name in MACHINES]
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
            "before the robot": len(self.washed),
            **self._assemblies(),
        }

    def shaft_balance(self) -> dict[str, int]:
        """Where the bars' pieces went."""
        made = {"blanks": self.lathe.blanks, "in the lathe": self.lathe.loaded, "scrapped": self.lathe.scrap}
        return {**made, "before the robot": len(self.shafts), **self._assemblies()}

    def cover_balance(self) -> dict[str, int]:
        """Where the sheets went."""
        made = {"blanks": self.press.blanks, "in the press": self.press.loaded, "scrapped": self.press.scrap}
        return {**made, "before the robot": len(self.covers), **self._assemblies()}

    def pack_balance(self) -> dict[str, int]:
        """Where the packs went; ``packs`` is the sum of the others."""
        return {
            "packs": self.packing.packs,
            "before the palletiser": len(self.packs),
            "in the palletiser": self.palletiser.loaded,
            "before the cart": sum(len(pallet) for pallet in self.pallets),
            "on the cart": self.cart.loaded,
            "stored": self.cart.packs_stored,
        }

    def _assemblies(self) -> dict[str, int]:
        return {
            "in the robot": self.robot.loaded,
            "scrapped by the robot": self.robot.scrap,
            "before inspection": len(self.assembled),
            "in inspection": self.inspection.loaded,
            "rejected by inspection": self.inspection.rejected,
            "before packing": len(self.inspected),
            "in packing": self.packing.loaded,
            "packed": self.packing.packed,
            "rejected": self.packing.rejects,
        }
