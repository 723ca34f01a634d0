"""Brokers that do what mosquitto does not: refuse, take over, send too much, speak another protocol."""

from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketAttribute
from servers.connect.mqtt.broker import packet

from weft.connect.api import Point
from weft.connect.mqtt import Address, Config, Mqtt
from weft.connect.testing import Recorder
from weft.model import quality
from weft.runtime import NeedsHuman, Retry

pytestmark = pytest.mark.anyio

CONNECTED = b"\x20\x02\x00\x00"
CONNECTED_5 = b"\x20\x03\x00\x00\x00"


class Odd:
    """A server that gives one answer to each piece that it receives, and keeps the pieces."""

    def __init__(self, answers):
        self.pieces = []
        self.port = 0
        self._answers = list(answers)
        self._news = anyio.Event()

    async def handle(self, stream):
        async with stream:
            try:
                while not self.pieces or self.pieces[-1][0] != 0xE0:
                    self.pieces.append(await stream.receive())
                    news, self._news = self._news, anyio.Event()
                    news.set()
                    if self._answers:
                        answer = self._answers.pop(0)
                        await stream.send(answer(self.pieces[-1]) if callable(answer) else answer)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass

    async def until(self, condition):
        with anyio.fail_after(5):
            while not condition():
                await self._news.wait()


@asynccontextmanager
async def answering(*answers):
    odd = Odd(answers)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    odd.port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, odd.handle)
        yield odd
        group.cancel_scope.cancel()


def points(*topics):
    return [Point(i, topic, Address(topic=topic)) for i, topic in enumerate(topics)]


async def run(port, *topics, **config):
    link = Recorder(points(*topics))
    with anyio.fail_after(10):
        await Mqtt(Config(host="127.0.0.1", port=port, timeout=1, **config)).run(link)


@pytest.mark.parametrize(
    ("version", "answer", "error", "text"),
    [
        ("3.1.1", b"\x20\x02\x00\x05", NeedsHuman, "user and password"),
        ("3.1.1", b"\x20\x02\x00\x01", NeedsHuman, "does not speak MQTT 3.1.1"),
        ("3.1.1", b"\x20\x02\x00\x02", NeedsHuman, "client id"),
        ("3.1.1", b"\x20\x02\x00\x03", Retry, "refuses connections for now"),
        ("5", b"\x20\x02\x00\x01", NeedsHuman, "version = '3.1.1'"),
        ("5", b"\x20\x03\x00\x84\x00", NeedsHuman, "does not speak MQTT 5"),
        ("5", b"\x20\x03\x00\x87\x00", NeedsHuman, "user and password"),
        ("5", b"\x20\x03\x00\x9d\x00", NeedsHuman, "another server"),
        ("5", b"\x20\x03\x00\x89\x00", Retry, "refuses connections for now"),
        ("3.1.1", b"HTTP/1.1 400 Bad Request\r\n\r\n", Retry, "did not answer"),
    ],
)
async def test_a_refusal_says_who_can_help(version, answer, error, text):
    async with answering(answer) as odd:
        with pytest.raises(error, match=text):
            await run(odd.port, version=version)


async def test_a_broker_that_hangs_up_before_it_answers_is_a_retry():
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")

    async def hang_up(stream):
        await stream.receive()
        await stream.aclose()

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, hang_up)
        with pytest.raises(Retry, match="closed the connection"):
            await run(listener.extra(SocketAttribute.local_port))
        group.cancel_scope.cancel()


async def test_a_refused_subscription_refuses_its_signals_only():
    def answer(subscribe):
        return b"\x90\x04" + subscribe[2:4] + b"\x01\x80"

    async with answering(CONNECTED, answer) as odd, anyio.create_task_group() as group:
        link = Recorder(points("a", "secret"))
        group.start_soon(Mqtt(Config(host="127.0.0.1", port=odd.port)).run, link)
        await link.until(lambda: bool(link.details))
        group.cancel_scope.cancel()
    assert list(link.refused) == ["secret"]
    assert link.refused["secret"][0] == quality.BAD_CONFIGURATION_ERROR


