"""The cycle: read all blocks, decode the values, emit one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from weft.connect.api import Link, Point
from weft.connect.rounds import Refusals, Rounds
from weft.connect.s7.address import Config, Place
from weft.connect.s7.client import Client
from weft.connect.s7.kinds import BadValue
from weft.connect.s7.pdu import READ_HEAD, RETURN_CODES, RequestError
from weft.connect.s7.plan import Block, blocks, requests
from weft.model import Batch, BatchBuilder, Flag, ValueType, quality
from weft.runtime import get_logger

__all__ = ["STATUSES", "Cycle", "Poll"]

log = get_logger(__name__)

STATUSES: Final = {
    0x01: quality.BAD_DEVICE_FAILURE,
    0x03: 0x801F0000,  # BadUserAccessDenied
    0x05: quality.BAD_NODE_ID_UNKNOWN,
    0x06: quality.BAD_TYPE_MISMATCH,
    0x07: quality.BAD_TYPE_MISMATCH,
    0x0A: quality.BAD_NODE_ID_UNKNOWN,
}


class Cycle:
    """The points as blocks, and one reading of them after the other."""

    def __init__(self, config: Config, client: Client, points: Sequence[Point]) -> None:
        self.points = points
        self.refused: dict[int, tuple[int, str]] = {}
        self._config, self._client = config, client
        self._places: list[Place] = [point.address.place for point in points]
        self.plan(range(len(points)))

    def plan(self, wanted: Sequence[int] | range) -> None:
        self._blocks = blocks(self._places, wanted, self._config.gap, self._most)

    @property
    def requests(self) -> int:
        return len(
            requests([item for block in self._blocks for item in block.items(self._most)], self._client.pdu)
        )

    @property
    def _most(self) -> int:
        return self._client.pdu - READ_HEAD - 4 & ~1

    async def read(self, now: int, flags: int) -> Batch:
        """All blocks; what is newly refused is in ``refused`` by index. Raises Retry."""
        builder = BatchBuilder()
        pending = self._blocks
        while pending:
            pending = await self._round(pending, builder, (now, flags))
        return builder.build(received=now)

    async def _round(self, asked: list[Block], builder: BatchBuilder, stamp: tuple[int, int]) -> list[Block]:
        """Reads blocks; those that were refused come back in halves, until the culprits are found."""
        items = [(number, item) for number, block in enumerate(asked) for item in block.items(self._most)]
        content: dict[int, bytearray] = {number: bytearray() for number in range(len(asked))}
        failed: dict[int, int] = {}
        at = 0
        for request in requests([item for _, item in items], self._client.pdu):
            numbers = [number for number, _ in items[at : at + len(request)]]
            at += len(request)
            try:
                answers: Sequence[bytes | int] = await self._client.read(request)
            except RequestError as error:
                log.debug("S7 request refused", peer=self._client.peer, because=str(error))
                answers = [0x03 if error.code == 0x04 else 0x01] * len(request)
            for number, answer in zip(numbers, answers, strict=True):
                if isinstance(answer, int):
                    failed[number] = answer
                else:
                    content[number] += answer
        halves: list[Block] = []
        for number, block in enumerate(asked):
            if number not in failed:
                self._decode(block, bytes(content[number]), builder, stamp)
            elif len(block.points) > 1:
                middle = len(block.points) // 2
                for part in (block.points[:middle], block.points[middle:]):
                    halves += blocks(self._places, part, self._config.gap, self._most)
            else:
                self._refuse(block, failed[number])
        return halves

    def _decode(self, block: Block, data: bytes, builder: BatchBuilder, stamp: tuple[int, int]) -> None:
        now, flags = stamp
        for i in block.points:
            place = self._places[i]
            begin = place.offset - block.start
            try:
                value, type, status = place.decode(data[begin : place.end - block.start]), place.type, 0
            except BadValue:
                value, type, status = None, ValueType.NULL, quality.BAD_DECODING_ERROR
            builder.add(self.points[i].handle, now, value, type, status, flags)

    def _refuse(self, block: Block, code: int) -> None:
        status = STATUSES.get(code, quality.BAD_DEVICE_FAILURE)
        words = RETURN_CODES.get(code, f"return code 0x{code:02X}")
        if code in {0x03, 0x0A}:
            words += "; a data block must not be optimized, and PUT/GET must be allowed"
        self.refused[block.points[0]] = (status, f"{block.name}: {words}.")


class Poll:
    """Reads the link's points over ``client`` until cancelled or the line is lost."""

    def __init__(self, config: Config, link: Link, client: Client) -> None:
        self._config, self._link, self._client = config, link, client
        self._refusals = Refusals(link)
        self._rounds = Rounds(link, config.interval)

    async def run(self) -> None:
        """Until cancelled. Raises Retry."""
        await self._rounds.run(self._turn)

    async def _turn(self) -> None:
        flags, cycle, detail = int(Flag.FIRST), None, ""
        while True:
            if cycle is None or cycle.points is not self._link.points:
                self._refusals.clear()
                cycle = Cycle(self._config, self._client, self._link.points)
            self._refusals.ask_again(cycle)
            batch = await cycle.read(self._link.clock.now(), flags | Flag.RECEIVE_TIME)
            told = (
                f"{len(cycle.points)} signals in {cycle.requests} requests every {self._config.interval:g} s"
            )
            if told != detail:
                detail = told
                self._link.up(detail)
            if len(batch):
                self._link.emit(batch)
                flags = 0
            self._refusals.learn(cycle)
            await self._rounds.rest(cycle.points)
