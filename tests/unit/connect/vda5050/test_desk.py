"""Messages of carts: what is lost, doubled, absent, junk."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.api import Point
from weft.connect.testing import Recorder
from weft.connect.vda5050 import Address
from weft.connect.vda5050.desk import Desk
from weft.connect.vda5050.fleet import Fleet
from weft.connect.vda5050.heard import heard
from weft.model import Flag, Kind, ValueType, quality
from weft.model.instant import parse_instant, text
from weft.mqtt.broker import Message

SECOND = 10**9
START = parse_instant("2026-01-01T00:00:00Z")


def message(topic="state", header=0, time=None, cart="m/1", **body):
    document = {
        "headerId": header,
        "timestamp": text(START + SECOND * (header if time is None else time), 3),
        "version": "2.0.0",
    }
    payload = json.dumps(document | body).encode()
    return heard(Message(f"uagv/v2/{cart}/{topic}", payload, 1, retained=False, repeated=False))


def desk(*addresses, link=None):
    link = link or Recorder([Point(i, str(i), a) for i, a in enumerate(addresses)])
    return link, Desk(link, Fleet())


def rows(batch):
    return [(row.signal, row.time, row.value) for row in batch]


DRIVING, ERRORS = Address(cart="m/1", path="driving"), Address(cart="m/1", path="errors.length")


def test_lost_states_are_a_gap_and_doubled_ones_are_dropped():
    link, reader = desk(DRIVING, Address(cart="m/2", path="driving"))
    batch = reader.take(
        [message(header=1, driving=True), message(header=1, driving=True), message(header=5, driving=False)]
    )
    assert rows(batch) == [(0, START + SECOND, True), (0, START + 5 * SECOND, False)]
    [(first, last, cause, points)] = link.gaps
    assert (first, last) == (START + SECOND, START + 5 * SECOND)
    assert "m/1" in cause
    assert [point.handle for point in points] == [0]


def test_a_restarted_cart_counts_anew():
    link, reader = desk(DRIVING)
    reader.take([message(header=500, time=1, driving=True), message(header=0, time=2, driving=True)])
    assert not link.gaps


def test_an_absent_field_is_no_news():
    _, reader = desk(DRIVING, ERRORS, Address(cart="m/1", path="loads.length"))
    assert rows(reader.take([message(errors=[{}, {}])])) == [(1, START, 2)]


@pytest.mark.card("vda5050", "bad_signal")
def test_a_signal_that_cannot_be_read_costs_itself_only():
    points = [
        Point(0, "a", DRIVING, ValueType.NODEID),
        Point(1, "b", DRIVING, ValueType.DOUBLE),
        Point(2, "c", DRIVING),
    ]
    link, reader = desk(link=Recorder(points))
    batch = reader.take([message(driving=True)])
    assert [(row.signal, row.status) for row in batch] == [(1, quality.BAD_TYPE_MISMATCH), (2, 0)]
    assert "NodeId" in link.refused["a"][1]


@pytest.mark.card("vda5050", "bad_input")
@given(
    st.binary(max_size=200), st.sampled_from(["state", "connection", "factsheet", "visualization", "order"])
)
def test_junk_is_passed_over_and_the_rest_goes_on(junk, topic):
    _, reader = desk(DRIVING)
    odd = heard(Message(f"uagv/v2/m/1/{topic}", junk, 0, retained=False, repeated=False))
    assert len(reader.take([odd, message(header=7, driving=True)])) == 1


def test_states_with_odd_content_do_no_harm():
    link, reader = desk(DRIVING, ERRORS)
    odd = {"errors": "x", "driving": [1]}, {"errors": [1, {"errorReferences": 3}]}, {"errors": None}
    reader.take([message(header=i, **body) for i, body in enumerate(odd)])
    assert {data["name"] for _, data, _ in link.events} == {""}


def alarms(link):
    return [(d["name"], d["active"], d["severity"]) for kind, d, _ in link.events if kind == Kind.ALARM]


def test_errors_are_alarms_that_come_and_go_also_over_a_restart():
    link, reader = desk(DRIVING)
    warm = {"errorType": "motorHot", "errorLevel": "WARNING", "errorDescription": "80 degrees"}
    reader.take([message(header=0, errors=[warm]), message(header=1, errors=[warm])])
    reader.take([message(header=2, errors=[warm | {"errorLevel": "FATAL"}])])
    assert alarms(link) == [("motorHot", True, 500), ("motorHot", True, 900)]
    link.remember(reader.memory())
    link.events.clear()
    _, again = desk(link=link)
    again.take([message(header=3, errors=[])])
    assert alarms(link) == [("motorHot", False, 900)]


def test_a_factsheet_is_a_document_once_per_version():
    link, reader = desk(DRIVING)
    for header, speed in ((0, 1), (1, 1), (2, 2)):
        reader.take([message("factsheet", header, physicalParameters={"speedMax": speed})])
    told = [data for kind, data, _ in link.events if kind == Kind.DOCUMENT]
    assert [json.loads(data["text"])["physicalParameters"]["speedMax"] for data in told] == [1, 2]
    assert told[0]["id"] == "m/1/factsheet"


@pytest.mark.card("vda5050", "update_without_reconnect")
def test_a_signal_added_begins_with_what_its_cart_said_last():
    link, reader = desk(DRIVING)
    reader.take([message(errors=[], driving=True)])
    reader.follow([*link.points, Point(7, "new", ERRORS)])
    [row] = link.rows
    assert (row.signal, row.value, row.flags) == (7, 0, Flag.REPEATED | Flag.RECEIVE_TIME | Flag.FIRST)
