"""A Modbus TCP server of read-only registers (Modbus Application Protocol V1.1b3; Messaging on TCP/IP V1.0b)."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from typing import Final

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

from weft.demo.factory import Factory
from weft.demo.registers import Bank
from weft.demo.timeline import Timeline, fast_forward, play
from weft.demo.truth import Truth

__all__ = ["ModbusServer"]

HEADER: Final = struct.Struct(">HHHB")  # transaction, protocol 0, length of the rest, unit
READ: Final = (3, 4)  # holding and input registers
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, NO_TARGET = 1, 2, 3, 11
_GONE: Final = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)


class ModbusServer:
    """Serves ``banks``, filled from ``factory`` every ``period`` steps by ``load``.

    With ``lockstep`` the factory goes on by one period only when every register in use was read: whoever polls
    sees every state, as fast as it polls, though never one that lies in the future.
    """

    def __init__(
        self,
        banks: Sequence[Bank],
        factory: Factory,
        timeline: Timeline,
        truth: Truth,
        *,
        period: int,
        load: Callable[[Bank, int], None],
        lockstep: bool = False,
    ) -> None:
        self._banks = {bank.unit: bank for bank in banks}
        self._factory = factory
        self._timeline = timeline
        self._truth = truth
        self._period = period
        self._load = load
        self._lockstep = lockstep
        self._read = anyio.Event()

    async def run(
        self,
        port: int,
        resume: int = 0,
        *,
        task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Until cancelled; reports its port when it listens. ``resume`` is the step from which a lock-step
        goes on."""
        if self._lockstep:
            await fast_forward(self._factory, resume)
        await self._show()
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
        task_status.started(listener.extra(SocketAttribute.local_port))  # noqa: S610  # no Django here
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(self._steps if self._lockstep else self._plays)
            await listener.serve(self._serve)

    async def _plays(self) -> None:
        await play(self._factory, self._timeline, self._period, self._show)

    async def _steps(self) -> None:
        while not self._timeline.ended(self._factory.clock):
            await self._read.wait()
            step = self._timeline.after(self._factory.clock, self._period)
            ahead = self._timeline.time_of(step) - time.time_ns()
            await anyio.sleep(max(0.0, ahead / 1e9))
            await fast_forward(self._factory, step)
            await self._show()

    async def _show(self) -> None:
        for bank in self._banks.values():
            self._load(bank, self._timeline.time_of(self._factory.clock))
        self._truth.happened(self._factory.happenings(), self._timeline)
        self._read = anyio.Event()

    async def _serve(self, stream: SocketStream) -> None:
        async with stream:
            source = BufferedByteReceiveStream(stream)
            try:
                while True:
                    await self._exchange(source, stream)
            except _GONE:
                return

    async def _exchange(self, source: BufferedByteReceiveStream, stream: SocketStream) -> None:
        transaction, protocol, length, unit = HEADER.unpack(await source.receive_exactly(HEADER.size))
        if protocol != 0 or not 2 <= length <= 254:
            raise anyio.EndOfStream  # no Modbus: there is no way to find the next frame
        request = await source.receive_exactly(length - 1)
        bank = self._banks.get(unit)
        fault = _fault(bank, request)
        if fault or bank is None:
            answer = bytes((request[0] | 0x80, fault))
            await stream.send(HEADER.pack(transaction, 0, len(answer) + 1, unit) + answer)
            return
        await self._answer(bank, request, transaction, stream)

    async def _answer(self, bank: Bank, request: bytes, transaction: int, stream: SocketStream) -> None:
        function, start, count = struct.unpack(">BHH", request)
        if not bank.touched:
            self._truth.show(bank.rows)
        answer = bytes((function, count * 2)) + bank.read(start, count)
        moment = self._factory.clock
        await stream.send(HEADER.pack(transaction, 0, len(answer) + 1, bank.unit) + answer)
        if moment == self._factory.clock:
            bank.sent(start, count)
            if all(bank.complete for bank in self._banks.values()):
                self._read.set()


def _fault(bank: Bank | None, request: bytes) -> int:
    """The exception code for a request; 0 when it is fine."""
    if bank is None:
        return NO_TARGET
    if request[0] not in READ:
        return ILLEGAL_FUNCTION
    if len(request) != 5:
        return ILLEGAL_VALUE
    _, start, count = struct.unpack(">BHH", request)
    if not 1 <= count <= 125:
        return ILLEGAL_VALUE
    return 0 if request[0] == bank.table and bank.holds(start, count) else ILLEGAL_ADDRESS
