"""A stream of counted values and destinations that write down what they were given."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

import anyio

from weft.bus import Draft, MemoryBus, Stream
from weft.destinations import Outlet, Pace
from weft.model import Batch, Signal
from weft.runtime import Retry, SystemClock

STREAM = Stream(name="samples", subjects=("uns.v1.>",), max_bytes=64 << 20)
OURS, OTHERS = 3, 4


def signal(handle, path="", **more):
    return Signal(
        handle=handle, path=path or f"acme/berlin/mill/s{handle}", connection="mill", address=None, **more
    )


class Source:
    """Publishes 0, 1, 2 … of signal 3, one message each, or ``rows`` of them."""

    def __init__(self, bus):
        self.bus = bus
        self.count = 0

    async def publish(self, messages=1, rows=1, handle=OURS):
        for _ in range(messages):
            values = range(self.count, self.count + rows)
            self.count += rows
            batch = Batch.doubles([handle] * rows, [v + 1 for v in values], list(values), source="mill")
            await self.bus.publish(Draft("uns.v1.acme.berlin._raw.mill", batch, f"{handle}/{values[0]}"))


class Book:
    """A destination: takes, writes down, settles; refuses while ``away``, and breaks after ``breaks`` more."""

    def __init__(self, away=False):
        self.away = away
        self.breaks = None
        self.got = []  # (value, live, id) as the other side has them
        self.settles = True
        self.runs = 0
        self.slow = 0.0
        self.news = anyio.Event()
        self.feed = None

    async def run(self, feed):
        self.runs += 1
        self.feed = feed
        if self.away:
            raise Retry("The other side is away.")
        feed.up("here")
        while True:
            delivery = await feed.take()
            if self.away:
                raise Retry("The other side went away.")
            if self.slow:
                await anyio.sleep(self.slow)
            self.got += [(int(row.value), delivery.live, delivery.id) for row in delivery.batch]
            news, self.news = self.news, anyio.Event()
            news.set()
            if self.settles:
                await feed.settle(delivery)
            if self.breaks is not None:
                self.breaks -= 1
                if self.breaks < 0:
                    self.breaks = None
                    raise Retry("The other side broke off.")

    @property
    def values(self):
        return [value for value, _, _ in self.got]

    async def has(self, count):
        with anyio.fail_after(10):
            while len(self.got) < count:
                await self.news.wait()


class Newest:
    def __call__(self, handles):
        return Batch.empty()


def outlet(bus, folder, book, **more):
    events = more.pop("events", [])
    pace = Pace(**{"batch_seconds": 0.005, **more.pop("pace", {})})
    return Outlet(
        "book",
        book,
        more.pop("signals", [signal(OURS)]),
        {},
        bus=bus,
        stream=more.pop("stream", STREAM),
        clock=more.pop("clock", SystemClock()),
        folder=folder,
        tell=events.append,
        newest=Newest(),
        pace=pace,
        **more,
    )


@asynccontextmanager
async def running(made):
    """The outlet runs inside; leaving is a crash for all it knows: nothing is written on the way out."""
    async with anyio.create_task_group() as group:
        up = anyio.Event()
        group.start_soon(made.run, up.set)
        await up.wait()
        try:
            yield made
        finally:
            group.cancel_scope.cancel()


@asynccontextmanager
async def memory_bus(stream=STREAM, clock=None):
    bus = MemoryBus(clock)
    await bus.declare(stream)
    yield SimpleNamespace(bus=bus, source=Source(bus))
