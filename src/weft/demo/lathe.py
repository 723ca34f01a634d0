"""The lathe: turns shafts from bars, and fails for the five reasons of the AI4I 2020 data set (Matzka 2020).

Reason             fails when
tool wear          a tool was not changed in time: somewhere between 200 and 240 min of use
heat dissipation   air and process are less than 8.6 K apart, below 1,380 /min
power              torque times speed is below 3,500 W or above 9,000 W
overstrain         wear times torque is above 11,000 min.N.m (12,000 and 13,000 for the better qualities)
random             one part in a thousand, without a reason

What leads there is an :class:`Ailment` that comes on over minutes, so it can be seen in the signals before it stops
the machine. A shaft is three minutes' wear and not a third of one: nobody wants to watch for a week.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from weft.demo.flow import Buffer, Part
from weft.demo.machine import Cause, Machine, State, Trouble, steps

__all__ = [
    "BAR", "LEAST_GAP", "LEAST_POWER", "LIFE", "MOST_POWER", "PHASES", "ROUGH", "Ailment", "Lathe", "Quality", "failure",
]  # fmt: skip

LIFE: Final = (200.0, 240.0)  # min of wear
LEAST_GAP: Final = 8.6  # K
SLOW: Final = 1380.0  # /min
LEAST_POWER: Final = 3500.0  # W
MOST_POWER: Final = 9000.0
UNRELATED: Final = 0.001  # of the parts
BAR: Final = 20  # shafts
KELVIN: Final = 273.15
TURNS: Final = 60.0 / math.tau  # /min for each rad/s


class Quality(NamedTuple):
    """Of a bar: ``wear`` in min for each shaft, ``strain`` in min.N.m, ``share`` of the bars."""

    name: str
    wear: float
    strain: float
    share: float


class Phase(NamedTuple):
    """``speed`` and ``torque`` as shares of the part's own, the ways of the axes in mm."""

    name: str
    seconds: float
    speed: float
    torque: float
    x: tuple[float, float]
    z: tuple[float, float]


class Ailment(NamedTuple):
    """Comes on over ``seconds`` after an exponential time of running (mean in s). At its worst the gap between the
    temperatures, the torque, the power are changed by these."""

    name: str
    mean: float
    seconds: float
    gap: float = 0.0
    torque: float = 1.0
    power: float = 1.0


QUALITIES: Final = (
    Quality("L", 2.0, 11_000.0, 0.5),
    Quality("M", 3.0, 12_000.0, 0.3),
    Quality("H", 5.0, 13_000.0, 0.2),
)
PHASES: Final = (
    Phase("load", 2.0, 0.0, 0.0, (120.0, 120.0), (220.0, 220.0)),
    Phase("rough", 7.0, 1.0, 1.0, (42.0, 31.0), (200.0, 60.0)),
    Phase("finish", 6.0, 1.35, 0.35, (30.0, 30.0), (200.0, 58.0)),
    Phase("part off", 3.0, 0.6, 0.5, (36.0, 0.0), (55.0, 55.0)),
    Phase("unload", 2.0, 0.0, 0.0, (120.0, 120.0), (55.0, 220.0)),
)
SCHEDULE: Final = tuple((p, i, steps(p.seconds)) for p in PHASES for i in range(steps(p.seconds)))
ROUGH: Final = 1
AILMENTS: Final = (
    Ailment("coolant nozzle clogged", 5400.0, 240.0, gap=-3.4, torque=1.12),
    Ailment("supply weak", 7200.0, 180.0, power=0.45),
    Ailment("hard spots in the bar", 6000.0, 150.0, torque=1.7),
)
REPAIRS: Final = {
    Cause.TOOL_WEAR: ("L101 TOOL WORN OUT", (60.0, 110.0, 180.0)),
    Cause.HEAT_DISSIPATION: ("L102 HEAT NOT CARRIED OFF", (120.0, 200.0, 400.0)),
    Cause.POWER: ("L103 SPINDLE POWER OUT OF RANGE", (90.0, 180.0, 360.0)),
    Cause.OVERSTRAIN: ("L104 TOOL OVERSTRAINED", (90.0, 150.0, 300.0)),
    Cause.RANDOM: ("L105 CONTROL FAULT", (60.0, 90.0, 240.0)),
}
TROUBLES: Final = (
    Trouble(
        Cause.MICRO_STOP,
        ("L21 CHIPS IN THE CHUCK", "L27 BAR FEEDER NOT READY", "L30 TAILSTOCK PRESSURE LOW"),
        mean=520.0,
        repair=(7.0, 12.0, 30.0),
    ),
)


