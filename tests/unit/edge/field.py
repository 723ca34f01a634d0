"""A field in memory for tests of commands and local logic: a connection that holds values and can be broken."""

from __future__ import annotations

import anyio
from clocks import HandClock

from weft.bus import MemoryBus, Stream, after
from weft.catalog import Connection, Plant
from weft.edge.command import Commands, doors
from weft.edge.latest import Latest
from weft.edge.rules import Rules
from weft.edge.steps import scale
from weft.model import Batch, Command, Signal, ValueType, Writable
from weft.runtime import Retry

SITE = "e/s"


def signal(name, handle, **fields):
    fields = {"connection": "plc", "address": name, "type": ValueType.DOUBLE, **fields}
    return Signal(handle=handle, path=f"{SITE}/{name}", **fields)


class Door:
    """The bus behind a door."""

    def __init__(self, inner):
        self.inner, self.closed = inner, False

    async def publish(self, *drafts):
        if self.closed:
            raise Retry("the bus is away")
        return await self.inner.publish(*drafts)

    def subscribe(self, *args, **kwargs):
        return self.inner.subscribe(*args, **kwargs)


class FakeLine:
    """What a Line offers to a command. ``values`` is the machine's memory, by address."""

    def __init__(self, clock):
        self.clock = clock
        self.values = {}
        self.writes = []
        self.calls = []
        self.status = 0
        self.failure = None
        self.reads = True
        self.stuck = False
        self.hang = False
        self.slow = 0.0

    async def write(self, writes):
        await anyio.sleep(0)
        if self.slow:
            self.clock._now += int(self.slow * 1e9)
        if self.failure is not None:
            raise self.failure
        self.writes += [(write.point.path, write.value) for write in writes]
        if self.hang:
            await anyio.sleep_forever()
        if not self.status and not self.stuck:
            for write in writes:
                self.values[write.point.address] = write.value
        return [self.status] * len(writes)

    async def read(self, points):
        await anyio.sleep(0)
        if not self.reads:
            return None
        now = self.clock.now()
        known = [p for p in points if p.address in self.values]
        return Batch.of([(p.handle, now, self.values[p.address], 11) for p in known], source="plc")

    async def call(self, target, method, arguments):
        self.calls.append((target, method, arguments))
        if self.failure is not None:
            raise self.failure
        return [42, *arguments]


class Field:
    """Commands over a fake line; ``hear`` lets samples arrive."""

    def __init__(self, *signals, bus=None, clock=None, policy=None, **options):
        self.clock = clock or HandClock()
        self.bus = bus or Door(MemoryBus(self.clock))
        self.line = FakeLine(self.clock)
        self.signals = {s.path: s for s in signals}
        self.plant = Plant(
            name="p",
            signals=self.signals,
            connections={
                "plc": Connection(name="plc", protocol="fake", config=None, methods=("robot/start", "mill/*"))
            },
        )
        self.latest = Latest()
        self.latest.watch([s.handle for s in signals])
        self.told = []
        self.lines = {"plc": self.line}
        self.commands = Commands(
            self.bus,
            clock=self.clock,
            plant=lambda: self.plant,
            lines=self.lines,
            latest=self.latest,
            look=lambda batch: self.latest.take(scale(batch, Rules(signals))),
            tell=self.told.append,
            policy=policy or doors(("test", "logic")),
            **{"readback": 0.05, "deadline": 0.2, **options},
        )

    async def open(self):
        inner = getattr(self.bus, "inner", self.bus)
        await inner.declare(Stream(name="events", subjects=("events.v1.>",)))
        return self

    def hear(self, name, value, status=0, kind=11):
        handle = self.signals[f"{SITE}/{name}"].handle
        now = self.clock.now()
        self.latest.take(Batch.of([(handle, now, value, kind, status)], received=now))

    async def write(self, name, value, **fields):
        fields = {"actor": "anna", "via": "test", **fields}
        return await self.commands.execute(Command(signal=f"{SITE}/{name}", value=value, **fields))

    async def events(self, pattern="events.v1.weft.command.>"):
        """``[(last word of the kind, data)]`` in order."""
        found = []
        inner = getattr(self.bus, "inner", self.bus)
        with anyio.move_on_after(0.02):
            async with inner.subscribe(pattern, start=after(0)) as subscription:
                while True:
                    for message in await subscription.next(100):
                        event = message.body
                        found.append((event.kind.rpartition(".")[2], event.data))
        return found


def writable(**fields):
    return Writable(**{"minimum": 0.0, "maximum": 100.0, **fields})
