"""Against mosquitto: every numbered message is counted."""

import json
import shutil
import subprocess
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest
from servers.connect.mqtt.broker import Publisher, running

from weft.connect import Line, LineState
from weft.connect.api import Browses, Point, Probes
from weft.connect.mqtt import Address, Config, Mqtt
from weft.connect.testing import Recorder
from weft.model import Flag, ValueType, quality
from weft.runtime import NeedsHuman, Retry, SystemClock

pytestmark = pytest.mark.anyio
VERSIONS = ["3.1.1", "5"]


def point(handle, topic, path="", type=None, **more):
    return Point(handle, f"p{handle}", Address(topic=topic, path=path, **more), type)


def mqtt(broker, **more):
    return Mqtt(Config(host="127.0.0.1", port=broker.port, **more))


@asynccontextmanager
async def at_work(connector, *points):
    """A connector running for a recorder, subscribed."""
    link = Recorder(points)
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: bool(link.details))
        yield link
        group.cancel_scope.cancel()


def numbered(first, count):
    return [json.dumps({"n": n, "at": f"2026-01-01T00:00:00.{n:09d}Z"}) for n in range(first, first + count)]


NUMBER = point(1, "line/+/count", "n", ValueType.INT32, time="at")
START = 1_767_225_600_000_000_000


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.card("mqtt", "reads")
@pytest.mark.card("mqtt", "types")
@pytest.mark.card("mqtt", "source_time")
@pytest.mark.card("mqtt", "outside_peer")
async def test_every_message_arrives_once_in_order_with_type_and_time(tmp_path, version):
    serial = point(2, "line/1/serial")
    async with running(tmp_path) as broker, at_work(mqtt(broker, version=version), NUMBER, serial) as link:
        with Publisher(broker.port) as publisher:
            publisher.publish("line/1/count", *numbered(0, 2000))
            publisher.publish("line/1/serial", "000123")
        await link.until(lambda: bool(link.of(2)))
    assert [(row.value, row.time) for row in link.of(1)] == [(n, START + n) for n in range(2000)]
    assert {(row.type, row.status) for row in link.of(1)} == {(ValueType.INT32, quality.GOOD)}
    assert [row.flags for row in link.of(1)] == [Flag.FIRST] + [0] * 1999
    (row,) = link.of(2)
    assert (row.value, row.type, row.flags) == ("000123", ValueType.STRING, Flag.FIRST | Flag.RECEIVE_TIME)


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_is_published_while_weft_is_away_is_not_lost(tmp_path, version):
    async with running(tmp_path) as broker:
        connector = mqtt(broker, version=version)
        with Publisher(broker.port) as publisher:
            async with at_work(connector, NUMBER) as link:
                assert "new session" in link.details[0]
                publisher.publish("line/1/count", *numbered(0, 100))
                await link.until(lambda: len(link.rows) == 100)
            publisher.publish("line/1/count", *numbered(100, 1000))
            async with at_work(connector, NUMBER) as link:
                assert "session kept" in link.details[0]
                publisher.publish("line/1/count", *numbered(1100, 100))
                await link.until(lambda: len(link.rows) >= 1100)
    assert [row.value for row in link.rows] == list(range(100, 1200))


async def test_a_message_is_acknowledged_only_when_it_was_handed_over(tmp_path):
    """Under pressure nothing is handed over: then the broker must still have it when Weft is killed."""
    async with running(tmp_path) as broker:
        with Publisher(broker.port) as publisher:
            async with at_work(mqtt(broker), NUMBER) as link:
                link.pressure = 1.0
                publisher.publish("line/1/count", *numbered(0, 50))
                await anyio.sleep(0.3)  # time to do it wrong
                assert link.rows == []
            async with at_work(mqtt(broker), NUMBER) as link:
                await link.until(lambda: len(link.rows) >= 50)
    assert [row.value for row in link.rows] == list(range(50))
    assert link.rows[0].flags == Flag.FIRST | Flag.REPLAYED


class Lines:
    """A line at work, and what it forwards."""

    def __init__(self, connector, *points):
        self.rows = []
        self._news = anyio.Event()
        self.line = Line(
            "mq", connector, points, clock=SystemClock(), forward=self._take, tell=lambda event: self._tell()
        )

    def _take(self, batch, stored=None):
        self.rows.extend(batch)
        if stored is not None:
            stored()
        self._tell()

    def _tell(self):
        news, self._news = self._news, anyio.Event()
        news.set()

    async def until(self, condition):
        with anyio.fail_after(15):
            while not condition():
                await self._news.wait()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.card("mqtt", "reconnect")
@pytest.mark.card("mqtt", "line_quality")
async def test_a_killed_broker_leaves_bad_quality_and_its_return_is_noticed(tmp_path, version):
    async with running(tmp_path) as broker, anyio.create_task_group() as group:
        lines = Lines(mqtt(broker, version=version), NUMBER)
        group.start_soon(lines.line.run)
        await lines.until(lambda: lines.line.status.state is LineState.UP)
        with Publisher(broker.port) as publisher:
            publisher.publish("line/1/count", *numbered(0, 200))
            await lines.until(lambda: len(lines.rows) == 200)
        broker.kill()
        await lines.until(lambda: lines.line.status.state is LineState.DOWN)
        assert lines.rows[-1][2:] == (None, 0, quality.BAD_NO_COMMUNICATION, Flag.SYNTHETIC)
        await broker.start()
        await lines.until(lambda: lines.line.status.state is LineState.UP)
        with Publisher(broker.port) as publisher:
            publisher.publish("line/1/count", *numbered(200, 200))
            await lines.until(lambda: len([row for row in lines.rows if row.value is not None]) >= 400)
        group.cancel_scope.cancel()
    assert [row.value for row in lines.rows if row.value is not None] == list(range(400))


