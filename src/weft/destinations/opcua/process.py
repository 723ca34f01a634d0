"""The server's own process: what the parent says goes in, what clients wish goes out."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import msgspec
from anyio.abc import ByteReceiveStream, ByteSendStream

from weft.destinations.opcua import pipe
from weft.destinations.opcua.config import Config
from weft.destinations.opcua.server import Server
from weft.model import Batch, decode
from weft.runtime import NeedsHuman

__all__ = ["serve"]


async def serve(incoming: ByteReceiveStream, outgoing: ByteSendStream) -> None:
    """Until the parent closes its end."""
    messages = pipe.frames(incoming, pipe.FromParent)
    first = await anext(messages, None)
    if not isinstance(first, pipe.Begin):
        return
    teller = _Teller(outgoing)
    config = msgspec.convert(first.settings, Config)
    async with anyio.create_task_group() as group:
        group.start_soon(teller.run)
        try:
            server = _built(config, first, teller)
            port = await server.open()
        except NeedsHuman as error:
            await pipe.send(outgoing, pipe.Failed(error.message, error.remedy, True))
        else:
            group.start_soon(server.run)
            teller.tell(pipe.Ready(config.host, port, server.fingerprint))
            await _listen(server, messages, teller)
        group.cancel_scope.cancel()


def _built(config: Config, first: pipe.Begin, teller: _Teller) -> Server:
    """The collector would look again and again through the standard's nodes, of which none ever goes: that is
    three fifths of the start, and a pause every now and then afterwards."""
    gc.disable()
    try:
        return Server(config, first.logins, Path(first.folder), teller.tell)
    finally:
        gc.freeze()
        gc.enable()


async def _listen(server: Server, messages: AsyncIterator[Any], teller: _Teller) -> None:
    async for message in messages:
        if isinstance(message, pipe.Samples):
            batch = decode(message.batch)
            if isinstance(batch, Batch):
                await server.watch.take(batch)
        elif isinstance(message, pipe.Model):
            await server.space.update(message)
        elif isinstance(message, pipe.Answer):
            server.desk.answered(message)
        elif isinstance(message, pipe.Ping):
            changes = server.values.changes
            teller.tell(pipe.Pong(message.number, len(server.sessions), server.watch.items, changes))


class _Teller:
    """Sends to the parent, in order."""

    def __init__(self, stream: ByteSendStream) -> None:
        self._stream = stream
        self._waiting: list[msgspec.Struct] = []
        self._news = anyio.Event()

    def tell(self, message: msgspec.Struct) -> None:
        self._waiting.append(message)
        self._news.set()

    async def run(self) -> None:
        while True:
            await self._news.wait()
            self._news = anyio.Event()
            messages, self._waiting = self._waiting, []
            try:
                await pipe.send(self._stream, *messages)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                return  # the parent has ended; so does the reading side