def failure(*, gap: float, rpm: float, torque: float, wear: float, strain: float) -> Cause:
    """What the rules say of a cut; ``gap`` in K, ``torque`` in N.m, ``wear`` in min."""
    power = torque * rpm / TURNS
    if gap < LEAST_GAP and rpm < SLOW:
        return Cause.HEAT_DISSIPATION
    if not LEAST_POWER <= power <= MOST_POWER:
        return Cause.POWER
    if wear * torque > strain:
        return Cause.OVERSTRAIN
    return Cause.NONE


class Lathe(Machine):
    """``wear`` is the tool's in min; ``air`` and ``process`` are in Cel."""

    def __init__(self, seed: int, outfeed: Buffer[Part]) -> None:
        super().__init__("lathe", seed, TROUBLES)
        self.outfeed = outfeed
        self.bars, self.blanks, self.parts, self.scrap = 0, 0, 0, 0
        self.tool, self.wear = 1, 96.0
        self.left = 0
        self.quality = QUALITIES[0]
        self.serial, self.last_serial = "", ""
        self.progress = 0
        self.phase = PHASES[0]
        self.wanted_rpm, self.wanted_torque = 1500.0, 40.0
        self.rpm, self.torque, self.x, self.z = 0.0, 0.0, 120.0, 220.0
        self.air, self.gap, self.coolant = 25.5, 10.2, 3.1
        self.ailment: Ailment | None = None
        self._ill = 0
        self._onsets = {a: steps(self.random.expovariate(1.0 / a.mean)) for a in AILMENTS}
        self._set_life()

    @property
    def loaded(self) -> int:
        return int(bool(self.serial))

    @property
    def process(self) -> float:
        return self.air + self.gap + (0.9 * self.severity * self.ailment.gap if self.ailment else 0.0)

    @property
    def power(self) -> float:
        """At the spindle, in W."""
        return self.torque * self.rpm / TURNS

    @property
    def severity(self) -> float:
        """How far the ailment has come, 0 to 1."""
        return min(1.0, self._ill / steps(self.ailment.seconds)) if self.ailment else 0.0

    def premade(self) -> Part:
        """A shaft that was made before the simulation began."""
        self.blanks += 1
        self.parts += 1
        return Part(f"S{self.blanks:06d}", f"SHAFT-{self.quality.name}", 4.0)

    def work(self) -> bool:
        if not self.serial:
            self._load()
        if self.progress == len(SCHEDULE):
            return self._unload()
        self.phase, step, _ = SCHEDULE[self.progress]
        self.progress += 1
        self._fall_ill()
        if self.phase is PHASES[ROUGH] and step == steps(2.0):
            self._judge()
        return True

    def physics(self) -> None:
        phase, done = self._place()
        turning = self.running and self.phase.speed > 0.0
        rpm, torque = (self._rpm(phase), self._torque(phase)) if turning else (0.0, 0.0)
        self.rpm += max(-350.0, min(350.0, rpm - self.rpm))
        self.torque += 0.5 * (torque - self.torque)
        if self.running:
            self.x = phase.x[0] + done * (phase.x[1] - phase.x[0])
            self.z = phase.z[0] + done * (phase.z[1] - phase.z[0])
        if self.clock % 50 == 0:  # as the hall and the day go: a walk that does not run away
            self.air += 0.04 * self.random.gauss(0.0, 1.0) - 0.01 * (self.air - 25.5)
            self.gap += 0.03 * self.random.gauss(0.0, 1.0) - 0.05 * (
                self.gap - (10.4 if self.running else 9.4)
            )
        clogged = 2.2 * self.severity if self.ailment is AILMENTS[0] else 0.0
        self.coolant += 0.05 * ((3.1 if turning else 0.4) - clogged * turning - self.coolant)

    def _place(self) -> tuple[Phase, float]:
        phase, step, of = SCHEDULE[max(0, self.progress - 1)]
        return phase, (step + 1) / of

    def _rpm(self, phase: Phase) -> float:
        return self.wanted_rpm * phase.speed * (self._ail(1.0, "power"))

    def _torque(self, phase: Phase) -> float:
        return self.wanted_torque * phase.torque * self._ail(1.0, "torque") * (1.0 + 0.0006 * self.wear)

    def _ail(self, well: float, what: str) -> float:
        if self.ailment is None:
            return well
        worst: float = getattr(self.ailment, what)
        return well + self.severity * (worst - well)

    def _load(self) -> None:
        if not self.left:
            self.bars += 1
            self.left = BAR
            (self.quality,) = self.random.choices(QUALITIES, [q.share for q in QUALITIES])
        self.left -= 1
        self.blanks += 1
        self.serial = f"S{self.blanks:06d}"
        self.progress = 0
        self.wanted_torque = max(24.0, min(56.0, self.random.gauss(38.0, 5.0)))
        power = max(4600.0, min(7600.0, self.random.gauss(6000.0, 500.0)))
        self.wanted_rpm = min(2400.0, power / self.wanted_torque * TURNS)

    def _unload(self) -> bool:
        if not self.outfeed.room_for(1):
            return self.wait(Cause.BLOCKED)
        deviation = round(self.random.gauss(2.0 + 0.03 * self.wear, 2.5), 1)
        self.outfeed.put(Part(self.serial, f"SHAFT-{self.quality.name}", deviation))
        self.parts += 1
        self.wear += self.quality.wear
        self.happened("part", serial=self.serial, quality=self.quality.name, deviation=deviation)
        self.last_serial, self.serial = self.serial, ""
        if self.wear >= self._life:
            self._end_of_life()
        return True

    def _end_of_life(self) -> None:
        if self._forgotten:
            self._fail_for(Cause.TOOL_WEAR)
            return
        self._change_tool()
        self.halt(State.HELD, Cause.TOOL_CHANGE, 25.0)

    def _judge(self) -> None:
        """The rules, once a shaft, in the middle of the rough cut."""
        rough = PHASES[ROUGH]
        cause = failure(
            gap=self.process - self.air,
            rpm=self._rpm(rough),
            torque=self._torque(rough),
            wear=self.wear,
            strain=self.quality.strain,
        )
        if cause is Cause.NONE and self.random.random() < UNRELATED:
            cause = Cause.RANDOM
        if cause is not Cause.NONE:
            self._fail_for(cause)

    def _fail_for(self, cause: Cause) -> None:
        """The machine stands; the shaft in it is scrap, and the repair takes the ailment away."""
        alarm, (low, mode, high) = REPAIRS[cause]
        if self.serial:
            self.scrap += 1
            self.happened("scrap", serial=self.serial, reason=cause.name.replace("_", " ").lower())
            self.last_serial, self.serial = self.serial, ""
        self.happened(
            "failure", cause=int(cause), wear=self.wear, ailment=self.ailment.name if self.ailment else ""
        )
        if cause in {Cause.TOOL_WEAR, Cause.OVERSTRAIN}:
            self._change_tool()
        if self.ailment is not None:
            self._onsets[self.ailment] = self._ran + steps(self.random.expovariate(1.0 / self.ailment.mean))
            self.ailment, self._ill = None, 0
        self.halt(State.ABORTED, cause, self.random.triangular(low, high, mode), alarm)

    def _fall_ill(self) -> None:
        if self.ailment is not None:
            self._ill += 1
            if self._ill > 4 * steps(self.ailment.seconds):  # it went by
                self._onsets[self.ailment] = self._ran + steps(
                    self.random.expovariate(1.0 / self.ailment.mean)
                )
                self.ailment, self._ill = None, 0
            return
        self.ailment = next((ailment for ailment, due in self._onsets.items() if self._ran >= due), None)
        if self.ailment is not None:
            self.happened("ailment", name=self.ailment.name)

    def _change_tool(self) -> None:
        self.happened("tool", number=self.tool, wear=self.wear)
        self.tool, self.wear = self.tool % 6 + 1, 0.0
        self._set_life()

    def _set_life(self) -> None:
        """Some tools are changed in time, others are not."""
        self._life = self.random.uniform(*LIFE)
        self._forgotten = self.random.random() < 0.42
