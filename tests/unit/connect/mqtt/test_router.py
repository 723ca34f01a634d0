"""Messages to samples, without a broker."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.api import Point
from weft.connect.mqtt import Address, Config, topics
from weft.connect.mqtt.listing import Listing
from weft.connect.mqtt.router import Router
from weft.connect.payload.document import ABSENT, NOT_JSON, look, parse, steps
from weft.connect.payload.moment import moment
from weft.connect.tally import Tally
from weft.model import ARRAY, Flag, ValueType, concat, quality
from weft.mqtt.broker import Message
from weft.runtime import Invalid, NeedsHuman
from weft.runtime.secret import resolve

NOW = 1_800_000_000_000_000_000


def point(handle, topic="t", type=None, **address):
    return Point(handle, f"p{handle}", Address(topic=topic, **address), type)


def router_of(*points, max_payload=1 << 20):
    refused = {}
    router = Router(points, lambda p, _, why: refused.update({p.path: why}), Tally("test"), max_payload)
    return router, refused


def message(payload, topic="t", **more):
    data = payload if isinstance(payload, bytes) else payload.encode()
    return Message(topic, data, **({"id": 0, "retained": False, "repeated": False} | more))


def read(payload, *points, **more):
    return list(router_of(*points)[0].read([message(payload, **more)], NOW))


def one(payload, type=None, **address):
    (row,) = read(payload, point(1, type=type, **address))
    return row


@pytest.mark.parametrize(
    ("payload", "type", "value"),
    [
        ("12", ValueType.INT64, 12),
        ("-12", ValueType.INT64, -12),
        ("9007199254740993", ValueType.INT64, 9007199254740993),
        ("18446744073709551615", ValueType.UINT64, 18446744073709551615),
        ("123456789012345678901234567890", ValueType.STRING, "123456789012345678901234567890"),
        ("1.5", ValueType.DOUBLE, 1.5),
        ("true", ValueType.BOOLEAN, True),
        ("000123", ValueType.STRING, "000123"),
        ('"000123"', ValueType.STRING, "000123"),
        ("NaN", ValueType.STRING, "NaN"),
        ("1e999", ValueType.STRING, "1e999"),
        ("on", ValueType.STRING, "on"),
        ("Öl", ValueType.STRING, "Öl"),
        (b"\xff\x00", ValueType.BYTESTRING, b"\xff\x00"),
        ("[1, 2]", ValueType.INT64 | ARRAY, [1, 2]),
        ("[1, 2.5]", ValueType.DOUBLE | ARRAY, [1.0, 2.5]),
        ('["a"]', ValueType.STRING | ARRAY, ["a"]),
        ("[true]", ValueType.BOOLEAN | ARRAY, [True]),
        ("[1, null]", ValueType.STRING, "[1,null]"),
        ("[[1]]", ValueType.STRING, "[[1]]"),
        ("[18446744073709551615]", ValueType.STRING, "[18446744073709551615]"),
        ('{"a": 1}', ValueType.STRING, '{"a":1}'),
    ],
)
def test_a_plain_payload_is_read_as_it_is(payload, type, value):
    row = one(payload)
    assert (row.value, row.type, row.status) == (value, type, quality.GOOD)
    assert isinstance(row.value, bool) == isinstance(value, bool)


@pytest.mark.parametrize(
    ("payload", "wanted", "value"),
    [
        ("000123", ValueType.INT32, 123),
        ("000123", ValueType.DOUBLE, 123.0),
        ("1.50", ValueType.STRING, "1.50"),
        ('{"a": 1.50}', ValueType.STRING, '{"a": 1.50}'),
        ('"x"', ValueType.STRING, "x"),
        ("7.0", ValueType.INT16, 7),
        ("RUN", ValueType.INT32, "RUN"),
        ("OFF", ValueType.BOOLEAN, False),
        ("1", ValueType.BOOLEAN, True),
        ("2026-01-01T00:00:00Z", ValueType.DATETIME, 134_116_992_000_000_000),
        ("abc", ValueType.BYTESTRING, b"abc"),
        ("true", ValueType.INT32, 1),
    ],
)
def test_a_plain_payload_is_read_as_the_plant_asks(payload, wanted, value):
    row = one(payload, wanted)
    assert (row.value, row.status) == (value, quality.GOOD)


@pytest.mark.parametrize(
    ("payload", "wanted", "status"),
    [
        ("40000", ValueType.INT16, quality.BAD_OUT_OF_RANGE),
        ("1.5", ValueType.INT16, quality.BAD_TYPE_MISMATCH),
        ("9007199254740993", ValueType.DOUBLE, quality.BAD_OUT_OF_RANGE),
        ("abc", ValueType.DOUBLE, quality.BAD_TYPE_MISMATCH),
        ("1_0", ValueType.DOUBLE, quality.BAD_TYPE_MISMATCH),
        ("nan", ValueType.DOUBLE, quality.BAD_TYPE_MISMATCH),
        ("5", ValueType.BOOLEAN, quality.BAD_TYPE_MISMATCH),
        ("soon", ValueType.DATETIME, quality.BAD_TYPE_MISMATCH),
        ("[1]", ValueType.INT32, quality.BAD_TYPE_MISMATCH),
        ("", ValueType.INT32, quality.BAD_TYPE_MISMATCH),
        ("null", None, quality.BAD_SENSOR_FAILURE),
        (b"\xff", ValueType.STRING, quality.BAD_DECODING_ERROR),
        ("[" * 100_000, ValueType.DOUBLE, quality.BAD_TYPE_MISMATCH),
    ],
)
def test_what_cannot_be_read_so_is_null_with_the_reason(payload, wanted, status):
    row = one(payload, wanted)
    assert (row.value, row.status) == (None, status)


@pytest.mark.parametrize("path", ["a.b.1", "a.b[1]", "/a/b/1", "$.a.b[1]"])
def test_paths(path):
    assert look(parse(b'{"a": {"b": [1, 2]}}'), steps(path)) == 2


def test_pointers_reach_every_key():
    document = {"a/b": {"~c": {"": 1}}, "d.e": 2}
    assert look(document, steps("/a~1b/~0c/")) == 1
    assert look(document, steps("/d.e")) == 2
    assert look(document, steps("")) == document
    for path in ("x", "a/b.x", "/a~1b/0", "/d.e/0"):
        assert look(document, steps(path)) is ABSENT
    for path in ("-1", "5", "x", "²", "9" * 30):
        assert look([1], steps(path)) is ABSENT


def test_a_message_with_several_signals_is_one_batch_and_one_bad_signal_harms_no_other():
    document = '{"temp": 21.5, "serial": "000123", "count": -12, "list": [1], "none": null, "at": "2026-01-01T00:00:00.000000001Z"}'
    rows = read(
        document,
        point(1, path="temp", time="at"),
        point(2, path="serial", time="at"),
        point(3, path="count", type=ValueType.INT32),
        point(4, path="absent"),
        point(5, path="serial", type=ValueType.BOOLEAN),
        point(6, path="none"),
        point(7, path="absent", optional=True),
        point(8, path="list.0"),
        point(9, "other"),
    )
    assert [(row.signal, row.value, row.status) for row in rows] == [
        (1, 21.5, quality.GOOD),
        (2, "000123", quality.GOOD),
        (3, -12, quality.GOOD),
        (4, None, quality.BAD_NODE_ID_UNKNOWN),
        (5, None, quality.BAD_TYPE_MISMATCH),
        (6, None, quality.BAD_SENSOR_FAILURE),
        (8, 1, quality.GOOD),
    ]
    assert rows[0].time == 1_767_225_600_000_000_001
    assert [row.flags & Flag.RECEIVE_TIME for row in rows] == [0, 0, *[Flag.RECEIVE_TIME] * 5]
    assert rows[2].type == ValueType.INT32


@pytest.mark.parametrize(
    "payload", ["{", b"\xff", "", "[" * 100_000, "{'a': 1}", '{"a": 1e999}', '{"a":' + "9" * 5000 + "}"]
)
def test_what_is_not_json_is_bad_for_each_signal_that_looks_into_it(payload):
    rows = read(payload, point(1, path="a"), point(2, path="a.b", time="t"))
    assert [(row.value, row.status) for row in rows] == [(None, quality.BAD_DECODING_ERROR)] * 2


def test_a_payload_that_is_too_large_is_bad():
    router, _ = router_of(point(1), point(2, path="a"), max_payload=10)
    rows = list(router.read([message("x" * 11), message("1")], NOW))
    assert [(row.signal, row.status) for row in rows] == [
        (1, quality.BAD_DECODING_ERROR),
        (2, quality.BAD_DECODING_ERROR),
        (1, quality.GOOD),
        (2, quality.BAD_NODE_ID_UNKNOWN),
    ]
    assert router._tally.counts["payload too large"] == 1


def test_where_selects_among_messages_of_one_topic():
    points = (point(1, path="v", where={"id": "7"}), point(2, path="v", where={"id": "8", "ok": "true"}))
    assert [row.signal for row in read('{"id": 7, "ok": true, "v": 1}', *points)] == [1]
    assert [row.signal for row in read('{"id": "8", "ok": true, "v": 1}', *points)] == [2]
    assert read('{"id": 8, "ok": 1, "v": 1}', *points) == []
    assert read("junk", *points) == []


def test_flags_tell_retained_repeated_and_first():
    router, _ = router_of(point(1))
    rows = list(router.read([message("1", retained=True), message("2", repeated=True), message("3")], NOW))
    base = Flag.RECEIVE_TIME
    assert [row.flags for row in rows] == [base | Flag.HISTORY | Flag.FIRST, base | Flag.REPLAYED, base]


def test_messages_read_together_are_all_kept():
    router, _ = router_of(point(1))
    first = router.read([message("1"), message("2"), message("3")], NOW)
    again = router.read([message("4")], NOW)  # the clock stood still, or went back
    kept = [row.value for row in concat([first, again]).last_wins()]
    assert kept == [1, 2, 3, 4]


def test_an_unreadable_time_is_the_time_of_receipt_and_counted():
    router, _ = router_of(point(1, path="v", time="at"))
    rows = list(router.read([message('{"v": 1, "at": "soon"}'), message('{"v": 2}')], NOW))
    assert [row.time for row in rows] == [NOW, NOW + 1]
    assert all(row.flags & Flag.RECEIVE_TIME for row in rows)
    assert router._tally.counts == {"time not readable": 2}


@pytest.mark.parametrize(
    ("value", "unit", "ns"),
    [
        ("2026-01-01T00:00:00.1234567Z", "ms", 1_767_225_600_123_456_700),
        ("2026-01-01T01:00:00+01:00", "ms", 1_767_225_600_000_000_000),
        (1_767_225_600, "s", 1_767_225_600_000_000_000),
        (1_767_225_600.123456, "s", 1_767_225_600_123_456_000),
        (1_767_225_600_123, "ms", 1_767_225_600_123_000_000),
        (1_767_225_600_123_456, "us", 1_767_225_600_123_456_000),
        (1_767_225_600_123_456_789, "ns", 1_767_225_600_123_456_789),
        ("1767225600.123456789", "s", 1_767_225_600_123_456_789),
        (-1, "s", -1_000_000_000),
        ("soon", "s", None),
        ("", "s", None),
        ("1e999999999", "s", None),
        ("nan", "s", None),
        ("1_0", "s", None),
        (10**30, "s", None),
        (1e300, "s", None),
        (True, "s", None),
        (None, "s", None),
        ([], "s", None),
        (NOT_JSON, "s", None),
    ],
)
def test_times(value, unit, ns):
    assert moment(value, unit) == ns


@given(st.integers(0, 4_102_444_799_999_999), st.sampled_from(["s", "ms"]))
def test_a_fraction_is_exact(microseconds, unit):
    digits = 6 if unit == "s" else 3
    text = f"{microseconds // 10**digits}.{microseconds % 10**digits:0{digits}d}"
    assert moment(json.loads(text), unit) == microseconds * 1000


@given(st.binary(max_size=60), st.sampled_from([None, *ValueType]), st.sampled_from(["", "a", "0"]))
def test_no_payload_makes_it_fail(payload, wanted, path):
    router, _ = router_of(point(1, type=wanted, path=path, time="t"))
    router.read([message(payload)], NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, st.sampled_from([None, *ValueType]))
def test_every_json_value_survives_or_says_why_not(value, wanted):
    rows = read(json.dumps({"a": value}), point(1, path="a", type=wanted))
    for row in rows:
        assert (row.value is None) == (row.status != 0)
        if wanted is None and isinstance(value, (bool, int, float, str)):
            big = type(value) is int and not -(2**63) <= value < 2**64
            assert row.value == (str(value) if big else value)
        elif wanted is None and isinstance(value, dict):
            assert json.loads(row.value) == value


@pytest.mark.parametrize(
    ("filter", "topic", "matches"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/+", "a", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("+/+", "/a", True),
        ("+", "/a", False),
        ("#", "a/b", True),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("a/b", "a/B", False),
    ],
)
def test_filters(filter, topic, matches):
    assert topics.matches(filter, topic) is matches


LEVEL = st.sampled_from(["a", "b", "", "+"])
FILTER = st.builds(lambda levels, end: "/".join(levels + end), st.lists(LEVEL, min_size=1, max_size=3), st.sampled_from([[], ["#"]]))  # fmt: skip
TOPIC = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=4).map("/".join)


@given(st.lists(FILTER, max_size=5), TOPIC)
def test_the_fewest_filters_take_the_same_topics(filters, topic):
    fewest = topics.fewest(filters)
    assert any(topics.matches(f, topic) for f in filters) == any(topics.matches(f, topic) for f in fewest)
    assert not [f for f in fewest for other in fewest if f != other and topics.covers(other, f)]


@pytest.mark.parametrize("filter", ["a/#/b", "a#", "a+/b", "$share/g/a", "a\0"])
def test_filters_that_no_broker_takes_are_refused_alone(filter):
    with pytest.raises(Invalid):
        topics.check(filter)
    router, refused = router_of(point(1, filter), point(2, "fine"), point(3, type=ValueType.GUID))
    assert set(refused) == {"p1", "p3"}
    assert router.filters == {"fine"}


def test_topics_that_nobody_reads_are_counted():
    router, _ = router_of(point(1, "a"))
    assert len(router.read([message("1", "b")], NOW)) == 0
    assert router._tally.counts == {"no signal": 1}
    router.follow([point(1, "b")])
    assert len(router.read([message("1", "b")], NOW)) == 1


def test_secrets_are_references(monkeypatch, tmp_path):
    monkeypatch.setenv("WEFT_TEST_SECRET", "s3cret")
    (tmp_path / "file").write_text("from file\n")
    assert resolve("env:WEFT_TEST_SECRET", "password") == "s3cret"
    assert resolve(f"file:{tmp_path}/file", "password") == "from file"
    assert resolve("reader", "user") == "reader"
    for missing in ("env:WEFT_TEST_ABSENT", f"file:{tmp_path}/absent"):
        with pytest.raises(NeedsHuman):
            resolve(missing, "password")


def test_a_password_in_the_folder_is_refused():
    with pytest.raises(msgspec.ValidationError, match="env:NAME"):
        msgspec.convert({"host": "h", "password": "open"}, Config)
    assert msgspec.convert({"host": "h", "password": "env:P", "tls": True}, Config).at == 8883
    assert Config(host="h").at == 1883


def test_a_listing_proposes_addresses():
    listing = Listing()
    listing.add(message('{"time": 1767225600.5, "a b": {"c": 1}, "x.y": [1, 2]}', "m/1"))
    listing.add(message("21.5", "m/2"))
    found = {item.name: item for item in listing.items()}
    assert {name: (item.address, item.value) for name, item in found.items()} == {
        "m/1/a b/c": ({"topic": "m/1", "path": "a b.c", "time": "time", "time_unit": "s"}, 1),
        "m/1/x.y": ({"topic": "m/1", "path": "/x.y", "time": "time", "time_unit": "s"}, [1, 2]),
        "m/2": ({"topic": "m/2"}, 21.5),
    }
    for item in found.values():
        msgspec.convert(item.address, Address)


def test_an_empty_payload_is_text_whatever_else_reads_it():
    """Who takes back a retained message sends no bytes at all."""
    whole, part = point(1, where={"a": "b"}), point(2)
    inside = point(3, path="a", time="t")
    assert [(row.signal, row.value, row.status) for row in read(b"", inside, whole, part)] == [
        (3, None, quality.BAD_DECODING_ERROR),
        (2, "", quality.GOOD),
    ]
