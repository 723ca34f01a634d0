"""A TCP proxy before a broker that records what its clients send."""

import time
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketAttribute

from weft.sparkplug.tck.packets import ClientStream
from weft.sparkplug.tck.recording import Entry


class Proxy:
    def __init__(self, broker):
        self.entries = []
        self.port = 0
        self._to = broker.port
        for name in ("user", "password"):
            if hasattr(broker, name):
                setattr(self, name, getattr(broker, name))

    async def handle(self, client):
        reading = ClientStream()
        broker = await anyio.connect_tcp("127.0.0.1", self._to)
        async with client, broker, anyio.create_task_group() as group:
            group.start_soon(_pass, broker, client, lambda data: None, group.cancel_scope)
            await _pass(client, broker, lambda data: self._note(reading, data), group.cancel_scope)
        if not self.entries or self._last_of(reading.client) != "disconnect":
            self.entries.append(Entry(time=time.time_ns(), kind="lost", client=reading.client))

    def _note(self, reading, data):
        self.entries += reading.feed(data, time.time_ns())

    def _last_of(self, client):
        return next((entry.kind for entry in reversed(self.entries) if entry.client == client), "")


async def _pass(source, sink, note, scope):
    try:
        while True:
            data = await source.receive()
            note(data)
            await sink.send(data)
    except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        scope.cancel()


@asynccontextmanager
async def recording(broker):
    proxy = Proxy(broker)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy.port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, proxy.handle)
        yield proxy
        group.cancel_scope.cancel()
