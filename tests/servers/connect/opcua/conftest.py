"""Servers for the tests of this folder, each in a process of its own."""

import contextlib
import json
import pathlib
import socket
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import npm
import pytest
from asyncua import Client

from weft.connect import Line, Point, Recorder
from weft.connect.opcua import Address, Config, OpcUa
from weft.model import Flag, Row
from weft.runtime import Retry, SystemClock

HERE = pathlib.Path(__file__).parent


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Peer:
    """The process of peer.py, which can be killed and started again on the same port."""

    def __init__(self, **options):
        self.options = {"port": free_port(), **options}
        self.url = f"opc.tcp://127.0.0.1:{self.options['port']}"
        self._process = None

    def start(self):
        command = [sys.executable, str(HERE / "peer.py"), json.dumps(self.options)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"
        return self

    async def tell(self, *words):
        """Sends a command and waits until it is done."""

        def ask():
            print(*words, file=self._process.stdin, flush=True)
            assert self._process.stdout.readline() == "done\n"

        await anyio.to_thread.run_sync(ask)

    def signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None


@pytest.fixture(scope="session")
def _shared_peer(tmp_path_factory):
    peer = Peer(folder=str(tmp_path_factory.mktemp("peer"))).start()
    yield peer
    peer.kill()


@pytest.fixture
def peer(_shared_peer):
    """A server that nobody kills, with all security policies."""
    return _shared_peer


@pytest.fixture(scope="module")
def make_shared_peer():
    """A server of this module's own."""
    made = []

    def make(**options):
        made.append(Peer(**options).start())
        return made[-1]

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def make_peer():
    """A server of this test's own: ``make_peer(users={...})``."""
    made = []

    def make(**options):
        made.append(Peer(**options).start())
        return made[-1]

    yield make
    for one in made:
        one.kill()


class Watch:
    """A Line, the batches it forwards, and a way to wait for its next news."""

    def __init__(self, connector, points):
        self.batches = []
        self.events = []
        self._news = anyio.Event()
        self.line = Line(
            "peer", connector, points, clock=SystemClock(), forward=self._forward, tell=self.tell
        )

    @property
    def status(self):
        return self.line.status

    def tell(self, *events):
        self.events += events
        news, self._news = self._news, anyio.Event()
        news.set()

    async def until(self, condition, seconds=20.0):
        with anyio.fail_after(seconds):
            while not condition():
                await self._news.wait()

    def _forward(self, batch, stored):
        self.batches.append(batch)
        if stored is not None:
            stored()
        self.tell()


class Kit:
    """What the tests of this folder do again and again."""

    @staticmethod
    def config(url, **more):
        more = {"security": "none", "publishing_interval": 0.05, "timeout": 5.0, **more}
        return Config(endpoint=url, **more)

    @staticmethod
    def points(*names, space="nsu=urn:peer:plant;s=", first=0, **more):
        return [
            Point(first + i, f"p/{name}", Address(node=space + name, **more)) for i, name in enumerate(names)
        ]

    @staticmethod
    @asynccontextmanager
    async def running(config, points):
        """The connector on a Recorder; ends with it."""
        link = Recorder(points)
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(OpcUa(config).run, link)
                yield link
                group.cancel_scope.cancel()

    @staticmethod
    @asynccontextmanager
    async def connected(config, points):
        """The connector and its link, once the line is up."""
        link, connector = Recorder(points), OpcUa(config)
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(connector.run, link)
                await link.until(lambda: bool(link.details))
                yield connector, link
                group.cancel_scope.cancel()

    @staticmethod
    @asynccontextmanager
    async def line_of(connector, link):
        """Runs again as a line does, with a link that only records."""

        async def again():
            while True:
                with contextlib.suppress(Retry):
                    await connector.run(link)
                await anyio.sleep(0.1)

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(again)
                yield
                group.cancel_scope.cancel()

    @staticmethod
    async def parent_of(url, name):
        """The NodeId of an object below Objects, as text."""
        async with Client(url) as client:
            [node] = [
                child
                for child in await client.nodes.objects.get_children()
                if (await child.read_browse_name()).Name == name
            ]
            return node.nodeid.to_string()

    @staticmethod
    @asynccontextmanager
    async def line(config, points):
        """The connector on a Line; gives what is known of it."""
        watch = Watch(OpcUa(config), points)
        with anyio.fail_after(45):
            async with anyio.create_task_group() as group:
                group.start_soon(watch.line.run)
                yield watch
                group.cancel_scope.cancel()

    @staticmethod
    async def killed(endpoint, folder, prefix, counters=3, times=3):
        """The connector in a process that is killed again and again; what it has stored, without what it made up."""
        kept, memory = folder / "kept", folder / "memory"
        command = [
            sys.executable,
            str(HERE / "victim.py"),
            endpoint,
            str(kept),
            str(memory),
            str(counters),
            prefix,
        ]
        kept.touch()
        for _ in range(times):
            before = kept.stat().st_size
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as victim:  # noqa: ASYNC220  # starting it takes no time
                try:
                    with anyio.fail_after(20):
                        while kept.stat().st_size < before + 8000:  # noqa: ASYNC110  # another process writes
                            await anyio.sleep(0.02)
                finally:
                    victim.kill()
                assert victim.stderr.read() == b""
            await anyio.sleep(1)
        rows = [line.split() for line in kept.read_text().splitlines()]
        return [
            Row(int(s), int(t), int(value), 0, int(status), int(flags))
            for s, t, value, status, flags in rows
            if value != "None" and not int(flags) & (Flag.SYNTHETIC | Flag.REPEATED)
        ]


@pytest.fixture(scope="session")
def kit():
    return Kit


@pytest.fixture(scope="session")
def node_opcua():
    """The folder of node-opcua's scripts, installed."""
    return npm.installed("node-opcua")


class NodePeer:
    def __init__(self, scripts, folder, *options):
        command = ["node", str(scripts / "server.js"), "--folder", str(folder), *map(str, options)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, text=True, **pipes)
        self.url = f"opc.tcp://127.0.0.1:{self._line('port ').split()[1]}"

    def _line(self, beginning):
        """The next line that begins so; its warnings come the same way."""
        for line in self.process.stdout:
            if line.startswith(beginning):
                return line
        raise AssertionError("node-opcua ended")

    async def tell(self, *words):
        def ask():
            print(*words, file=self.process.stdin, flush=True)
            self._line("done")

        await anyio.to_thread.run_sync(ask)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def make_node_peer(node_opcua, tmp_path):
    """A node-opcua server of this test's own."""
    made = []

    def make(*options):
        made.append(NodePeer(node_opcua, tmp_path / "node", *options))
        return made[-1]

    yield make
    for one in made:
        one.kill()


@pytest.fixture(scope="module")
def node_peer(node_opcua, tmp_path_factory):
    """A node-opcua server of this module's own."""
    peer = NodePeer(node_opcua, tmp_path_factory.mktemp("node"))
    yield peer
    peer.kill()
