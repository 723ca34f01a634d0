"""A feed for the tests of the Sparkplug destination, and both ends at work on one broker."""

from contextlib import asynccontextmanager

import anyio

from weft.connect.api import Point
from weft.connect.sparkplug import Address, Sparkplug
from weft.connect.sparkplug import Config as HostConfig
from weft.connect.testing import Recorder
from weft.destinations.api import Delivery
from weft.destinations.sparkplug import Config, SparkplugEdge
from weft.model import Batch, Outcome, Signal
from weft.runtime import SystemClock
from weft.sparkplug.topic import device_id


class Feed:
    """Gives what a test puts in, again when it was not settled."""

    def __init__(self, signals, folder, newest=()):
        self.name = "feed"
        self.clock = SystemClock()
        self.folder = folder
        self.signals = tuple(signals)
        self.assets = {}
        self.memory = {}
        self.commands = []
        self.details = []
        self.settled = []
        self.newest = {}
        self._waiting = []
        self._given = []
        self._count = 0
        self._news = anyio.Event()
        for row in newest:
            self.newest[row[0]] = row

    def put(self, *rows, live=True):
        self._count += 1
        for row in rows:
            self.newest[row[0]] = max(row, self.newest.get(row[0], row), key=lambda one: one[1])
        self._waiting.append(Delivery(Batch.of(rows), live, str(self._count)))
        self._tell()

    def snapshot(self):
        return Batch.of(self.newest.values())

    async def take(self):
        while not self._waiting:
            await self._news.wait()
        delivery = self._waiting.pop(0)
        self._given.append(delivery)
        return delivery

    def again(self):
        """The destination is run anew: what it did not settle it gets again, as backlog."""
        self._waiting = [Delivery(d.batch, False, d.id) for d in self._given] + self._waiting
        self._given = []

    async def settle(self, delivery):
        self._given.remove(delivery)
        self.settled.append(delivery.id)
        self._tell()

    def up(self, detail=""):
        self.details.append(detail)
        self._tell()

    def recall(self):
        return dict(self.memory)

    def remember(self, data):
        self.memory = dict(data)

    async def command(self, command):
        self.commands.append(command)
        self._tell()
        return Outcome(id=command.id)

    def update(self, signals):
        self.signals = tuple(signals)
        self._tell()

    async def changed(self, seen):
        while self.signals is seen:
            await self._news.wait()

    async def until(self, condition, seconds=10.0):
        with anyio.fail_after(seconds):
            while not condition():
                await self._news.wait()

    def _tell(self):
        news, self._news = self._news, anyio.Event()
        news.set()


def signal(handle, path, **more):
    return Signal(handle=handle, path=path, connection="c", address=None, **more)


def point(signal, group="G", node="E"):
    place = Address(group=group, node=node, device=device_id(signal.asset), metric=signal.name)
    return Point(signal.handle, signal.path, place)


def broker_of(broker):
    """Where and how to sign in at a test's broker."""
    more = {name: getattr(broker, name) for name in ("user", "password") if hasattr(broker, name)}
    return {"host": "127.0.0.1", "port": broker.port, "timeout": 5, **more}


@asynccontextmanager
async def edge(broker, feed, **more):
    async with anyio.create_task_group() as group:
        config = Config(**broker_of(broker), group="G", node="E", **more)
        group.start_soon(SparkplugEdge(config).run, feed)
        yield
        group.cancel_scope.cancel()


@asynccontextmanager
async def host(broker, points, **more):
    link = Recorder(points)
    connector = Sparkplug(HostConfig(**broker_of(broker), rebirth=0.2, **more))
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: bool(link.details))
        yield link, connector
        group.cancel_scope.cancel()
