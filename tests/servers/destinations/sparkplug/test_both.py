"""Our edge node and our host application on a broker: mosquitto, and the bus's own MQTT listener."""

from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest
from anyio.abc import SocketAttribute
from servers.connect.mqtt.broker import running
from servers.sparkplug_feed import Feed, edge, host, point, signal

from weft.bus.server import NatsServer
from weft.connect.api import Write
from weft.destinations.sparkplug import Config, SparkplugEdge
from weft.model import ARRAY, Batch, Flag, Limits, ValueType, Writable
from weft.mqtt.broker import Broker
from weft.mqtt.session import Session
from weft.runtime import Retry
from weft.runtime.secret import resolve
from weft.sparkplug.state import encode_state

pytestmark = pytest.mark.anyio
T = ValueType
NOW = 1_767_225_600_123_456_700
SPEED = signal(1, "acme/hall/mill/speed", unit="mm/s", limits=Limits(minimum=0, maximum=9), write=Writable())
COUNT = signal(2, "acme/hall/mill/count", type=T.INT32)
NAME = signal(3, "acme/hall 2/saw/name")


class Listener:
    """The MQTT listener of nats-server, as the bus starts it."""

    def __init__(self, port, login, folder):
        self.port = port
        self.user = login.device_user
        secret = folder / "mqtt-password"
        secret.write_text(login.device_password)
        self.password = f"file:{secret}"


@asynccontextmanager
async def bus(folder):
    async with NatsServer(folder / "nats", mqtt_port=0) as server:
        yield Listener(server.login.mqtt_port, server.login, folder)


@pytest.fixture(params=[running, bus], ids=["mosquitto", "bus"])
async def broker(request, tmp_path):
    async with request.param(tmp_path) as broker:
        yield broker


ROWS = [
    (1, NOW, 1.5, T.DOUBLE),
    (2, NOW, -12, T.INT32),
    (3, NOW, "000123", T.STRING),
]


@pytest.mark.card("sparkplug", "reads")
@pytest.mark.card("sparkplug", "types")
@pytest.mark.card("sparkplug", "source_time")
async def test_values_arrive_once_with_type_and_time_to_the_nanosecond(broker, tmp_path):
    signals = [SPEED, COUNT, NAME]
    feed = Feed(signals, tmp_path, ROWS)
    async with host(broker, [point(s) for s in signals]) as (link, _), edge(broker, feed):
        await link.until(lambda: len({row.signal for row in link.rows}) == 3)
        for n in range(1, 200):
            feed.put(
                (1, NOW + n, n / 7, T.DOUBLE), (2, NOW + n, -n, T.INT32), (3, NOW + n, f"{n:06}", T.STRING)
            )
        await link.until(lambda: len(link.of(3)) >= 201)
        await feed.until(lambda: len(feed.settled) == 199)
    told = [(row.time, row.value, row.type, row.status) for row in link.of(2) if row.time <= NOW + 200]
    assert told == [(NOW + n, -12 if not n else -n, T.INT32, 0) for n in range(200)]
    assert [row.value for row in link.of(1) if row.time <= NOW + 200] == [1.5] + [
        n / 7 for n in range(1, 200)
    ]
    assert [row.value for row in link.of(3) if NOW < row.time < NOW + 200] == [
        f"{n:06}" for n in range(1, 200)
    ]


