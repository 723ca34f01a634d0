"""One TCP connection to a Modbus device: a question at a time, and only its own answer."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NoReturn

import anyio
from anyio.abc import ByteStream

from weft.connect.modbus.address import Config
from weft.connect.modbus.frames import BadFrame, Frame, Splitter, encode, payload, read
from weft.runtime import Retry, get_logger, metrics

__all__ = ["Client", "Silence", "connect"]

log = get_logger(__name__)

CHUNK: Final = 4096
LATE: Final = metrics.counter(
    "modbus_late_answers", "Answers that came after their question was given up", "peer"
)


class Silence(Exception):
    """No answer within the time limit."""


@asynccontextmanager
async def connect(config: Config) -> AsyncIterator[Client]:
    """An open connection. Raises Retry when there is none to be had."""
    peer = f"{config.host}:{config.port}"
    try:
        with anyio.fail_after(config.timeout):
            stream = await anyio.connect_tcp(config.host, config.port)
    except TimeoutError:
        raise Retry(f"{peer} did not accept a connection within {config.timeout:g} s.") from None
    except (OSError, UnicodeError) as error:  # the latter: a name that cannot be one
        raise Retry(
            f"No connection to {peer}: {_reason(error)}.",
            remedy="Is the device on, and is Modbus TCP enabled on it?",
        ) from error
    async with stream:
        yield Client(stream, peer, config.timeout)


def _reason(error: BaseException) -> str:
    """The system's own words for it."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, BaseExceptionGroup):
        return _reason(error.exceptions[0])
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)


class Client:
    """Asks over ``stream`` and waits ``timeout`` seconds for each answer.

    Every question carries its own transaction id. What arrives with another one is the late answer to a
    question that was given up: it is counted in ``late`` and thrown away, never taken for the present answer.
    """

    def __init__(self, stream: ByteStream, peer: str, timeout: float) -> None:
        self.peer = peer
        self.late = 0
        self._stream = stream
        self._timeout = timeout
        self._splitter = Splitter()
        self._transaction = 0

    async def read(self, unit: int, function: int, start: int, count: int) -> bytes:
        """The data bytes of ``count`` registers or bits. Raises DeviceError, Silence, Retry."""
        pdu = await self.ask(unit, read(function, start, count))
        try:
            return payload(pdu, function, count)
        except BadFrame as error:
            self._broken(error)

    async def ask(self, unit: int, pdu: bytes) -> bytes:
        """The PDU that answers ``pdu``. Raises Silence when none comes in time, Retry when the connection is
        lost or speaks something else."""
        self._transaction = (self._transaction + 1) & 0xFFFF
        try:
            with anyio.fail_after(self._timeout):
                await self._stream.send(encode(Frame(self._transaction, unit, pdu)))
                return await self._answer(unit)
        except TimeoutError:
            raise Silence from None
        except BadFrame as error:
            self._broken(error)
        except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise Retry(f"{self.peer} closed the connection.") from error

    async def _answer(self, unit: int) -> bytes:
        answer: Frame | None = None
        while answer is None:
            for frame in self._splitter.feed(await self._stream.receive(CHUNK)):
                if frame.transaction == self._transaction and answer is None:
                    answer = frame
                else:
                    self._discard(frame)
        if answer.unit != unit:
            raise BadFrame(f"unit {answer.unit} answers for unit {unit}")
        return answer.pdu

    def _discard(self, frame: Frame) -> None:
        self.late += 1
        LATE.labels(self.peer).inc()
        log.warning(
            "late Modbus answer discarded",
            peer=self.peer,
            transaction=frame.transaction,
            expected=self._transaction,
            discarded=self.late,
        )

    def _broken(self, error: BadFrame) -> NoReturn:
        raise Retry(
            f"{self.peer} sent what is no Modbus TCP answer: {error}. The connection is dropped.",
            remedy="Check that host and port lead to a Modbus TCP device.",
        ) from error
