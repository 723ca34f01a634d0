"""The packing machine over MQTT, through the factory's own broker and through mosquitto."""

import json
import shutil
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import anyio
import gmqtt
import pytest

from weft.demo.broker import PUBLISHER, SUBSCRIBER, password_file
from weft.demo.factory import Factory
from weft.demo.layout import PACKING_PATH
from weft.demo.mqtt_publisher import MqttPublisher
from weft.demo.mqtt_writer import MqttWriter, Refused
from weft.demo.packing_signals import MESSAGES, PACKING, PREFIX
from weft.demo.timeline import Timeline
from weft.demo.truth import Truth, read
from weft.model import instant

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def subscriber(port, user="", password="", *, client="test"):
    """A gmqtt client that subscribes with QoS 1; yields the list of what it is sent."""
    found, ready = [], anyio.Event()
    peer = gmqtt.Client(client)
    if user:
        peer.set_auth_credentials(user, password)
    peer.on_message = lambda c, topic, payload, qos, properties: found.append((topic, payload, qos)) or 0
    peer.on_connect = lambda *_: peer.subscribe("factory/#", qos=1)
    peer.on_subscribe = lambda *_: ready.set()
    await peer.connect("127.0.0.1", port, version=gmqtt.constants.MQTTv311)
    try:
        await ready.wait()
        yield found
    finally:
        await peer.disconnect()


def rows_of(messages):
    """(signal, time): value of all messages, read with nothing but the table of topics."""
    rows = {}
    for topic, payload, _ in messages:
        body = json.loads(payload)
        ts = body["ts"]
        moment = instant.parse_instant(ts) if isinstance(ts, str) else ts * 1_000_000
        for sensor in PACKING:
            if f"{PREFIX}/{sensor.topic}" == topic:
                value = body
                for key in sensor.key.split("."):
                    value = value[key]
                rows[f"{PACKING_PATH}/{sensor.name}", moment] = value
    return rows


async def test_every_message_arrives_as_it_was_meant(field, tmp_path, replay, until):
    with anyio.fail_after(90):
        async with field(until=90.0, speed=30.0, processes=["packing", "broker"]) as f:
            secret = await anyio.Path(f.ports.password.removeprefix("file:")).read_text()
            async with subscriber(f.ports.broker, f.ports.user, secret) as found:
                f.release()
                end = f.start // 1_000_000 * 1_000_000 + 90_000_000_000
                await until(lambda: any(time == end for _, time in rows_of(found)))
                await until(lambda: len(rows_of(found)) >= len(read(tmp_path / "truth")))
    shown = read(tmp_path / "truth")
    assert rows_of(found) == {(row.signal, row.time): row.value for row in shown}
    assert {topic.rpartition("/")[2] for topic, _, _ in found} == {"state", "part", "pack", "process"}
    assert not replay(4, f.start).differing(shown)
    codes = [row.value for row in shown if row.signal.endswith("pack-code")]
    assert codes[0] == "000123"


async def test_the_broker_lets_nobody_in_without_a_password(tmp_path, free_tcp_port):
    arguments = ["broker", f"--folder={tmp_path}", f"--port={free_tcp_port}"]
    with anyio.fail_after(60):
        async with await anyio.open_process([sys.executable, "-m", "weft.demo", *arguments]) as process:
            await until_up(free_tcp_port)
            for user, password in (("", ""), (SUBSCRIBER, "guess")):
                writer = MqttWriter("127.0.0.1", free_tcp_port, client="x", user=user, password=password)
                with pytest.raises(Refused, match="to CONNECT"):
                    await writer.run()
                assert not writer.connected.is_set()
            process.kill()
    for secret in (password_file(tmp_path, PUBLISHER), password_file(tmp_path, SUBSCRIBER)):
        assert secret.stat().st_mode & 0o077 == 0
        assert len(secret.read_text()) > 20


@pytest.fixture
def mosquitto(tmp_path):
    """Starts mosquitto on a port of its own; call again after ``kill``."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed (Debian package mosquitto)")
    started = []

    def start(port):
        config = tmp_path / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        process = subprocess.Popen(
            [program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


async def until_up(port):
    while True:
        try:
            await (await anyio.connect_tcp("127.0.0.1", port)).aclose()
        except OSError:
            await anyio.sleep(0.02)
        else:
            return


async def test_what_was_said_before_the_broker_was_there_arrives_in_order(mosquitto, free_tcp_port, until):
    writer = MqttWriter("127.0.0.1", free_tcp_port, client="packing")
    payloads = [b"%06d" % number for number in range(300)]
    for payload in payloads:
        writer.publish("factory/x", payload)
    assert writer.open == 300
    mosquitto(free_tcp_port)
    with anyio.fail_after(60):
        await until_up(free_tcp_port)
        async with subscriber(free_tcp_port) as found, anyio.create_task_group() as tasks:
            tasks.start_soon(writer.run)
            await until(lambda: len(found) == 300 and not writer.open)
            tasks.cancel_scope.cancel()
    assert [payload for _, payload, _ in found] == payloads
    assert {qos for *_, qos in found} == {1}


async def test_nothing_is_forgotten_when_the_broker_dies(mosquitto, free_tcp_port, until):
    writer = MqttWriter("127.0.0.1", free_tcp_port, client="packing")
    broker = mosquitto(free_tcp_port)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(writer.run)
            await writer.connected.wait()
            writer.publish("factory/x", b"before")
            await until(lambda: not writer.open)
            broker.kill()
            broker.wait()
            for number in range(50):
                writer.publish("factory/x", b"%d" % number)
            assert writer.open == 50
            mosquitto(free_tcp_port)
            await until(lambda: not writer.open)
            tasks.cancel_scope.cancel()


async def test_the_machine_s_messages_go_through_another_broker_too(
    mosquitto, tmp_path, free_tcp_port, until
):
    mosquitto(free_tcp_port)
    timeline = Timeline(1_700_000_000_000_000_000, gate=tmp_path / "gate", speed=40.0, last=400)
    with anyio.fail_after(60), Truth(tmp_path / "truth", "packing") as truth:
        await until_up(free_tcp_port)
        writer = MqttWriter("127.0.0.1", free_tcp_port, client="packing")
        publisher = MqttPublisher(
            Factory(4),
            timeline,
            truth,
            writer,
            path=PACKING_PATH,
            prefix=PREFIX,
            messages=MESSAGES,
            sensors=PACKING,
        )
        async with subscriber(free_tcp_port) as found, anyio.create_task_group() as tasks:
            tasks.start_soon(publisher.run)
            (tmp_path / "gate").write_text(str(time.time_ns()))
            await until(lambda: any(t == timeline.time_of(400) for _, t in rows_of(found)))
            tasks.cancel_scope.cancel()
    assert rows_of(found) == {(row.signal, row.time): row.value for row in read(tmp_path / "truth")}
