"""What we publish, against mosquitto and against brokers that do as they like."""

from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketAttribute
from faults import Proxy
from servers.connect.mqtt.broker import packet, running

from weft.mqtt.broker import Broker
from weft.mqtt.outgoing import Publication, Will
from weft.mqtt.session import Session
from weft.runtime import Denied, Invalid, Retry

pytestmark = pytest.mark.anyio
VERSIONS = ["3.1.1", "5"]


async def opened(port, name, *, will=None, version="3.1.1", **config):
    session = Session(
        Broker(host="127.0.0.1", port=port, version=version, **config), name, "", "", clean=True, will=will
    )
    await session.open()
    return session


async def heard(session, count):
    messages = []
    with anyio.fail_after(10):
        while len(messages) < count:
            some = await session.receive()
            session.acknowledge(some)
            messages += some
    return messages


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("qos", [0, 1])
async def test_all_arrive_in_order(tmp_path, version, qos):
    async with running(tmp_path) as broker:
        reader = await opened(broker.port, "reader", version=version)
        await reader.subscribe(["t/#"])
        writer = await opened(broker.port, "writer", version=version)
        with anyio.fail_after(20):
            await writer.publish_many(
                (Publication(f"t/{n % 3}", str(n).encode(), qos) for n in range(3000)), window=50
            )
        messages = await heard(reader, 3000)
        await writer.close()
        await reader.close()
    assert [int(message.payload) for message in messages] == list(range(3000))


@pytest.mark.parametrize("version", VERSIONS)
async def test_retained_is_kept_for_those_who_come_later(tmp_path, version):
    async with running(tmp_path) as broker:
        writer = await opened(broker.port, "writer", version=version)
        await writer.publish("state", b"on", retain=True)
        await writer.publish("passing", b"x")
        reader = await opened(broker.port, "reader", version=version)
        await reader.subscribe(["#"])
        (message,) = await heard(reader, 1)
        assert (message.topic, message.payload, message.retained) == ("state", b"on", True)
        await reader.close()
        await writer.close()


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_will_comes_when_the_connection_breaks_and_not_after_a_good_bye(tmp_path, version):
    async with running(tmp_path) as broker:
        reader = await opened(broker.port, "reader", version=version)
        await reader.subscribe(["gone/#"])
        polite = await opened(broker.port, "polite", will=Will("gone/polite", b"", 1), version=version)
        await polite.close()
        rude = await opened(broker.port, "rude", will=Will("gone/rude", b"last words", 1), version=version)
        rude.abort()
        (message,) = await heard(reader, 1)
        assert (message.topic, message.payload) == ("gone/rude", b"last words")
        await rude.close()
        await reader.close()


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0b", "x" * 70_000])
async def test_topics_that_cannot_be_published_to_are_refused_before_they_are_sent(tmp_path, topic):
    async with running(tmp_path) as broker:
        writer = await opened(broker.port, "writer")
        with pytest.raises(Invalid):
            await writer.publish(topic, b"")
        await writer.publish("still/alive", b"")
        await writer.close()


async def test_a_broker_that_dies_ends_what_waits(tmp_path):
    async with running(tmp_path) as broker:
        writer = await opened(broker.port, "writer")
        broker.kill()
        endless = (Publication("t", b"x") for _ in range(100_000))
        with anyio.fail_after(10), pytest.raises(Retry):
            await writer.publish_many(endless)
        await writer.close()


class Silent:
    """Accepts, and answers each PUBLISH as the test says."""

    def __init__(self, connack, answer=None):
        self.port, self.connack, self.answer = 0, connack, answer
        self.data = b""
        self.most = anyio.Event()

    async def handle(self, stream):
        async with stream:
            await stream.receive()
            await stream.send(self.connack)
            try:
                while True:
                    more = await stream.receive()
                    self.data += more
                    self.most.set()
                    if self.answer is not None and more[0] >> 4 == 3:
                        await stream.send(self.answer)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass


@asynccontextmanager
async def serving(silent):
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    silent.port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, silent.handle)
        yield
        group.cancel_scope.cancel()


async def test_no_more_than_the_window_is_sent_without_an_answer():
    silent = Silent(b"\x20\x06\x00\x00\x03\x21\x00\x03")  # receive maximum 3
    async with serving(silent):
        session = await opened(silent.port, "writer", version="5")
        with anyio.move_on_after(0.5) as scope:
            await session.publish_many(Publication("t", b"p") for _ in range(10))
        assert scope.cancelled_caught
        one = len(packet(0x32, b"\0\1t\0\1\0p"))
        assert len(silent.data) == 3 * one
        session.abort()
        await session.close()


@pytest.mark.parametrize(("code", "error"), [(0x87, Denied), (0x97, Retry), (0x99, Invalid)])
async def test_a_refused_message_is_an_error_and_the_session_goes_on(code, error):
    silent = Silent(b"\x20\x03\x00\x00\x00", bytes([0x40, 4, 0, 1, code, 0]))
    async with serving(silent):
        session = await opened(silent.port, "writer", version="5")
        with anyio.fail_after(5), pytest.raises(error):
            await session.publish("t", b"x")
        silent.answer = bytes([0x40, 4, 0, 2, 0, 0])
        with anyio.fail_after(5):
            await session.publish("t", b"x")
        session.abort()
        await session.close()


async def test_the_limits_of_the_broker_are_kept():
    silent = Silent(b"\x20\x0c\x00\x00\x09\x24\x00\x25\x00\x27\x00\x00\x01\x00")
    async with serving(silent):
        session = await opened(silent.port, "writer", version="5")
        with anyio.fail_after(5), pytest.raises(Invalid, match="QoS"):
            await session.publish("t", b"x")
        with pytest.raises(Invalid, match="retained"):
            await session.publish("t", b"x", qos=0, retain=True)
        with pytest.raises(Invalid, match="too large"):
            await session.publish("t", b"x" * 300, qos=0)
        session.abort()
        await session.close()


async def test_a_lost_session_does_not_wait_for_a_broker_that_stands_still(tmp_path):
    async with running(tmp_path) as broker, Proxy(broker.port) as proxy:
        session = await opened(proxy.port, "leaver")
        proxy.stall()
        with anyio.move_on_after(0.5):  # what nobody reads stays in the socket's buffers and in ours
            await session.publish_many(Publication("t", bytes(1 << 20), 0) for _ in range(100))
        session._end(Retry("silent"))
        await session.close()
        assert not session._client._connection._protocol.closed.cancelled(), "it has waited in vain"
