"""Against the MQTT side of nats-server, which speaks 3.1.1 only."""

import json
import shutil
import signal
import subprocess
import sysconfig
from contextlib import asynccontextmanager

import anyio
import pytest
from servers.connect.mqtt.broker import Publisher, free_port

from weft.connect.api import Point
from weft.connect.mqtt import Address, Config, Mqtt
from weft.connect.testing import Recorder
from weft.model import Flag, ValueType
from weft.runtime import NeedsHuman, Retry

pytestmark = pytest.mark.anyio

COUNT = Point(1, "count", Address(topic="line/+/count", path="n", time="at", time_unit="ns"), ValueType.INT64)


class Nats:
    """nats-server with JetStream in ``folder``, killed and started at will."""

    def __init__(self, folder):
        scripts = sysconfig.get_path("scripts")
        self._program = shutil.which("nats-server", path=scripts) or shutil.which("nats-server")
        if self._program is None:
            pytest.skip("nats-server is not installed")
        self.port = free_port()
        self._config = folder / "nats.conf"
        self._config.write_text(
            json.dumps(
                {
                    "server_name": "test",
                    "host": "127.0.0.1",
                    "port": -1,
                    "jetstream": {"store_dir": str(folder / "store")},
                    "mqtt": {"host": "127.0.0.1", "port": self.port},
                    "logfile": str(folder / "nats.log"),
                }
            )
        )
        self._process = None

    async def start(self):
        self._spawn()
        with anyio.fail_after(20):
            while True:
                try:
                    await (await anyio.connect_tcp("127.0.0.1", self.port)).aclose()
                except OSError:
                    await anyio.sleep(0.05)
                else:
                    return

    def _spawn(self):
        self._process = subprocess.Popen([self._program, "-c", str(self._config)], stderr=subprocess.DEVNULL)

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)


@asynccontextmanager
async def running(folder):
    server = Nats(folder)
    await server.start()
    try:
        yield server
    finally:
        server.kill()


@asynccontextmanager
async def at_work(server):
    link = Recorder([COUNT])
    async with anyio.create_task_group() as group:
        group.start_soon(Mqtt(Config(host="127.0.0.1", port=server.port)).run, link)
        await link.until(lambda: bool(link.details))
        yield link
        group.cancel_scope.cancel()


def numbered(first, count):
    return [json.dumps({"n": n, "at": n}) for n in range(first, first + count)]


@pytest.mark.card("mqtt", "outside_peer")
async def test_every_message_arrives_also_those_published_while_weft_was_away(tmp_path):
    async with running(tmp_path) as server:
        with Publisher(server.port) as publisher:
            async with at_work(server) as link:
                publisher.publish("line/1/count", *numbered(0, 1000))
                await link.until(lambda: len(link.rows) == 1000)
            assert [(row.value, row.time) for row in link.rows] == [(n, n) for n in range(1000)]
            publisher.publish("line/1/count", *numbered(1000, 500))
            async with at_work(server) as link:
                await link.until(lambda: bool(link.rows) and link.rows[-1].value == 1499)
    fresh = [row.value for row in link.rows if not row.flags & Flag.REPLAYED]
    assert fresh == list(range(1000, 1500))


async def test_a_killed_server_ends_the_session_with_a_retry(tmp_path):
    async with running(tmp_path) as server:
        link = Recorder([COUNT])
        async with anyio.create_task_group() as group:
            group.start_soon(_kill_when_up, link, server)
            with anyio.fail_after(20), pytest.raises(Retry):
                await Mqtt(Config(host="127.0.0.1", port=server.port)).run(link)


async def _kill_when_up(link, server):
    await link.until(lambda: bool(link.details))
    server.kill()


async def test_version_5_is_refused_with_the_remedy(tmp_path):
    async with running(tmp_path) as server:
        connector = Mqtt(Config(host="127.0.0.1", port=server.port, version="5"))
        with pytest.raises(NeedsHuman, match=r"version = '3\.1\.1'"):
            await connector.probe()
