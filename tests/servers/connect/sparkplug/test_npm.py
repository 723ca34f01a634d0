"""An implementation that shares no code with ours: the JavaScript of npm."""

import json
from contextlib import asynccontextmanager

import anyio
import npm
import pytest
from servers.connect.mqtt.broker import running
from servers.sparkplug_feed import Feed, edge, host, signal

from weft.connect.api import Point, Write
from weft.connect.sparkplug import Address
from weft.model import ValueType

pytestmark = pytest.mark.anyio
T = ValueType
NOW = 1_767_225_600_123_000_000


class Script:
    def __init__(self, process):
        self._process = process
        self.lines = []
        self._news = anyio.Event()

    async def read(self):
        rest = b""
        async for data in self._process.stdout:
            *lines, rest = (rest + data).split(b"\n")
            self.lines += map(json.loads, lines)
            news, self._news = self._news, anyio.Event()
            news.set()

    async def until(self, condition):
        with anyio.fail_after(20):
            while not condition():
                await self._news.wait()

    async def say(self, text):
        await self._process.stdin.send(text.encode() + b"\n")

    def kill(self):
        self._process.kill()


@asynccontextmanager
async def script(name, port):
    command = ["node", str(npm.installed("sparkplug") / name), str(port)]
    async with await anyio.open_process(command, stderr=None) as process:
        made = Script(process)
        async with anyio.create_task_group() as group:
            group.start_soon(made.read)
            try:
                yield made
            finally:
                if process.returncode is None:
                    process.kill()
                group.cancel_scope.cancel()


METRICS = {
    "speed": (T.DOUBLE, 1.5), "count": (T.INT32, -12), "serial": (T.STRING, "000123"), "on": (T.BOOLEAN, True),
    "small": (T.SBYTE, -7), "big": (T.UINT64, 2**53 - 1), "word": (T.UINT16, 65535), "single": (T.FLOAT, 0.5),
    "raw": (T.BYTESTRING, b"\0\xff"),
}  # fmt: skip


@pytest.mark.card("sparkplug", "outside_peer")
@pytest.mark.card("sparkplug", "reconnect")
async def test_its_edge_node_is_read_written_to_and_seen_dying(tmp_path):
    points = [Point(i, n, Address(group="N", node="js", device="d", metric=n)) for i, n in enumerate(METRICS)]
    async with running(tmp_path) as broker, host(broker, points) as (link, connector):
        async with script("edge.js", broker.port) as peer:
            await link.until(lambda: {row.signal for row in link.rows} == set(range(len(METRICS))), 20)
            told = {row.signal: row for row in reversed(link.rows)}
            assert {p.path: (told[p.handle].type, told[p.handle].value) for p in points} == METRICS
            await peer.say("300")
            await link.until(lambda: link.of(1)[-1].value == -299, 20)
            assert [row.value for row in link.of(1)][-300:] == [-n for n in range(300)]
            assert not link.gaps
            assert list(await connector.write([Write(points[1], -5)])) == [0]
            await peer.until(lambda: any("device" in line for line in peer.lines))
            (command,) = [line for line in peer.lines if "device" in line]
            assert command["metrics"][0]["type"] == "Int32"
            assert command["metrics"][0]["value"] in (-5, 2**32 - 5)
            peer.kill()
            await link.until(lambda: link.of(1)[-1].status == 0x408F0000, 20)
            assert link.of(1)[-1].value == -299
        async with script("edge.js", broker.port):
            await link.until(lambda: link.of(1)[-1].status == 0, 20)


async def test_its_decoder_reads_our_edge_node(tmp_path):
    codes = METRICS
    signals = [signal(i, f"a/d/{name}", type=code) for i, (name, (code, _)) in enumerate(codes.items())]
    feed = Feed(signals, tmp_path, [(i, NOW, value, code) for i, (code, value) in enumerate(codes.values())])
    async with running(tmp_path) as broker, script("host.js", broker.port) as peer:
        await peer.until(lambda: bool(peer.lines))
        async with edge(broker, feed, datatypes=True):
            await peer.until(lambda: any("DBIRTH" in line.get("topic", "") for line in peer.lines))
            feed.put(*((i, NOW + 10**6, value, code) for i, (code, value) in enumerate(codes.values())))
            feed.put((0, NOW + 7, 9.5, T.DOUBLE), live=False)
            await feed.until(lambda: len(feed.settled) == 2)
            await peer.until(lambda: sum("DDATA" in line.get("topic", "") for line in peer.lines) == 2)
    birth = next(line for line in peer.lines if "DBIRTH" in line.get("topic", ""))
    shown = {m["name"]: m["value"] for m in birth["metrics"]}
    expected = {name: value for name, (_, value) in codes.items()} | {"raw": [0, 255], "big": str(2**53 - 1)}
    assert {n: str(v) if n == "big" else v for n, v in shown.items()} == expected
    data, old = [line for line in peer.lines if "DDATA" in line.get("topic", "")]
    assert [m["value"] for m in data["metrics"]][:5] == [1.5, -12, "000123", True, -7]
    assert [(m["value"], m["historical"]) for m in old["metrics"]] == [(9.5, True)]
    assert [line["seq"] for line in peer.lines if "topic" in line and "NDEATH" not in line["topic"]] == [
        0,
        1,
        2,
        3,
    ]
