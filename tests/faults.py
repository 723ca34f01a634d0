"""A TCP proxy that can be told to fail: between a connector and its server, on 127.0.0.1 only."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Self

__all__ = ["Proxy"]


class Proxy:
    """``async with Proxy(port) as proxy``: what comes to ``proxy.port`` goes to ``port``.

    :meth:`cut` ends all connections and refuses new ones, :meth:`stall` lets bytes pile up without ending
    anything, :meth:`slow` holds each piece back, :meth:`resume` works again. ``calls`` counts connections.
    """

    def __init__(self, target: int, *, host: str = "127.0.0.1") -> None:
        self.target = target
        self.host = host
        self.port = 0
        self.calls = 0
        self._delay = 0.0
        self._refusing = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._pairs: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()

    def cut(self) -> None:
        """Resets all connections; whoever calls until :meth:`resume` is hung up on."""
        self._refusing = True
        for writer in list(self._pairs):
            _reset(writer)

    def stall(self) -> None:
        """Nothing goes through, in either direction; connections stay."""
        self._flowing.clear()

    def slow(self, seconds: float) -> None:
        """Each piece takes so long."""
        self._delay = seconds

    def resume(self) -> None:
        self._refusing, self._delay = False, 0.0
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        self._pairs.add(writer)
        try:
            if self._refusing:
                return
            there, back = await asyncio.open_connection(self.host, self.target)
            self._pairs.add(back)
            try:
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(reader, back))
                    pumps.create_task(self._pump(there, writer))
            finally:
                _reset(back)
                self._pairs.discard(back)
        except* (OSError, EOFError):
            pass  # either end has gone
        finally:
            _reset(writer)
            self._pairs.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        raise EOFError


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection at once, without a word."""
    with contextlib.suppress(OSError):
        link = writer.get_extra_info("socket")
        if link is not None:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()
