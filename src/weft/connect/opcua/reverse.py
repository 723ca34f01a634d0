"""Reverse connect (OPC 10000-6, 7.1.3): the server makes the connection, for plants whose firewalls let nothing in.

One listening socket serves all connections of this process that name it; each takes the calls of the server whose
URI it expects. Whoever else calls is hung up on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import anyio

from weft.connect.opcua.channel import Dialogue
from weft.connect.opcua.config import Config
from weft.runtime import NeedsHuman, Retry, get_logger
from weft.ua.variant import BadEncoding, Reader

__all__ = ["Listener", "answer"]

log = get_logger(__name__)

LONGEST_URI: Final = 4096  # of both texts (7.1.2.6)
LARGEST: Final = 8 + 2 * (4 + LONGEST_URI)
MOST_SILENT: Final = 100  # callers that have not said yet who they are
MOST_WAITING: Final = 2  # calls of a server that nobody has taken yet
SAY_WHO: Final = 5.0  # s
PATIENCE: Final = 60.0  # s: servers call every 15 s or so


class Call(NamedTuple):
    """A server on the line: what it calls itself, where it says that it can be reached."""

    transport: asyncio.Transport
    server: str
    endpoint: str


class Caller(asyncio.Protocol):
    """A connection up to its ReverseHello."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._inbox = bytearray()
        self._transport: asyncio.Transport
        self._alarm: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._alarm = asyncio.get_running_loop().call_later(SAY_WHO, transport.abort)
        if not self._listener.admit(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        self._inbox += data
        if len(self._inbox) < 8:
            return
        size = int.from_bytes(self._inbox[4:8], "little")
        if self._inbox[:4] != b"RHEF" or not 16 <= size <= LARGEST or len(self._inbox) > size:
            self._transport.abort()  # a server says no more before it is answered
        elif len(self._inbox) == size:
            self._said_hello(bytes(self._inbox))

    def connection_lost(self, exc: Exception | None) -> None:
        self._alarm.cancel()
        self._listener.gone(self)

    def _said_hello(self, message: bytes) -> None:
        reader = Reader(message, 8)
        try:
            server, endpoint = reader.text() or "", reader.text() or ""
        except BadEncoding:
            self._transport.abort()
            return
        self._alarm.cancel()
        self._listener.gone(self)
        self._transport.pause_reading()
        self._listener.take(Call(self._transport, server, endpoint))


class Listener:
    """One socket and those who wait at it, by the URI of the server that they expect."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.users = 0
        self._silent: set[Caller] = set()
        self._waiting: dict[str, deque[asyncio.Future[Call]]] = {}
        self._early: dict[str, deque[Call]] = {}
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Caller(self), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for calls in self._early.values():
            for call in calls:
                call.transport.abort()

    def admit(self, caller: Caller) -> bool:
        if len(self._silent) >= MOST_SILENT:
            return False
        self._silent.add(caller)
        return True

    def gone(self, caller: Caller) -> None:
        self._silent.discard(caller)

    def expect(self, server: str) -> None:
        """From now on its calls are kept for who comes to take them."""
        self._waiting.setdefault(server, deque())
        self._early.setdefault(server, deque())

    def take(self, call: Call) -> None:
        waiting = self._waiting.get(call.server)
        if waiting is None:
            log.warning("an unexpected server calls", server=call.server[:200], at=f"{self.host}:{self.port}")
            call.transport.abort()
            return
        while waiting:
            first = waiting.popleft()
            if not first.done():
                first.set_result(call)
                return
        early = self._early[call.server]
        early.append(call)
        while len(early) > MOST_WAITING:
            early.popleft().transport.abort()

    async def call(self, server: str) -> Call:
        """The next call of this server that still stands."""
        early = self._early[server]
        while early:
            call = early.popleft()
            if not call.transport.is_closing():
                return call
        future: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
        self._waiting[server].append(future)
        try:
            return await future
        finally:
            future.cancel()


_listeners: dict[tuple[Any, str, int], Listener] = {}


async def answer(config: Config, dialogue: Dialogue) -> None:
    """Waits for the server's call and goes on over it. Raises Retry when it does not call within a minute,
    NeedsHuman when nobody can listen there."""
    listener = await _listener(config)
    try:
        with anyio.fail_after(PATIENCE):
            call = await listener.call(config.server_uri)
    except TimeoutError as error:
        raise Retry(
            f"{config.server_uri} has not called at {config.listen} within {PATIENCE:.0f} s.",
            remedy="Is reverse connect set up there, with this machine's address?",
        ) from error
    dialogue.adopt(call.transport, call.endpoint)


async def _listener(config: Config) -> Listener:
    """Stays open until the process ends or its loop does: a server that is refused waits longer and longer."""
    url = urlsplit(config.listen)
    loop = asyncio.get_running_loop()
    for key in [key for key in _listeners if key[0].is_closed()]:
        del _listeners[key]
    key = (loop, url.hostname or "", url.port or 0)
    listener = _listeners.get(key)
    if listener is None:
        listener = _listeners[key] = Listener(key[1], key[2])
        try:
            await listener.open()
        except OSError as error:
            del _listeners[key]
            raise NeedsHuman(
                f"Nobody can listen at {config.listen} ({error.strerror or error}).",
                remedy="Is the port taken, the address this machine's own?",
            ) from error
    listener.expect(config.server_uri)
    return listener
