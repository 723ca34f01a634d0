"""A question and its answer, on each kind of line."""

from __future__ import annotations

from typing import Final, Protocol

import anyio

from weft.connect.modbus import rtu
from weft.connect.modbus.frames import BadFrame, Frame, Splitter, encode
from weft.connect.modbus.ports import Bytes, Serial
from weft.runtime import Retry, get_logger, metrics

__all__ = ["Mbap", "Rtu", "Silence", "Unanswered", "Wire"]

log = get_logger(__name__)

LATE: Final = metrics.counter(
    "modbus_late_answers", "Answers that came after their question was given up", "peer"
)
# A USB adapter hands bytes over every 16 ms, and the system has other things to do: a pause on our side of it says
# that a frame was cut off only when it is longer than that.
PAUSE: Final = 0.05


class Silence(Exception):
    """No answer within the time limit."""


class Unanswered(Retry):
    """The line was lost after the question had gone out: it may have been heard."""


class Wire(Protocol):
    """One question at a time, to one of the units on the line."""

    port: Bytes
    late: int

    async def exchange(self, unit: int, pdu: bytes, timeout: float) -> bytes:
        """The PDU that answers ``pdu``. Raises Silence when none comes in time, BadFrame when the line speaks
        something else, Unanswered when it is lost meanwhile, Retry when nothing could be sent."""
        ...


class Mbap:
    """Modbus TCP. Every question carries its own transaction id. What arrives with another one is the late answer
    to a question that was given up: it is counted in ``late`` and thrown away, never taken for the present
    answer."""

    def __init__(self, port: Bytes) -> None:
        self.port = port
        self.late = 0
        self._splitter = Splitter()
        self._transaction = 0

    async def exchange(self, unit: int, pdu: bytes, timeout: float) -> bytes:
        self._transaction = (self._transaction + 1) & 0xFFFF
        try:
            with anyio.fail_after(timeout):
                await self.port.send(encode(Frame(self._transaction, unit, pdu)))
                answer: Frame | None = None
                while answer is None:
                    answer = self._mine(self._splitter.feed(await heard(self.port)))
        except TimeoutError:
            raise Silence from None
        if answer.unit != unit:
            raise BadFrame(f"unit {answer.unit} answers for unit {unit}")
        return answer.pdu

    def _mine(self, frames: list[Frame]) -> Frame | None:
        answer: Frame | None = None
        for frame in frames:
            if frame.transaction == self._transaction and answer is None:
                answer = frame
            else:
                self.late += 1
                _note_late(self.port.peer, frame.unit, self.late)
        return answer


class Rtu:
    """RTU frames, on a serial line or over TCP. They carry no number: after a question that nobody answered, TCP is
    made anew, and a serial line is emptied and what does not fit the question is thrown away."""

    def __init__(self, port: Bytes) -> None:
        self.port = port
        self.late = 0
        self._quiet = 0.0  # from when on the line may be used (monotonic seconds)
        self._dirty = False

    async def exchange(self, unit: int, pdu: bytes, timeout: float) -> bytes:
        frame = rtu.encode(unit, pdu)
        await self._settle()
        self._dirty = True  # until the answer is here; also when the wait is cancelled
        try:
            with anyio.fail_after(timeout + self.port.flight * (len(frame) + rtu.MOST)):
                await self.port.send(frame)
                if self.port.echo:
                    await self._hear(frame)
                answer = await self._answer(unit, pdu)
        except TimeoutError:
            raise Silence from None
        finally:
            self._quiet = anyio.current_time() + self.port.silence
        self._dirty = False
        return answer

    async def _settle(self) -> None:
        if self._dirty or isinstance(self.port, Serial):
            await self.port.restart()
        wait = self._quiet - anyio.current_time()
        if wait > 0:
            await anyio.sleep(wait)

    async def _hear(self, frame: bytes) -> None:
        own = b""
        while len(own) < len(frame):
            own += await heard(self.port)
        if own[: len(frame)] != frame:
            raise TimeoutError  # somebody spoke at the same time

    async def _answer(self, unit: int, pdu: bytes) -> bytes:
        collector = rtu.Collector()
        while True:
            data = await self._receive(collector)
            try:
                found = collector.feed(data)
                while found is not None and not (found[0] == unit and rtu.answers(pdu, found[1])):
                    self.late += 1
                    _note_late(self.port.peer, found[0], self.late)
                    found = collector.feed(b"")
            except ValueError as error:
                raise self._damaged(str(error)) from error
            if found is not None:
                return found[1]

    async def _receive(self, collector: rtu.Collector) -> bytes:
        """The next bytes; a frame that stops in the middle is cut off [2.5.1.1]."""
        if not collector.bytes or not self.port.flight:
            return await heard(self.port)
        with anyio.move_on_after(self.port.silence + PAUSE):
            return await heard(self.port)
        raise self._damaged("it is cut off")

    def _damaged(self, why: str) -> TimeoutError | BadFrame:
        # On a serial line noise is part of life: a damaged answer is like none, and asked for again.
        if not self.port.flight:
            return BadFrame(f"an RTU frame that cannot be: {why}")
        log.debug("damaged RTU frame", peer=self.port.peer, because=why)
        return TimeoutError(why)


async def heard(port: Bytes) -> bytes:
    """What comes after a question. Raises Unanswered."""
    try:
        return await port.receive()
    except Retry as error:
        raise Unanswered(error.message, remedy=error.remedy) from error


def _note_late(peer: str, unit: int, count: int) -> None:
    LATE.labels(peer).inc()
    log.warning("late Modbus answer discarded", peer=peer, unit=unit, discarded=count)