@pytest.mark.card("mqtt", "update_without_reconnect")
async def test_other_signals_are_read_on_the_same_connection(tmp_path):
    other = point(2, "other")
    async with running(tmp_path) as broker, at_work(mqtt(broker), NUMBER) as link:
        with Publisher(broker.port) as publisher:
            link.update([NUMBER, other])
            await link.until(lambda: len(link.details) == 2)
            publisher.publish("other", "1")
            publisher.publish("line/1/count", *numbered(0, 1))
            await link.until(lambda: bool(link.of(1) and link.of(2)))
            link.update([other])
            await link.until(lambda: len(link.details) == 3)
            publisher.publish("line/1/count", *numbered(1, 1))
            publisher.publish("other", "2")
            await link.until(lambda: len(link.of(2)) == 2)
        assert (len(link.of(1)), [row.value for row in link.of(2)]) == (1, [1, 2])
    assert broker.text().count("as weft") == 1


@pytest.mark.card("mqtt", "bad_input")
@pytest.mark.card("mqtt", "bad_signal")
async def test_junk_between_good_messages_harms_nothing(tmp_path):
    junk = ["", "{", b"\xff\xfe", "[" * 50_000, '{"n": "x"}', '{"n": {}}', "{}", "x" * 2_000_000]
    wrong = point(3, "a/#/b")
    async with running(tmp_path) as broker, at_work(mqtt(broker), NUMBER, wrong) as link:
        with Publisher(broker.port) as publisher:
            publisher.publish("line/1/count", *junk)
            publisher.publish("line/1/count", *numbered(7, 1))
        await link.until(lambda: bool(link.rows) and link.rows[-1].value == 7)
    statuses = [quality.status_name(row.status) for row in link.rows]
    assert statuses == [
        *["BadDecodingError"] * 4,
        "Good",
        "BadTypeMismatch",
        "BadNodeIdUnknown",
        "BadDecodingError",
        "Good",
    ]
    assert [row.value for row in link.rows if row.value is not None] == ["x", 7]
    assert "last level" in link.refused["p3"][1]


async def test_retained_messages_are_flagged(tmp_path):
    async with running(tmp_path) as broker:
        with Publisher(broker.port) as publisher:
            publisher.publish("line/1/count", *numbered(5, 1), retain=True)
            async with at_work(mqtt(broker), NUMBER) as link:
                await link.until(lambda: bool(link.rows))
    assert link.rows[0][1:3] == (START + 5, 5)
    assert link.rows[0].flags == Flag.FIRST | Flag.HISTORY


async def test_overlapping_topics_do_not_double_messages(tmp_path):
    points = [point(1, "a/+"), point(2, "a/b"), point(3, "#")]
    async with running(tmp_path) as broker, at_work(mqtt(broker), *points) as link:
        assert link.details[0].startswith("1 subscriptions")
        with Publisher(broker.port) as publisher:
            publisher.publish("a/b", "1", "2", "3")
        await link.until(lambda: len(link.rows) >= 9)
    assert [len(link.of(handle)) for handle in (1, 2, 3)] == [3, 3, 3]


@pytest.fixture
def password_file(tmp_path):
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed (Debian package mosquitto)")
    path = tmp_path / "passwd"
    subprocess.run([tool, "-c", "-b", str(path), "reader", "right"], check=True, capture_output=True)
    return f"allow_anonymous false\npassword_file {path}"


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_wrong_password_needs_a_person(tmp_path, password_file, monkeypatch, version):
    monkeypatch.setenv("MQTT_WRONG", "wrong")
    (tmp_path / "right").write_text("right\n")
    async with running(tmp_path, password_file) as broker:
        refused = mqtt(broker, version=version, user="reader", password="env:MQTT_WRONG")
        with anyio.fail_after(5), pytest.raises(NeedsHuman, match="user and password") as caught:
            await refused.run(Recorder([NUMBER]))
        assert "wrong" not in str(caught.value)
        good = mqtt(broker, version=version, user="reader", password=f"file:{tmp_path}/right")
        assert "MQTT" in await good.probe()
        absent = mqtt(broker, user="reader", password="env:MQTT_NOT_SET")
        with pytest.raises(NeedsHuman, match="MQTT_NOT_SET"):
            await absent.probe()


@pytest.mark.card("mqtt", "browse")
async def test_browse_opens_documents_and_probe_names_the_broker(tmp_path):
    async with running(tmp_path) as broker:
        with Publisher(broker.port) as publisher:
            publisher.publish(
                "cell/press", '{"ts": 1767225600000, "force": {"peak": 1.5}, "id": "007"}', retain=True
            )
            publisher.publish("cell/lamp", "on", retain=True)
        connector = mqtt(broker)
        assert isinstance(connector, Browses)
        assert isinstance(connector, Probes)
        assert "MQTT 3.1.1 broker at 127.0.0.1" in await connector.probe()
        with anyio.move_on_after(15):
            found = {item.name: item async for item in connector.browse("cell/#")}
    assert set(found) == {"cell/press/force/peak", "cell/press/id", "cell/lamp"}
    peak = found["cell/press/force/peak"]
    assert (peak.value, peak.type, peak.folder) == (1.5, ValueType.DOUBLE, "cell")
    assert msgspec.convert(peak.address, Address) == Address(
        topic="cell/press", path="force.peak", time="ts", time_unit="ms"
    )
    assert found["cell/press/id"].value == "007"


async def test_nobody_there_is_a_retry():
    with pytest.raises(Retry, match="No broker answers"):
        await Mqtt(Config(host="127.0.0.1", port=1)).run(Recorder([]))
