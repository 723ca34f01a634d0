"""The cycle: read every unit's blocks, give the values their time, emit one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from weft.connect.api import Link, Point
from weft.connect.modbus.address import Config, DeviceClock
from weft.connect.modbus.client import Client
from weft.connect.modbus.frames import DeviceError
from weft.connect.modbus.layout import clock_time
from weft.connect.modbus.plan import Block, Span
from weft.connect.modbus.reader import Away, Reader
from weft.connect.modbus.round import Round
from weft.connect.rounds import Rounds
from weft.model import Flag, quality

__all__ = ["Poll"]

SETTLE: Final = 3
LONGEST_NAP: Final = 30.0
PATIENT: Final = 4  # of so many looks for a unit that is away, one waits the whole time limit
HASTE: Final = 0.05  # seconds that the others wait for each of the other looks at most, where no time is left
MARGIN: Final = 0.02


class _Nap(Struct):
    """A unit that was away: how often in a row, and until when it is left alone (monotonic seconds)."""

    failures: int = 0
    until: float = 0.0


class _Outcome(Struct, frozen=True):
    """A pass over a unit's blocks: the clock's registers (empty when they were not read), whether they were
    the same at its end, and whether every block was read whole."""

    clock: bytes
    settled: bool
    whole: bool


class Poll:
    """Reads the link's points over ``client`` until cancelled or the line is lost.

    With a device clock, values carry the time that was read in their own request. Where they do not fit into
    one request, the clock is read first and last, and all of it again (at most three times) while the two
    differ; if they still do, the values outside the clock's own request get the first time and
    ``Flag.CLOCK_SUSPECT``. A block that is byte for byte the same at the same device time is not sent twice.
    """

    def __init__(self, config: Config, link: Link, client: Client, phase: float | None = None) -> None:
        self._config = config
        self._link = link
        self._reader = Reader(config, link, client)
        self._seen = link.points
        self._naps: dict[int, _Nap] = {}
        self._running: set[int] = set()
        self._last: dict[Block, tuple[int, bytes]] = {}
        self._detail = ""
        self._flags = int(Flag.FIRST)
        self._rounds = Rounds(link, config.interval, phase)

    async def run(self) -> None:
        """Until cancelled. Raises Retry."""
        await self._rounds.run(self._turn)

    async def _turn(self) -> None:
        while True:
            if self._link.points is not self._seen:
                self._follow(self._link.points)
            await self._cycle()
            await self._rounds.rest(self._seen)

    def _follow(self, points: Sequence[Point]) -> None:
        self._seen = points
        self._reader.follow(points)
        self._last.clear()

    async def _cycle(self) -> None:
        """Reads the units that are there one after the other, and then one of those that were away: it may cost a
        time limit, and the others' values are on their way by then."""
        registers = self._reader.registers
        began = self._link.clock.monotonic()
        round = Round(registers)
        naps = {unit: self._naps.setdefault(unit, _Nap()) for unit in registers.units}
        away = [unit for unit in naps if unit in self._reader.away]
        for unit, blocks in registers.units.items():
            if unit in away:
                continue
            try:
                await self._read_unit(unit, blocks, round)
            except Away:
                self._absent(unit, naps[unit], blocks, round)
                self._emit(round)
                round = Round(registers)
            else:
                naps[unit].failures = 0
        self._tell_up()
        self._emit(round)
        due = [unit for unit in away if naps[unit].until <= began]
        if due:
            await self._look_for(min(due, key=lambda unit: naps[unit].until), began)
        self._reader.learn()
        await self._reader.try_refused()

    async def _look_for(self, unit: int, began: float) -> None:
        """Whether a unit that was away is back. It gets the time that the cycle has left over; when that is too
        little again and again, it gets the whole time limit now and then."""
        nap, blocks = self._naps[unit], self._reader.registers.units[unit]
        left = self._config.interval - (self._link.clock.monotonic() - began) - MARGIN
        longest = nap.failures % PATIENT == 0 or left >= self._config.timeout
        self._reader.patience = None if longest else max(left, HASTE)
        round = Round(self._reader.registers)
        try:
            await self._read_unit(unit, blocks, round)
        except Away:
            self._absent(unit, nap, blocks, round)
        else:
            nap.failures = 0
            self._reader.away.discard(unit)
        finally:
            self._reader.patience = None
        self._tell_up()
        self._emit(round)

    def _emit(self, round: Round) -> None:
        batch = round.batch(self._flags)
        if len(batch):
            self._link.emit(batch)
            self._flags = 0

    async def _read_unit(self, unit: int, blocks: list[Block], round: Round) -> None:
        span = self._reader.registers.clock(unit)
        clock = self._config.clock
        if span is None or clock is None:
            for block in blocks:
                await self._reader.read(block, round)
            return
        # A clock that never stood still during a whole reading is not asked to do so in every cycle.
        for _ in range(1 if unit in self._running else SETTLE):
            outcome = await self._read_once(blocks, span, round)
            if outcome.settled or not outcome.whole:
                break
        if outcome.whole:
            (self._running.discard if outcome.settled else self._running.add)(unit)
        self._stamp(blocks, outcome, clock, round)

    async def _read_once(self, blocks: list[Block], span: Span, round: Round) -> _Outcome:
        """One pass over all blocks of a unit with a clock, whose block comes first."""
        first, *others = blocks
        whole = await self._reader.read(first, round)
        clock = self._reader.registers.layout.part(first, span) if whole else b""
        for block in others:
            whole &= await self._reader.read(block, round)
        settled = not others
        if clock and others:
            try:
                settled = await self._reader.ask(Block((span,))) == clock
            except DeviceError:
                settled = False
        return _Outcome(clock, settled, whole)

    def _stamp(self, blocks: list[Block], outcome: _Outcome, clock: DeviceClock, round: Round) -> None:
        if not outcome.clock:
            return
        layout = self._reader.registers.layout
        time = clock_time(outcome.clock, clock)
        for i, block in enumerate(blocks):
            rows = layout.rows(block)
            if time is None:
                round.mark(rows, Flag.CLOCK_SUSPECT)
                continue
            round.stamp(rows, time, 0 if i == 0 or outcome.settled else int(Flag.CLOCK_SUSPECT))
            news = (time, layout.data(block))
            if round.failed(rows):
                self._last.pop(block, None)
            elif self._last.get(block) == news:
                round.withdraw(rows)
            else:
                self._last[block] = news

    def _absent(self, unit: int, nap: _Nap, blocks: list[Block], round: Round) -> None:
        """The unit's signals are bad now, and it is asked more and more seldom: each question that nobody
        answers costs the other units a whole time limit."""
        now, registers = self._link.clock, self._reader.registers
        nap.failures += 1
        pause = self._config.interval * 2 ** min(nap.failures - 1, 16) if nap.failures > 1 else 0.0
        nap.until = now.monotonic() + min(pause, LONGEST_NAP)
        self._reader.away.add(unit)
        for block in blocks:
            rows = registers.layout.rows(block)
            if registers.clock(unit) is None:
                round.missing(rows, quality.BAD_NO_COMMUNICATION, now.now())
            else:  # what was read has not got its time yet
                round.bad(rows, quality.BAD_NO_COMMUNICATION, now.now())
            self._last.pop(block, None)

    def _tell_up(self) -> None:
        registers = self._reader.registers
        detail = (
            f"{len(registers.layout)} signals in {registers.requests} requests "
            f"every {self._config.interval:g} s"
        )
        if detail != self._detail and (self._reader.answered or not registers.points):
            self._detail = detail
            self._link.up(detail)