TYPES = [
    (T.BOOLEAN, True), (T.SBYTE, -7), (T.BYTE, 255), (T.INT16, -300), (T.UINT16, 65535), (T.INT32, -12),
    (T.UINT32, 2**32 - 1), (T.INT64, -(2**63)), (T.UINT64, 2**64 - 1), (T.FLOAT, 1.5), (T.DOUBLE, 0.1),
    (T.STRING, "000123"), (T.DATETIME, 132_000_000_000_000_001), (T.GUID, "00000000-0000-0000-0000-00000000000a"),
    (T.BYTESTRING, b"\0\xff"), (T.XMLELEMENT, "<a/>"), (T.NODEID, "ns=2;s=a"), (T.EXPANDEDNODEID, "svr=1;i=3"),
    (T.STATUSCODE, 0x80310000), (T.QUALIFIEDNAME, "2:Speed"), (T.LOCALIZEDTEXT, {"locale": "de", "text": "ä"}),
    (T.EXTENSIONOBJECT, {"type": "i=884", "body": {"Low": 0.0}}), (T.VARIANT, {"type": "Int32", "value": 1}),
    (T.DATAVALUE, {"type": "Int32", "value": 1, "status": 0}), (T.DIAGNOSTICINFO, {"symbolic_id": 3}),
    (T.DOUBLE | ARRAY, [1.5, -0.0]), (T.INT32 | ARRAY, [[1, -2], [3, 4]]), (T.BOOLEAN | ARRAY, [True, False, True]),
    (T.STRING | ARRAY, ["a", None, ""]), (T.DATETIME | ARRAY, [1, 2]), (T.BYTESTRING | ARRAY, [b"\0", b""]),
    (T.LOCALIZEDTEXT | ARRAY, [{"locale": None, "text": "x"}]), (T.UINT64 | ARRAY, []),
]  # fmt: skip


async def test_every_type_is_equal_bit_for_bit_after_the_broker(broker, tmp_path):
    signals = [signal(i, f"a/types/s{i}") for i in range(len(TYPES))]
    first = [(i, NOW, value, code) for i, (code, value) in enumerate(TYPES)]
    feed = Feed(signals, tmp_path, first)
    async with host(broker, [point(s) for s in signals]) as (link, _), edge(broker, feed):
        await feed.until(lambda: bool(feed.details))
        again = [(i, NOW + 100, value, code, 0x408F0000) for i, (code, value) in enumerate(TYPES)]
        feed.put(*again)
        await link.until(lambda: all(any(r.time == NOW + 100 for r in link.of(i)) for i in range(len(TYPES))))
    for rows, time in ((first, NOW), (again, NOW + 100)):
        arrived = {row.signal: row for row in reversed(link.rows) if row.time == time}
        for expected in Batch.of(rows):
            mine = arrived[expected.signal]
            assert packed(mine) == packed(expected)


def packed(row):
    return msgspec.msgpack.encode((row.type, row.value, row.status, row.time))


async def test_a_dead_node_leaves_its_last_values_as_stale_and_comes_back(broker, tmp_path):
    feed = Feed([SPEED, NAME], tmp_path, [ROWS[0], ROWS[2]])
    async with host(broker, [point(SPEED), point(NAME)]) as (link, _):
        async with edge(broker, feed):
            await link.until(lambda: bool(link.of(3)))
            feed.put((1, NOW + 5, 2.5, T.DOUBLE))
            await link.until(lambda: any(row.value == 2.5 for row in link.of(1)))
        await link.until(lambda: link.of(3)[-1].status == 0x408F0000)
        stale = {row.signal: row for row in link.rows}
        assert (stale[1].value, stale[1].status) == (2.5, 0x408F0000)
        assert (stale[3].value, stale[3].status) == ("000123", 0x408F0000)
        assert stale[1].time > NOW + 5
        async with edge(broker, feed):
            await link.until(lambda: link.of(3)[-1].status == 0 and link.of(1)[-1].status == 0)
        back = max(link.of(1)[:-1] if link.of(1)[-1].status else link.of(1), key=lambda row: row.time)
        assert back.value == 2.5


