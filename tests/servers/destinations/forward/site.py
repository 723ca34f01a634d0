"""A hub and an edge, each with a server of its own, and a link between them that can be cut."""

from __future__ import annotations

import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import msgspec
from faults import Proxy
from servers.connect.mqtt.broker import free_port

from weft.bus import Address, Draft, Edge, Gate, NatsBus, NatsServer, Stream, after
from weft.bus.gate import inbox_of
from weft.destinations.forward import Forwarder, Reception
from weft.model import Batch
from weft.runtime import Retry, Supervisor, SystemClock

SAMPLES = Stream(name="samples", subjects=("uns.v1.>",), max_bytes=256 << 20)
EVENTS = Stream(name="events", subjects=("events.v1.>",), max_bytes=64 << 20)
HOME = "acme/berlin/hall1"
SUBJECT = "uns.v1.acme.berlin.hall1._raw.mill"
EDGE = Edge(name="gateway-1", password="secret-of-1", home=HOME, pair="hall1")


def kill(server):
    os.kill(server.pid, signal.SIGKILL)


async def restarted(server, old):
    while server.pid in {0, old}:  # noqa: ASYNC110  # the pid is all there is to look at
        await anyio.sleep(0.005)


class Numbering:
    """The hub's numbers: others than the edge's."""

    def __init__(self):
        self.handles = {}

    def __call__(self, paths):
        return {path: self.handles.setdefault(path, 1_000 + len(self.handles)) for path in paths}


class Site:
    def __init__(self, folder, edges=(EDGE,), **gate):
        self.folder = folder
        self.clock = SystemClock()
        self.told = []
        self.numbering = Numbering()
        self.gate = Gate(listen=f"127.0.0.1:{free_port()}", edges=tuple(edges), **gate)
        self.hub_server = NatsServer(folder / "hub", gate=self.gate)
        self.edge_server = NatsServer(folder / "edge")
        self.published = 0

    @asynccontextmanager
    async def up(self):
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            await enter(Supervisor().running([("hub", [self.hub_server.service()])]))
            await enter(Supervisor().running([("edge", [self.edge_server.service()])]))
            self.hub = await enter(NatsBus.connect(self.hub_server.address))
            self.edge = await enter(NatsBus.connect(self.edge_server.address))
            for bus in (self.hub, self.edge):
                for stream in (SAMPLES, EVENTS):
                    await bus.declare(stream)
            self.proxy = await enter(Proxy(self.gate.port))
            homes = {edge.name: edge.home for edge in self.gate.edges}
            self.reception = Reception(
                self.hub, homes, assign=self.numbering, clock=self.clock, tell=self.told.append
            )
            group = await enter(anyio.create_task_group())
            ready = anyio.Event()
            group.start_soon(self.reception.run, ready.set)
            await ready.wait()
            yield self
            group.cancel_scope.cancel()

    def login(self, edge=EDGE, **changes):
        address = Address(
            url=f"nats://127.0.0.1:{self.proxy.port}",
            user=edge.name,
            password=edge.password,
            inbox=inbox_of(edge.name),
        )
        return msgspec.structs.replace(address, **changes)

    def forwarder(self, edge=EDGE, **more):
        return Forwarder(
            edge.name,
            self.edge,
            NatsBus(self.login(edge)),
            samples=SAMPLES,
            events=EVENTS,
            path_of=lambda handle: f"{HOME}/mill/s{handle}",
            clock=self.clock,
            tell=lambda event: None,
            **more,
        )

    async def publish(self, count, subject=SUBJECT):
        """``count`` messages of one counted value each, as an edge does: the same ids until they are stored."""
        drafts = []
        for _ in range(count):
            number = self.published
            self.published += 1
            batch = Batch.doubles([3 + number % 2], [number + 1], [number], source="mill")
            drafts.append(Draft(subject, batch, f"mill:{number}"))
        while True:
            try:
                return await self.edge.publish(*drafts)
            except Retry:
                await anyio.sleep(0.01)

    async def hub_values(self, count, seconds=20):
        """The values of the hub's stream in its order."""
        found = []
        with anyio.move_on_after(seconds):
            async with self.hub.subscribe("uns.v1.>", start=after(0)) as subscription:
                while len(found) < count:
                    found += [int(v) for m in await subscription.next(256) for v in m.body.values()]
        return found


@asynccontextmanager
async def running(forwarder):
    async with anyio.create_task_group() as group:
        ready = anyio.Event()
        group.start_soon(forwarder.run, ready.set)
        await ready.wait()
        yield forwarder
        group.cancel_scope.cancel()
