"""One line to a Modbus device or to several units: a question at a time, and only its own answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import anyio

from weft.connect.modbus.address import Config
from weft.connect.modbus.frames import BadFrame, payload, read, written
from weft.connect.modbus.ports import Serial, Tcp
from weft.connect.modbus.wire import Mbap, Rtu, Silence, Unanswered, Wire
from weft.runtime import Retry

__all__ = ["Client", "Silence", "connect"]


@asynccontextmanager
async def connect(config: Config) -> AsyncIterator[Client]:
    """An open line. Raises Retry when there is none to be had, NeedsHuman when it may not be opened."""
    port = Tcp(config.host, config.port, config.timeout) if config.serial is None else Serial(config.serial)
    await port.open()
    try:
        yield Client(Mbap(port) if config.transport == "tcp" else Rtu(port), config.timeout)
    finally:
        await port.close()


class Client:
    """Asks over ``wire`` and waits ``timeout`` seconds for each answer. Whoever asks while another question is out
    waits for his turn, first come, first served."""

    def __init__(self, wire: Wire, timeout: float) -> None:
        self.peer = wire.port.peer
        self._wire = wire
        self._timeout = timeout
        self._turn = anyio.Lock(fast_acquire=True)
        self._lost: Retry | None = None
        self.writing = anyio.Lock()  # for who reads something in order to write it

    @property
    def late(self) -> int:
        """Answers that came too late for their question."""
        return self._wire.late

    async def read(
        self, unit: int, function: int, start: int, count: int, patience: float | None = None
    ) -> bytes:
        """The data bytes of ``count`` registers or bits. Raises DeviceError, Silence, Retry."""
        pdu = await self.ask(unit, read(function, start, count), patience)
        try:
            return payload(pdu, function, count)
        except BadFrame as error:
            self._broken(error)

    async def write(self, unit: int, request: bytes) -> None:
        """Sends one write and checks that the device says it did just that. Never sent twice. Raises DeviceError,
        Silence or Unanswered when it may have happened, Retry when it has not."""
        pdu = await self.ask(unit, request)
        try:
            written(pdu, request)
        except BadFrame as error:
            self._broken(error)

    async def ask(self, unit: int, pdu: bytes, patience: float | None = None) -> bytes:
        """The PDU that answers ``pdu``, within ``patience`` or the time limit. Raises Silence when none comes in
        time, Retry when the connection is lost or speaks something else."""
        async with self._turn:
            if self._lost is not None:
                raise Retry(self._lost.message, remedy=self._lost.remedy)
            try:
                return await self._wire.exchange(unit, pdu, patience or self._timeout)
            except BadFrame as error:
                self._broken(error)
            except Retry as error:
                self._lost = error
                raise

    def _broken(self, error: BadFrame) -> NoReturn:
        self._lost = Unanswered(
            f"{self.peer} sent what is no Modbus answer: {error}. The connection is dropped.",
            remedy="Check that the address and the transport lead to a Modbus device.",
        )
        raise self._lost from error