async def test_a_write_goes_the_way_of_commands(broker, tmp_path):
    feed = Feed([SPEED, COUNT], tmp_path, ROWS[:2])
    points = [point(SPEED), point(COUNT)]
    async with host(broker, points) as (link, connector), edge(broker, feed):
        await link.until(lambda: bool(link.of(2)))
        assert list(await connector.write([Write(points[0], 3), Write(points[1], -5)])) == [0, 0]
        await feed.until(lambda: len(feed.commands) == 2)
        assert [(c.signal, c.value, c.via) for c in feed.commands] == [
            (SPEED.path, 3.0, "sparkplug"), (COUNT.path, -5, "sparkplug")
        ]  # fmt: skip
        bad = await connector.write([Write(points[1], 2**40), Write(points[1], "x")])
        assert [hex(status) for status in bad] == ["0x803c0000", "0x80740000"]


async def test_other_signals_are_born_without_another_session(broker, tmp_path):
    feed = Feed([SPEED], tmp_path, [ROWS[0]])
    async with host(broker, [point(SPEED), point(NAME)]) as (link, _), edge(broker, feed):
        await link.until(lambda: bool(link.of(1)))
        feed.newest[3] = ROWS[2]
        feed.update([SPEED, NAME])
        await link.until(lambda: bool(link.of(3)))
        assert link.of(3)[0].value == "000123"
        assert feed.memory == {"bdseq": 0}


@pytest.mark.card("sparkplug", "browse")
async def test_a_host_that_comes_later_asks_for_the_births(broker, tmp_path):
    feed = Feed([SPEED], tmp_path, [ROWS[0]])
    async with edge(broker, feed):
        await feed.until(lambda: bool(feed.details))
        async with host(broker, [point(SPEED)]) as (link, connector):
            await link.until(lambda: bool(link.of(1)))
            assert (link.of(1)[0].value, link.of(1)[0].time) == (1.5, NOW)
            assert link.of(1)[0].flags & Flag.FIRST
            found = {item.name: item async for item in connector.browse("G/E")}
    speed = found["G/E/acme.hall.mill/speed"]
    assert (speed.unit, speed.limits, speed.type) == ("mm/s", SPEED.limits, T.DOUBLE)
    assert (speed.value, speed.writable) == (1.5, True)
    assert point(SPEED).address == msgspec.convert(speed.address, type(point(SPEED).address))


async def test_backlog_is_historical_and_what_the_primary_host_did_not_see_is_kept(broker, tmp_path):
    feed = Feed([SPEED], tmp_path, [ROWS[0]])
    feed.put((1, NOW - 2000, 7.0, T.DOUBLE), live=False)
    where = Broker(host="127.0.0.1", port=broker.port, user=getattr(broker, "user", ""))
    password = resolve(getattr(broker, "password", ""), "password")
    primary = Session(where, "primary", where.user, password, clean=True)
    await primary.open()
    async with (
        host(broker, [point(SPEED)], host_id="other") as (link, _),
        edge(broker, feed, primary_host="P"),
    ):
        await primary.publish("spBv1.0/STATE/P", encode_state(online=False, timestamp=1), retain=True)
        with anyio.move_on_after(0.5):
            await link.until(lambda: bool(link.rows))
        assert not link.rows
        assert not feed.settled
        await primary.publish("spBv1.0/STATE/P", encode_state(online=True, timestamp=2), retain=True)
        await link.until(lambda: any(row.value == 7.0 for row in link.rows))
        await feed.until(lambda: feed.settled == ["1"])
    (old,) = [row for row in link.rows if row.value == 7.0]
    assert old.flags & Flag.HISTORY
    assert old.time == NOW - 2000
    await primary.close()


async def test_a_broker_that_hangs_up_at_once_is_tried_again_later(tmp_path):
    async def hang_up(stream):
        await stream.aclose()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    destination = SparkplugEdge(Config(host="127.0.0.1", port=port, group="G", node="E", timeout=2))
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, hang_up)
        with pytest.raises(Retry):
            await destination.run(Feed([], tmp_path))
        group.cancel_scope.cancel()
    with pytest.raises(Retry):  # nobody listens there any more
        await destination.run(Feed([], tmp_path))