async def test_a_session_taken_over_needs_a_person():
    def answer(subscribe):
        return b"\x90\x04" + subscribe[2:4] + b"\x00\x01" + b"\xe0\x02\x8e\x00"

    async with answering(CONNECTED_5, answer) as odd:
        with pytest.raises(NeedsHuman, match="client_id"):
            await run(odd.port, "a", version="5")


async def test_a_packet_without_end_is_not_buffered():
    huge = b"\x30\xff\xff\xff\x7f\x00\x01a" + b"x" * 100

    def answer(subscribe):
        return b"\x90\x03" + subscribe[2:4] + b"\x01" + huge

    async with answering(CONNECTED, answer) as odd:
        with pytest.raises(NeedsHuman, match="268,435,455 bytes"):
            await run(odd.port, "a")


async def test_under_pressure_the_socket_is_read_no_further():
    count, payload = 300, b'"' + b"x" * 200_000 + b'"'
    sent = 0

    async def flood(stream):
        nonlocal sent
        async with stream:
            await stream.receive()
            await stream.send(CONNECTED)
            subscribe = await stream.receive()
            await stream.send(b"\x90\x03" + subscribe[2:4] + b"\x00")
            for _ in range(count):
                await stream.send(packet(0x30, b"\x00\x01a" + payload))
                sent += 1
            await stream.receive()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, flood)
        link = Recorder(points("a"))
        link.pressure = 1.0
        port = listener.extra(SocketAttribute.local_port)
        group.start_soon(Mqtt(Config(host="127.0.0.1", port=port, qos=0)).run, link)
        await link.until(lambda: bool(link.details))
        before = -1
        with anyio.fail_after(20):
            while sent < 50 or sent != before:
                before = sent
                await anyio.sleep(0.2)  # until it moves no more
        assert sent < count
        assert link.batches == []
        link.pressure = 0.0
        await link.until(lambda: sum(map(len, link.batches)) == count, 20)
        group.cancel_scope.cancel()


async def test_no_answer_to_a_subscription_is_a_retry():
    async with answering(CONNECTED) as odd:
        with pytest.raises(Retry, match="does not answer a subscription"):
            await run(odd.port, "a")


async def test_junk_packets_do_not_stop_the_reading():
    publish = packet(0x30, b"\x00\x01a7")
    junk = packet(0x30, b"\x00\xff") + packet(0xF0, b"") + packet(0x90, b"") + packet(0x32, b"\x00\x01a")

    def answer(subscribe):
        return b"\x90\x03" + subscribe[2:4] + b"\x01" + junk + publish

    async with answering(CONNECTED, answer) as odd, anyio.create_task_group() as group:
        link = Recorder(points("a"))
        group.start_soon(Mqtt(Config(host="127.0.0.1", port=odd.port)).run, link)
        await link.until(lambda: bool(link.rows))
        group.cancel_scope.cancel()
    assert [row.value for row in link.rows] == [7]


async def test_the_acknowledgement_waits_until_the_samples_are_stored():
    publish = packet(0x32, b"\x00\x01a\x00\x07" + b"1") + packet(0x32, b"\x00\x01a\x00\x08" + b"2")
    callbacks = []

    def answer(subscribe):
        return b"\x90\x03" + subscribe[2:4] + b"\x01" + publish

    async with answering(CONNECTED, answer) as odd, anyio.create_task_group() as group:
        link = Recorder(points("a"))
        keep = link.emit

        def emit(batch, stored=None):
            callbacks.append(stored)
            keep(batch)

        link.emit = emit
        group.start_soon(Mqtt(Config(host="127.0.0.1", port=odd.port)).run, link)
        await link.until(lambda: len(link.rows) == 2)
        await anyio.sleep(0.1)  # time to do it wrong
        assert [data[0] for data in odd.pieces] == [0x10, 0x82]
        for stored in callbacks:
            stored()
        await odd.until(lambda: b"".join(odd.pieces[2:]) == b"\x40\x02\x00\x07\x40\x02\x00\x08")
        group.cancel_scope.cancel()
    callbacks[0]()  # too late: acknowledged to nobody, and no error
