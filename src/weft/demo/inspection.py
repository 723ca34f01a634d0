"""The inspection station: measures each assembly, looks at it, and lets no bad one pass."""

from __future__ import annotations

from typing import Final, NamedTuple

from weft.demo.flow import Buffer, Part
from weft.demo.machine import STEP, Cause, Machine, Trouble, steps

__all__ = ["FEATURES", "FLAWS", "Feature", "Inspection"]

MEASURING: Final = steps(10.0)
FLAWS: Final = ("none", "scratch", "dent", "burr")
FLAWED: Final = 0.03  # of the assemblies

TROUBLES: Final = (
    Trouble(
        Cause.MICRO_STOP,
        ("I12 PROBE NOT CALIBRATED", "I15 PICTURE TOO DARK", "I19 CODE NOT READ"),
        mean=600.0,
        repair=(5.0, 9.0, 25.0),
    ),
    Trouble(
        Cause.BREAKDOWN, ("I03 CAMERA LOST", "I04 PROBE BROKEN"), mean=7200.0, repair=(80.0, 180.0, 420.0)
    ),
)


class Feature(NamedTuple):
    """What is measured: ``nominal`` in mm, and how far in um it may be off."""

    name: str
    nominal: float
    below: float
    above: float


FEATURES: Final = (
    Feature("bore", 42.000, 0.0, 25.0),
    Feature("height", 118.500, 60.0, 60.0),
    Feature("runout", 0.0, 0.0, 30.0),
    Feature("gap", 0.100, 100.0, 40.0),
    Feature("flatness", 0.0, 0.0, 25.0),
)


class Inspection(Machine):
    """``sizes`` are the last assembly's in mm, in the order of :data:`FEATURES`."""

    def __init__(self, seed: int, infeed: Buffer[Part], outfeed: Buffer[Part]) -> None:
        super().__init__("inspection", seed, TROUBLES)
        self.infeed, self.outfeed = infeed, outfeed
        self.part: Part | None = None
        self.last: Part | None = None
        self.good = True
        self.flaw = 0
        self.sizes = tuple(feature.nominal for feature in FEATURES)
        self.inspected, self.passed, self.rejected = 0, 0, 0
        self.lamp, self.temperature = 99.2, 27.0
        self.progress = 0

    @property
    def loaded(self) -> int:
        return int(self.part is not None)

    @property
    def serial(self) -> str:
        """Of what was inspected last."""
        return self.last.serial if self.last else ""

    def work(self) -> bool:
        if self.part is None:
            if not len(self.infeed):
                return self.wait(Cause.STARVED)
            self.part, self.progress = self.infeed.take(), 0
        if self.progress < MEASURING:
            self.progress += 1
            return True
        if not self.outfeed.room_for(1):
            return self.wait(Cause.BLOCKED)
        self._judge(self.part)
        return True

    def physics(self) -> None:
        warm = 0.011 if self.running else 0.006
        self.temperature += STEP * (warm - 0.0012 * (self.temperature - 22.0))
        if self.running:
            self.lamp = self.lamp - STEP * 4e-5 if self.lamp > 70.0 else 100.0

    def _judge(self, part: Part) -> None:
        gauss = self.random.gauss
        off = (
            10.0 + 0.4 * part.deviation + gauss(0.0, 3.0),
            gauss(4.0, 9.0),
            part.runout,
            part.gap - 4.0,
            abs(gauss(8.0, 3.0)),
        )
        self.sizes = tuple(round(f.nominal + um / 1000.0, 4) for f, um in zip(FEATURES, off, strict=True))
        fits = all(-f.below <= um <= f.above for f, um in zip(FEATURES, off, strict=True))
        self.flaw = self.random.randrange(1, len(FLAWS)) if self.random.random() < FLAWED else 0
        self.good = fits and not self.flaw
        self.part, self.last = None, part
        self.inspected += 1
        if self.good:
            self.passed += 1
            self.outfeed.put(part)
        else:
            self.rejected += 1
        self.happened(
            "measured", serial=part.serial, good=self.good, flaw=FLAWS[self.flaw], sizes=list(self.sizes)
        )
