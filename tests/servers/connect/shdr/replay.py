"""An adapter for tests: serves recorded lines over a socket as fast as the reader takes them.

As a program: ``python replay.py LOG [PORT]`` prints the port and serves the log once to every connection; a
connection stays open afterwards and answers ``* PING``, as an adapter does.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketAttribute, SocketStream

CHUNK = 16384


class Adapter:
    """Sends ``burst`` to whoever connects, then what :meth:`send` is given. ``heartbeat`` (ms) answers pings;
    None never does. ``drop`` closes the present connection."""

    def __init__(self, burst: bytes = b"", heartbeat: int | None = 10_000) -> None:
        self.burst = burst
        self.heartbeat = heartbeat
        self.connections = 0
        self.pings = 0
        self.port = 0
        self._streams: list[SocketStream] = []
        self._news = anyio.Event()

    async def send(self, data: bytes) -> None:
        await self.until(lambda: bool(self._streams))
        await self._streams[-1].send(data)

    async def drop(self) -> None:
        for stream in self._streams:
            await stream.aclose()

    async def until(self, condition, seconds: float = 10.0) -> None:
        with anyio.fail_after(seconds):
            while not condition():
                await self._news.wait()

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()

    async def handle(self, stream: SocketStream) -> None:
        self.connections += 1
        try:
            async with stream:
                for start in range(0, len(self.burst), CHUNK):
                    await stream.send(self.burst[start : start + CHUNK])
                self._streams.append(stream)
                self._tell()
                await self._answer(stream)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        finally:
            if stream in self._streams:
                self._streams.remove(stream)
            self._tell()

    async def _answer(self, stream: SocketStream) -> None:
        while True:
            text = await stream.receive()
            self.pings += text.count(b"PING")
            self._tell()
            if self.heartbeat is not None and b"PING" in text:
                await stream.send(b"* PONG %d\n" % self.heartbeat)


@asynccontextmanager
async def serving(adapter: Adapter, port: int = 0) -> AsyncIterator[Adapter]:
    """The adapter on a port of the loopback interface (0: any free one); all its connections end on leaving."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    adapter.port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, adapter.handle)
        try:
            yield adapter
        finally:
            group.cancel_scope.cancel()


async def main(burst: bytes, port: int) -> None:
    async with serving(Adapter(burst), port) as adapter:
        print(adapter.port, flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main, pathlib.Path(sys.argv[1]).read_bytes(), int((sys.argv[2:] or ["0"])[0]))
