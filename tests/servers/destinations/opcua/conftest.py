"""The server on a feed of its own, and certificates of every kind."""

import json
import pathlib
from collections import deque
from contextlib import asynccontextmanager

import anyio
import npm
import pytest
from anyio.from_thread import start_blocking_portal
from servers.destinations.opcua import papers

from weft.destinations.api import Delivery
from weft.destinations.opcua import Config, OpcUaServer
from weft.model import Asset, Batch, Level, Limits, Outcome, Signal, ValueType, Writable
from weft.runtime import SystemClock

HERE = pathlib.Path(__file__).parent
NODE = HERE.parents[2] / "peers" / "node-opcua"
PASSWORD = "warp and weft"
T = 1_700_000_000_123_456_700


class Plant:
    """A feed: what the server is to show, what it settled, what its clients wished."""

    def __init__(self, folder, signals, assets=()):
        self.name = "opcua"
        self.clock = SystemClock()
        self.folder = folder
        self.signals = list(signals)
        self.assets = {asset.path: asset for asset in assets}
        self.newest = {}
        self.settled = []
        self.commands = []
        self.outcome = lambda command: Outcome(id=command.id)
        self.ups = []
        self._deliveries = deque()
        self._news = anyio.Event()
        self._changed = anyio.Event()

    def describe(self, signals):
        self.signals = list(signals)
        self._changed.set()
        self._changed = anyio.Event()

    async def changed(self, seen):
        while self.signals == list(seen):
            await self._changed.wait()

    def snapshot(self):
        return Batch.of(self.newest.values())

    def put(self, *rows, live=True):
        """Rows (signal, time, value, type[, status[, flags]])."""
        for row in rows:
            if live:
                self.newest[row[0]] = row
        self.send(Batch.of(rows), live=live)

    def send(self, batch, live=True):
        self._deliveries.append(Delivery(batch, live, str(len(self.settled))))
        self._tell()

    async def take(self):
        while not self._deliveries:
            await self._news.wait()
        return self._deliveries.popleft()

    async def settle(self, delivery):
        self.settled.append(delivery)
        self._tell()

    def up(self, detail=""):
        self.ups.append(detail)
        self._tell()

    def recall(self):
        return {}

    def remember(self, data): ...

    async def command(self, command):
        self.commands.append(command)
        self._tell()
        found = self.outcome(command)
        return await found if hasattr(found, "__await__") else found

    async def call(self, call):
        raise NotImplementedError

    def _tell(self):
        self._news.set()
        self._news = anyio.Event()

    async def until(self, condition, seconds=20):
        with anyio.fail_after(seconds):
            while not condition():
                await self._news.wait()


class Kit:
    """What the tests of this folder do again and again."""

    T = T
    NODE = NODE
    PASSWORD = PASSWORD
    Plant = Plant
    papers = papers

    @staticmethod
    def signal(handle, path, **more):
        return Signal(handle=handle, path=path, connection="c", address=None, **more)

    @staticmethod
    def plant(folder, *extra):
        signals = [
            Kit.signal(
                0,
                "Acme/Ulm/Milling/Mill 1/Load",
                type=ValueType.DOUBLE,
                unit="kW",
                description="Spindle load",
                limits=Limits(minimum=0.0, low=1.0, high=9.0, maximum=10.0),
            ),
            Kit.signal(1, "Acme/Ulm/Milling/Mill 1/Speed", type=ValueType.INT32, write=Writable()),
            Kit.signal(
                2,
                "Acme/Ulm/Milling/Mill 1/State",
                type=ValueType.BYTE,
                states={0: "Idle", 1: "Running", 2: "Down"},
            ),
            *extra,
        ]
        assets = [
            Asset(path="Acme", level=Level.ENTERPRISE),
            Asset(path="Acme/Ulm", level=Level.SITE, description="The plant by the river"),
            Asset(path="Acme/Ulm/Milling", level=Level.AREA),
            Asset(path="Acme/Ulm/Milling/Mill 1", level=Level.CELL),
        ]
        plant = Plant(folder, signals, assets)
        plant.newest = {0: (0, T, 5.5, 11), 1: (1, T, 7, 6), 2: (2, T, 1, 3)}
        return plant

    @staticmethod
    def config(**more):
        more = {"users": {"mes": {"password": PASSWORD, "write": True}}, "port": 0, "heartbeat": 1.0, **more}
        import msgspec

        return msgspec.convert(more, Config)

    @staticmethod
    @asynccontextmanager
    async def serving(plant, config, seconds=50):
        """The server up; ends with it."""
        plant.folder.mkdir(exist_ok=True)
        server = OpcUaServer(config)
        with anyio.fail_after(seconds):
            async with anyio.create_task_group() as group:
                group.start_soon(server.run, plant)
                await plant.until(lambda: plant.ups)
                server.url = f"opc.tcp://127.0.0.1:{server.port}"
                yield server
                group.cancel_scope.cancel()

    @staticmethod
    async def node(script, *options, timeout=40):
        """A script of the node-opcua peer; its lines of JSON."""
        done = await anyio.run_process(["node", script, *map(str, options)], cwd=NODE, check=False)
        lines = done.stdout.decode().splitlines()
        assert done.returncode == 0, done.stderr.decode()[-2000:] + done.stdout.decode()[-2000:]
        return [json.loads(line) for line in lines if line.startswith(("{", "["))]


@pytest.fixture
def kit():
    return Kit


@pytest.fixture(scope="session")
def needs_node():
    return npm.installed("node-opcua")


@pytest.fixture(scope="session")
def house(tmp_path_factory):
    """A server that nobody ends, without security, for everybody to read: its port, pid and url."""
    folder = tmp_path_factory.mktemp("house")
    plant = Kit.plant(folder / "feed")
    config = Kit.config(users={}, anonymous=True, insecure=True, login_timeout=60)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Kit.serving(plant, config, seconds=600)) as server,
    ):
        yield server
