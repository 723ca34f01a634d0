"""What the host application makes of messages, in and out of order; no sockets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.connect.api import Point, Write
from weft.connect.sparkplug import Address, Config, Sparkplug
from weft.connect.sparkplug.host import Host
from weft.connect.tally import Tally
from weft.model import Flag, ValueType, concat, quality
from weft.mqtt.broker import Message
from weft.runtime import Retry
from weft.sparkplug.encode import encode
from weft.sparkplug.payload import Metric, Payload, PropertySet, PropertyValue, Template

T = ValueType
S = 1_000_000_000
START = 1_767_225_600 * S
STALE = 0x408F0000
POINTS = [
    Point(1, "speed", Address(group="G", node="E", device="d", metric="speed")),
    Point(2, "count", Address(group="G", node="E", device="d", metric="count")),
    Point(3, "up", Address(group="G", node="E", metric="up")),
]


class Edge:
    """Messages of an edge node, made one by one."""

    def __init__(self, bdseq=0):
        self.seq = 0
        self.bdseq = bdseq

    def message(self, verb, metrics, device="", seq=True, time=START):
        number = None
        if seq:
            number, self.seq = self.seq, (self.seq + 1) % 256
        end = f"/{device}" if device else ""
        payload = encode(Payload(timestamp=time // 10**6, metrics=metrics, seq=number))
        return Message(f"spBv1.0/G/{verb}/E{end}", payload, 0, False, False)

    def born(self, time=START):
        self.seq = 0
        up = metric("up", 9, 11, 14, True, time)
        return [
            self.message("NBIRTH", [metric("bdSeq", None, 4, 11, self.bdseq, time), up], time=time),
            self.message(
                "DBIRTH", [metric("speed", 1, 10, 13, 1.5, time), metric("count", 2, 3, 10, 7, time)], "d"
            ),
        ]

    def data(self, n, time=START):
        return self.message("DDATA", [Metric(alias=2, timestamp=time // 10**6 + n, field=10, value=n)], "d")

    def dead(self, bdseq=None):
        number = self.bdseq if bdseq is None else bdseq
        return self.message("NDEATH", [metric("bdSeq", None, 4, 11, number)], seq=False)


def metric(name, alias, datatype, field, value, time=START):
    return Metric(
        name=name, alias=alias, timestamp=time // 10**6, datatype=datatype, field=field, value=value
    )


class Reading:
    def __init__(self, points=POINTS, **more):
        self.host = Host(points, Tally("test"), started=START - S, **{"reorder": 2.0, "rebirth": 5.0, **more})
        self.batches = []

    def read(self, *messages, now=START):
        self.batches.append(self.host.read(messages, now))

    def tick(self, now):
        self.batches.append(self.host.tick(now))

    @property
    def rows(self):
        return list(concat(self.batches))

    def of(self, handle):
        return [row for row in self.rows if row.signal == handle]


def counts(reading):
    return [row.value for row in reading.of(2)]


def test_births_tell_the_present_values_and_data_the_rest():
    edge, reading = Edge(), Reading()
    reading.read(*edge.born(), edge.data(8), edge.data(9))
    assert counts(reading) == [7, 8, 9]
    assert [row.type for row in reading.of(2)] == [T.INT32] * 3
    assert [row.flags for row in reading.of(2)] == [Flag.FIRST, 0, 0]
    assert (reading.of(3)[0].value, reading.of(1)[0].value) == (True, 1.5)
    assert reading.host.to_ask(START) == []


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(12)))
def test_messages_that_overtake_each_other_are_put_in_order(order):
    edge, reading = Edge(), Reading()
    reading.read(*edge.born())
    messages = [edge.data(n) for n in range(12)]
    for i in order:
        reading.read(messages[i])
    assert counts(reading) == [7, *range(12)]
    assert reading.host.gaps == []
    assert reading.host.to_ask(START + S) == []


def test_what_does_not_come_in_time_is_a_gap_and_a_request_for_births():
    edge, reading = Edge(), Reading()
    reading.read(*edge.born(), edge.data(1, START + S))
    lost = [edge.data(n, START + S) for n in (2, 3)]
    reading.read(edge.data(4, START + 2 * S), now=START + 3 * S)
    assert counts(reading) == [7, 1]
    reading.tick(START + 4 * S)
    assert reading.host.gaps == []
    reading.tick(START + 5 * S)
    assert counts(reading) == [7, 1, 4]
    (gap,) = reading.host.gaps
    assert gap.node == ("G", "E")
    assert reading.host.to_ask(START + 5 * S) == [("G", "E")]
    assert reading.host.to_ask(START + 6 * S) == []
    assert len(lost) == 2


def test_the_number_wraps_after_255():
    edge, reading = Edge(), Reading()
    reading.read(*edge.born(), *[edge.data(n) for n in range(600)])
    assert counts(reading) == [7, *range(600)]
    assert reading.host.gaps == []


def test_a_death_keeps_the_last_values_and_marks_them():
    edge, reading = Edge(), Reading()
    reading.read(*edge.born(), edge.data(8))
    reading.read(edge.dead(), now=START + 9 * S)
    last = {row.signal: row for row in reading.rows}
    assert [(last[i].value, last[i].status, last[i].time) for i in (1, 2, 3)] == [
        (1.5, STALE, START + 9 * S), (8, STALE, START + 9 * S), (True, STALE, START + 9 * S)
    ]  # fmt: skip
    assert all(last[i].flags & Flag.SYNTHETIC for i in (1, 2, 3))
    reading.read(edge.data(9), now=START + 10 * S)
    assert reading.host.to_ask(START + 20 * S) == [("G", "E")]
    again = Edge(bdseq=1)
    reading.read(*again.born(START + 20 * S), now=START + 20 * S)
    assert (reading.of(2)[-1].value, reading.of(2)[-1].status, reading.of(2)[-1].time) == (
        7,
        0,
        START + 20 * S,
    )


def test_a_value_born_again_with_its_old_time_is_present_again():
    edge, reading = Edge(), Reading()
    reading.read(*edge.born())
    reading.read(edge.dead(), now=START + 9 * S)
    again = Edge(bdseq=1)
    again_born = again.born()  # the values have not changed since START
    reading.read(*again_born, now=START + 20 * S)
    newest = max(reading.of(2), key=lambda row: row.time)
    assert (newest.value, newest.status) == (7, 0)
    assert newest.time > START + 9 * S


def test_the_will_of_a_session_before_does_not_kill_the_present_one():
    edge, reading = Edge(bdseq=5), Reading()
    reading.read(*edge.born(), edge.dead(bdseq=4), edge.data(8))
    assert counts(reading) == [7, 8]


def test_a_dead_device_leaves_its_neighbours_alone():
    edge, reading = Edge(), Reading()
    reading.read(*edge.born(), edge.message("DDEATH", [], "d", time=START + 5 * S))
    assert (reading.of(2)[-1].status, reading.of(2)[-1].time) == (STALE, START + 5 * S)
    assert len(reading.of(3)) == 1


def test_data_of_who_was_not_born_asks_for_the_birth():
    edge, reading = Edge(), Reading()
    edge.born()
    reading.read(edge.data(1))
    assert reading.rows == []
    assert reading.host.to_ask(START + S) == [("G", "E")]


def test_an_alias_that_no_birth_told_of_asks_for_the_birth_and_harms_no_other():
    edge, reading = Edge(), Reading()
    reading.read(*edge.born())
    metrics = [
        Metric(alias=77, field=10, value=1),
        Metric(alias=2, timestamp=START // 10**6, field=10, value=5),
    ]
    reading.read(edge.message("DDATA", metrics, "d"))
    assert counts(reading) == [7, 5]
    assert reading.host.to_ask(START + S) == [("G", "E")]


def test_a_rebirth_tells_nothing_twice():
    edge, reading = Edge(), Reading()
    reading.read(*edge.born())
    reading.read(*edge.born())
    assert counts(reading) == [7]


def test_history_null_and_quality():
    edge, reading = Edge(), Reading()
    reading.read(*edge.born())
    bad = PropertySet(["Quality"], [PropertyValue(3, None, 3, 0)])
    ms = START // 10**6
    reading.read(
        edge.message(
            "DDATA",
            [
                Metric(alias=1, timestamp=ms - 5, field=13, value=0.5, is_historical=True),
                Metric(alias=1, timestamp=ms + 1, is_null=True),
                Metric(alias=1, timestamp=ms + 2, field=13, value=2.5, properties=bad),
                Metric(alias=1, field=13, value=3.5),
            ],
            "d",
        )
    )
    told = [(row.value, row.status, row.flags) for row in reading.of(1)[1:]]
    assert told == [(0.5, 0, Flag.HISTORY), (None, 0, 0), (2.5, 2**31, 0), (3.5, 0, Flag.RECEIVE_TIME)]


def test_members_of_a_template_are_metrics():
    point = Point(1, "rpm", Address(group="G", node="E", device="d", metric="motor/rpm"))
    edge, reading = Edge(), Reading([point])
    nbirth, _ = edge.born()
    edge.seq = 1

    def motor(rpm):
        return Template(None, [metric("rpm", None, 9, 12, rpm)], [], "Motor", False)

    reading.read(nbirth, edge.message("DBIRTH", [metric("motor", 4, 19, 18, motor(0.5))], "d"))
    data = Metric(alias=4, timestamp=START // 10**6 + 1, field=18, value=motor(2.5))
    reading.read(edge.message("DDATA", [data], "d"))
    assert [row.value for row in reading.of(1)] == [0.5, 2.5]


@pytest.mark.card("sparkplug", "update_without_reconnect")
def test_other_signals_are_followed_and_their_node_asked():
    edge, reading = Edge(), Reading(POINTS[:1])
    reading.read(*edge.born())
    reading.host.follow(POINTS)
    assert reading.host.to_ask(START + S) == [("G", "E")]
    reading.read(*edge.born(START + S), now=START + S)
    assert counts(reading) == [7]


@pytest.mark.card("sparkplug", "bad_signal")
def test_one_metric_of_another_type_does_not_spoil_the_message():
    edge, reading = Edge(), Reading()
    reading.read(*edge.born())
    ms = START // 10**6 + 1
    reading.read(
        edge.message(
            "DDATA",
            [
                Metric(alias=2, timestamp=ms, field=15, value="x"),
                Metric(alias=1, timestamp=ms, field=13, value=2.5),
            ],
            "d",
        )
    )
    assert reading.of(2)[-1].status == 0x80740000
    assert reading.of(1)[-1].value == 2.5


@pytest.mark.card("sparkplug", "bad_input")
@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["NBIRTH", "NDATA", "DDATA", "NDEATH", "DBIRTH"]), st.binary(max_size=60))
    )
)
def test_junk_between_good_messages_harms_nothing(junk):
    reading = Reading()
    for verb, payload in junk:
        end = "/d" if verb[0] == "D" else ""
        reading.read(Message(f"spBv1.0/G/{verb}/E{end}", payload, 0, False, False))
    fresh = Edge(bdseq=200)
    reading.read(*fresh.born(START + S), fresh.data(8, START + 2 * S))
    assert reading.of(2)[-1].value == 8


def test_the_plant_s_type_wins_where_it_can_hold_the_value():
    point = Point(2, "count", POINTS[1].address, T.DOUBLE)
    edge, reading = Edge(), Reading([point])
    reading.read(*edge.born(), edge.data(8))
    assert [(row.type, row.value) for row in reading.of(2)] == [(T.DOUBLE, 7.0), (T.DOUBLE, 8.0)]


def test_a_thousand_metrics_in_columns():
    points = [
        Point(i, f"m{i}", Address(group="G", node="E", device="d", metric=f"m{i}")) for i in range(1000)
    ]
    edge, reading = Edge(), Reading(points)
    nbirth, _ = edge.born()
    edge.seq = 1
    reading.read(
        nbirth, edge.message("DBIRTH", [metric(f"m{i}", 100 + i, 10, 13, 0.0) for i in range(1000)], "d")
    )
    ms = START // 10**6
    values = np.random.default_rng(1).normal(size=1000).tolist()
    data = [Metric(alias=100 + i, timestamp=ms + i, field=13, value=value) for i, value in enumerate(values)]
    reading.read(edge.message("DDATA", data, "d"))
    batch = reading.batches[-1]
    assert batch.numbers().tolist() == values
    assert (batch.time == (ms + np.arange(1000)) * 10**6).all()
    reading.read(edge.dead(), now=START + 60 * S)
    assert reading.batches[-1].numbers().tolist() == values


class Cut:
    """A session whose connection is lost after so many messages."""

    def __init__(self, after):
        self.left = after

    async def publish(self, topic, payload, qos):
        if not self.left:
            raise Retry("the connection is lost")
        self.left -= 1

    async def confirm(self):
        raise Retry("the connection is lost")


@pytest.mark.anyio
@pytest.mark.parametrize("after", [0, 1])
async def test_a_command_whose_connection_is_lost_behind_it_may_have_happened(after):
    reading = Reading()
    reading.read(*Edge().born())
    connector = Sparkplug(Config(host="localhost"))
    connector._session, connector._host = Cut(after), reading.host
    order = [Write(POINTS[1], 5)]
    if after:
        assert list(await connector.write(order)) == [quality.BAD_TIMEOUT]
    else:
        with pytest.raises(Retry):
            await connector.write(order)
