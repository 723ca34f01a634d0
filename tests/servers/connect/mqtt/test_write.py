"""Writes: published where the signal says, done when the broker has them, read by a client of others."""

import json
import shutil
import signal
import subprocess
from contextlib import asynccontextmanager

import anyio
import pytest
from servers.connect.mqtt.broker import running

from weft.connect.api import Point, Write
from weft.connect.mqtt import Address, Config, Mqtt
from weft.connect.testing import Recorder
from weft.model import quality
from weft.model.instant import parse_instant
from weft.runtime import Retry

pytestmark = pytest.mark.anyio

SUBSCRIBER = shutil.which("mosquitto_sub")
TEMPLATE = '{"speed": $value, "at": $time, "ms": $ms, "text": "$raw $valued"}'
PLAIN = Point(1, "plain", Address(topic="line/speed", write_topic="line/speed/set"))
JSON = Point(2, "json", Address(topic="line/speed", write_topic="line/json/set", write_template=TEMPLATE))
READ_ONLY = Point(3, "read", Address(topic="line/speed"))
KEPT = Point(4, "kept", Address(topic="line/mode", write_topic="line/mode", write_retain=True))


@asynccontextmanager
async def at_work(broker, **settings):
    link = Recorder([PLAIN, JSON, READ_ONLY, KEPT])
    connector = Mqtt(Config(host="127.0.0.1", port=broker.port, timeout=2, **settings))
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: bool(link.details))
        try:
            yield connector, link
        finally:
            group.cancel_scope.cancel()


async def received(broker, count, write, topic="line/+/set"):
    """What mosquitto_sub got while ``write`` ran."""
    if SUBSCRIBER is None:
        pytest.skip("mosquitto_sub is not installed (Debian package mosquitto-clients)")
    # Line by line: into a pipe it would write only when it ends.
    command = [
        "stdbuf",
        "-oL",
        SUBSCRIBER,
        "-d",
        "-p",
        str(broker.port),
        "-t",
        topic,
        "-C",
        str(count),
        "-W",
        "10",
        "-F",
        "=%t %p",
    ]
    async with await anyio.open_process(command, stderr=subprocess.STDOUT) as process:
        text = b""
        with anyio.fail_after(15):
            while b"Subscribed" not in text:
                text += await process.stdout.receive()
            await write()
            async for some in process.stdout:
                text += some
    lines = [line[1:] for line in text.decode().splitlines() if line.startswith("=")]
    assert len(lines) == count, text.decode()
    return [tuple(line.split(" ", 1)) for line in lines]


@pytest.mark.parametrize("version", ["3.1.1", "5"])
async def test_a_write_is_published_as_its_signal_says(tmp_path, version):
    async with running(tmp_path) as broker, at_work(broker, version=version) as (connector, _):

        async def write():
            values = (12.5, True, "fast", 2**60)
            writes = [Write(PLAIN, value) for value in values] + [Write(JSON, 12.5), Write(READ_ONLY, 1)]
            assert await connector.write(writes) == [0, 0, 0, 0, 0, quality.BAD_NOT_WRITABLE]

        *plain, (topic, document) = await received(broker, 5, write)
    assert plain == [("line/speed/set", text) for text in ("12.5", "true", "fast", str(2**60))]
    body = json.loads(document)
    assert (topic, body["speed"], body["text"]) == ("line/json/set", 12.5, "12.5 $valued")
    assert parse_instant(body["at"]) == body["ms"] * 1_000_000


async def test_a_kept_write_is_read_back(tmp_path):
    async with running(tmp_path) as broker:
        async with at_work(broker) as (connector, link):
            assert await connector.write([Write(KEPT, "auto")]) == [0]
            await link.until(lambda: bool(link.of(4)))
        async with at_work(broker, client_id="another") as (_, link):
            await link.until(lambda: bool(link.of(4)))
    assert link.of(4)[0].value == "auto"


async def test_what_the_broker_forbids_is_denied(tmp_path):
    (tmp_path / "acl").write_text("topic read #\ntopic write line/json/set\n")
    settings = f"allow_anonymous true\nacl_file {tmp_path}/acl"
    async with running(tmp_path, settings) as broker, at_work(broker, version="5") as (connector, _):
        codes = await connector.write([Write(PLAIN, 1), Write(JSON, 1)])
    assert codes == [quality.BAD_USER_ACCESS_DENIED, 0]


async def test_without_a_session_nothing_is_sent(tmp_path):
    with pytest.raises(Retry, match="not connected"):
        await Mqtt(Config(host="127.0.0.1")).write([Write(PLAIN, 1)])


async def test_a_broker_that_hangs_leaves_it_open_whether_it_happened(tmp_path):
    async with running(tmp_path) as broker, at_work(broker) as (connector, _):
        broker._process.send_signal(signal.SIGSTOP)
        try:
            codes = await connector.write([Write(PLAIN, 1), Write(PLAIN, 2)])
        finally:
            broker._process.send_signal(signal.SIGCONT)
    assert codes == [quality.BAD_TIMEOUT, quality.BAD_NO_COMMUNICATION]
