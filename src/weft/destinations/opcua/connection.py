"""One client's TCP connection: chunks in, answers out. Requests are taken one after the other; what must wait for
the field waits beside, so that it holds up nothing else of this client."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.lowlevel
from anyio.abc import SocketAttribute, SocketStream, TaskGroup

from weft.destinations.opcua.channel import MAX_CHUNK, Channel, Message, Rules, goodbye
from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.request import Request, fault
from weft.runtime import get_logger
from weft.ua.guard import FAULTS

if TYPE_CHECKING:
    from weft.destinations.opcua.session import Session

__all__ = ["Connection", "Dispatch", "address_of"]

log = get_logger(__name__)

Dispatch = Callable[[Request], None]

_HEADER: Final = 8
_FAREWELL: Final = 1.0
_MOST_BESIDE: Final = 20
_MOST_UNSENT: Final = 32 << 20
_ENOUGH_UNSENT: Final = 1 << 20  # then no further request is taken
_LOSSES: Final = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


class Connection:
    """``session`` is the one that runs over it, if any; ``busy`` counts what waits beside."""

    def __init__(self, stream: SocketStream, rules: Rules, dispatch: Dispatch) -> None:
        self.channel = Channel(rules)
        self.address = address_of(stream)
        self.session: Session | None = None
        self.since = time.monotonic()
        self.busy = 0
        self._stream = stream
        self._dispatch = dispatch
        self._inbox = bytearray()
        self._outbox: list[bytes] = []
        self._unsent = 0
        self._news = anyio.Event()
        self._sent = anyio.Event()
        self._ended = False
        self._group: TaskGroup

    @property
    def greeted(self) -> bool:
        return self.channel.open

    async def run(self) -> None:
        """Until one side ends it."""
        try:
            async with anyio.create_task_group() as self._group:
                self._group.start_soon(self._write)
                await self._read()
                with anyio.move_on_after(_FAREWELL):
                    await self._farewell()
                self._group.cancel_scope.cancel()
        finally:
            self._ended = True
            with anyio.CancelScope(shield=True):
                await self._stream.aclose()

    def close(self) -> None:
        """From outside: at once."""
        self._ended = True
        self._group.cancel_scope.cancel()

    def respond(self, id: int, response: bytes) -> None:
        """Sends an answer, or a fault when the client does not take one of that size."""
        if self._ended:
            return
        try:
            self._send(self.channel.pack(id, response))
        except Refused as refused:
            handle = int.from_bytes(response[12:16], "little")
            self._send(self.channel.pack(id, fault(handle, refused.status)))

    def fault(self, id: int, handle: int, status: int) -> None:
        self.respond(id, fault(handle, status))

    def beside(self, work: Callable[[Request], Coroutine[Any, Any, None]], request: Request) -> None:
        """Lets ``work`` answer a request later. Raises Refused when too much waits."""
        if self.busy >= _MOST_BESIDE:
            raise Refused(code.BadTooManyOperations, f"{_MOST_BESIDE} requests wait already")
        self.busy += 1
        self._group.start_soon(self._work, work, request)

    async def _work(self, work: Callable[[Request], Coroutine[Any, Any, None]], request: Request) -> None:
        try:
            await work(request)
        except Refused as refused:
            self.fault(request.id, request.handle, refused.status)
        except FAULTS as error:
            self._failed(request, error)
        finally:
            self.busy -= 1

    async def _read(self) -> None:
        while not self._ended:
            try:
                chunk = await self._chunk()
                if chunk is None:
                    return
                at_once, message = self.channel.take(chunk)
            except Refused as refused:
                self._refuse(refused)
                return
            if at_once:
                self._send(at_once)
            if message is not None:
                self._handle(message)
                await anyio.lowlevel.checkpoint()
            while self._unsent > _ENOUGH_UNSENT:
                await self._sent.wait()

    async def _farewell(self) -> None:
        """The reason arrives only when the client hangs up first: what it sent meanwhile would reset the line."""
        try:
            await self._flush()
            await self._stream.send_eof()
            while not self._ended:
                await self._stream.receive(MAX_CHUNK)
        except _LOSSES:
            return

    async def _chunk(self) -> bytes | None:
        """The next chunk; its size is checked before more of it is taken in. None at the end."""
        while True:
            if len(self._inbox) >= _HEADER:
                size = int.from_bytes(self._inbox[4:8], "little")
                if not _HEADER < size <= MAX_CHUNK:
                    raise Refused(code.BadTcpMessageTooLarge, f"a chunk of {size} bytes")
                if len(self._inbox) >= size:
                    chunk = bytes(self._inbox[:size])
                    del self._inbox[:size]
                    return chunk
            try:
                self._inbox += await self._stream.receive(MAX_CHUNK)
            except _LOSSES:
                return None

    def _handle(self, message: Message) -> None:
        try:
            request = Request(self, message.id, message.body)
        except Refused as refused:
            self.fault(message.id, 0, refused.status)
            return
        try:
            self._dispatch(request)
        except Refused as refused:
            log.debug("request refused", peer=self.address, why=str(refused))
            self.fault(message.id, request.handle, refused.status)
        except FAULTS as error:
            self._failed(request, error)

    def _failed(self, request: Request, error: BaseException) -> None:
        log.warning("request failed", peer=self.address, kind=request.kind, failure=repr(error)[:200])
        self.fault(request.id, request.handle, int(code.BadInternalError))

    def _refuse(self, refused: Refused) -> None:
        if refused.status == code.Good:
            return
        log.warning("connection refused", peer=self.address, why=str(refused), remedy=refused.hint)
        self._send(goodbye(refused.status, refused.reason))

    def _send(self, data: bytes) -> None:
        self._outbox.append(data)
        self._unsent += len(data)
        if self._unsent > _MOST_UNSENT:
            log.warning("connection closed: its client does not read", peer=self.address)
            self.close()
        self._news.set()

    async def _write(self) -> None:
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            try:
                await self._flush()
            except _LOSSES:
                self.close()
                return

    async def _flush(self) -> None:
        while self._outbox:
            data = b"".join(self._outbox)
            self._outbox.clear()
            await self._stream.send(data)
            self._unsent -= len(data)
            self._sent.set()
            self._sent = anyio.Event()


def address_of(stream: SocketStream) -> str:
    """The peer's IP address."""
    return str(stream.extra(SocketAttribute.remote_address)[0])  # noqa: S610  # anyio's, not Django's
