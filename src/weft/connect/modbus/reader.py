"""Reads blocks into a round, and learns which registers a device refuses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from weft.connect.api import Link, Point
from weft.connect.modbus.address import Config
from weft.connect.modbus.client import Client, Silence
from weft.connect.modbus.frames import DeviceError
from weft.connect.modbus.plan import CLOCK, FACTOR, Block, Span, halves
from weft.connect.modbus.registers import RegisterMap
from weft.connect.modbus.round import Round
from weft.model import quality
from weft.runtime import Retry, get_logger

__all__ = ["Away", "Reader"]

log = get_logger(__name__)

PATIENCE: Final = 3

ABSENT: Final = {
    1: quality.BAD_NOT_SUPPORTED,
    2: quality.BAD_NODE_ID_UNKNOWN,
    3: quality.BAD_OUT_OF_RANGE,
}
SPLITS: Final = frozenset({2, 3})
GATEWAY: Final = frozenset({10, 11})  # the gateway is there, the unit behind it is not


class Away(Exception):
    """A unit does not answer, or its gateway cannot reach it."""


class Reader:
    """Asks for the blocks of ``registers``.

    A block that is refused is halved until the register is found that is not there; its point is refused and
    the others are read in the same cycle. What was learnt changes the plan after the cycle (:meth:`learn`).
    """

    def __init__(self, config: Config, link: Link, client: Client) -> None:
        self.answered = False
        self.patience: float | None = (
            None  # seconds to wait for an answer, None is the connection's time limit
        )
        self.away: set[int] = set()
        self._config = config
        self._link = link
        self._client = client
        self._unanswered = 0
        self._heard: set[int] = set()
        self._refused: list[Span] = []
        self._walls: list[Span] = []
        self.follow(link.points)

    def follow(self, points: Sequence[Point]) -> None:
        """Reads other points from now on."""
        self.registers = RegisterMap(points, self._config)
        for point in self.registers.too_wide:
            reason = f"The value is wider than the {self._config.max_registers} registers of a request."
            self._link.refuse(point, quality.BAD_CONFIGURATION_ERROR, reason)

    async def read(self, block: Block, round: Round) -> bool:
        """Whether all of the block was read. Raises Away, Retry."""
        pending, read = [block], list[Block]()
        refused = len(self._refused)
        while pending:
            part = pending.pop()
            try:
                data = await self.ask(part)
            except DeviceError as error:
                if error.code in SPLITS and len(part.spans) > 1:
                    pending += reversed(halves(part))
                else:
                    self._failed(part, error, round)
                continue
            self.registers.layout.store(block, part, data)
            round.read(self.registers.layout.rows(part), self._link.clock.now())
            read.append(part)
        if len(read) > 1 and len(self._refused) == refused:
            self._walls += [part.spans[0] for part in read[1:]]
        return read == [block]

    async def ask(self, block: Block) -> bytes:
        """The block's data. One lost answer is asked for again, unless the unit was never heard before. Raises
        DeviceError, Away, Retry."""
        while True:
            try:
                data = await self._client.read(
                    block.unit, block.function, block.start, block.count, self.patience
                )
            except DeviceError as error:
                self.answered, self._unanswered = True, 0
                if error.code in GATEWAY:
                    raise Away(str(error)) from None
                self._heard.add(block.unit)
                raise
            except Silence:
                self._silence(block.unit)
            else:
                self.answered, self._unanswered = True, 0
                self._heard.add(block.unit)
                return data

    def learn(self) -> bool:
        """Plans anew when the last cycle has taught something; says whether it did."""
        if not self._refused and not self._walls:
            return False
        self.registers.learn(self._refused, self._walls, self._link.clock.monotonic())
        self._refused, self._walls = [], []
        return True

    async def try_refused(self) -> bool:
        """Asks again for what was refused a while ago, one register in a cycle; whether it is there now."""
        now = self._link.clock.monotonic()
        span = self.registers.due(now)
        if span is None:
            return False
        try:
            await self.ask(Block((span,)))
        except (DeviceError, Away):
            self.registers.postpone(span, now)
            return False
        self.registers.forget()
        return True

    def _silence(self, unit: int) -> None:
        self._unanswered += 1
        others = self.registers.units.keys() - {unit} - self.away
        if self._unanswered >= PATIENCE and not others:
            raise Retry(
                f"{self._client.peer} takes connections but left {self._unanswered} questions in a row "
                f"unanswered, each for {self._config.timeout:g} s.",
                remedy=f"Is {unit} the right unit id?",
            ) from None
        alone = len(self.registers.units) == 1
        if self._unanswered > 1 or unit in self.away or (unit not in self._heard and not alone):
            raise Away("no answer") from None

    def _failed(self, part: Block, error: DeviceError, round: Round) -> None:
        """One span that is not there, or several that the device cannot read now."""
        status = ABSENT.get(error.code)
        if status is None:
            now = self._link.clock.now()
            round.bad(self.registers.layout.rows(part), quality.BAD_DEVICE_FAILURE, now)
            return
        for span in part.spans:
            self._refused.append(span)
            reason = f"Unit {span.unit}, {span.table} {span.start}: {error}."
            if span.point == CLOCK:
                log.warning("device clock refused", connection=self._link.name, reason=reason)
            elif span.point == FACTOR:
                log.warning("scale factor refused", connection=self._link.name, reason=reason)
            else:
                self._link.refuse(self.registers.points[span.point], status, reason)
