"""Samples as topics and payloads."""

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import batches
from unit.destinations.field import signal

from weft.destinations.api import Delivery
from weft.destinations.mqtt.config import Config
from weft.destinations.mqtt.messages import Messages
from weft.destinations.mqtt.names import percent, read_percent, read_strict, strict
from weft.model import ARRAY, Batch, ValueType, instant
from weft.runtime import Invalid

TIME = instant.parse_instant("2026-11-21T06:00:00.123456789Z")
NAMES = st.text(st.characters(exclude_characters="/"), min_size=1) | st.from_regex(
    r"_?(x[0-9A-F]{2}_?){1,3}[ _x]?", fullmatch=True
)


def config(**keys):
    return Config(host="h", **keys)


def published(batch, *signals, live=True, **keys):
    made = Messages(config(**keys), signals).of(Delivery(batch, live, "1-1"))
    return [(m.topic, json.loads(m.payload), m.retain) for m in made]


@given(st.lists(NAMES, min_size=1, max_size=4).map("/".join))
def test_names_are_escaped_reversibly_for_both_tastes(path):
    assert read_percent(percent(path)) == path
    topic = strict(path)
    assert read_strict(topic) == path
    assert set(topic) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/")


@given(NAMES, NAMES)
def test_two_names_never_become_one(one, other):
    assert (strict(one) == strict(other)) == (one == other)


def test_what_was_never_escaped_is_refused():
    for topic in ("a b", "_x41_", "_a"):
        with pytest.raises(Invalid):
            read_strict(topic)


def test_json():
    batch = Batch.of(
        [
            (1, TIME, 21.5, ValueType.DOUBLE, 0),
            (2, TIME, "öl", ValueType.STRING, 0x80310000),
            (1, TIME, math.nan, ValueType.DOUBLE, 0x40000000),
        ]
    )
    one = signal(1, "acme/berlin/cnc 1/temp.ist", unit="Cel")
    found = published(batch, one, signal(2))
    when = "2026-11-21T06:00:00.123456789Z"
    assert found == [
        (
            "uns/v1/acme/berlin/cnc%201/temp%2Eist",
            {"value": 21.5, "time": when, "status": "Good", "unit": "Cel"},
            False,
        ),
        (
            "uns/v1/acme/berlin/mill/s2",
            {"value": "öl", "time": when, "status": "BadNoCommunication", "unit": ""},
            False,
        ),
        (
            "uns/v1/acme/berlin/cnc%201/temp%2Eist",
            {"value": None, "time": when, "status": "Uncertain", "unit": "Cel"},
            False,
        ),
    ]


def test_backlog_is_marked_and_never_retained():
    batch = Batch.of([(1, TIME, 1, ValueType.INT32)])
    [(_, live, retained)] = published(batch, signal(1), retain=True)
    [(_, old, kept)] = published(batch, signal(1), retain=True, live=False)
    assert (retained, kept) == (True, False)
    assert "historical" not in live
    assert old["historical"] is True


def test_columns_are_one_message_per_signal():
    batch = Batch.of(
        [
            (2, TIME, True, ValueType.BOOLEAN),
            (1, TIME + 1, 1, ValueType.INT32),
            (2, TIME + 2, False, ValueType.BOOLEAN),
        ]
    )
    found = published(batch, signal(1), signal(2), format="columns", live=False)
    assert [(topic[-2:], body["value"], body["historical"]) for topic, body, _ in found] == [
        ("s2", [True, False], True),
        ("s1", [1], True),
    ]
    assert found[0][1]["time"] == [instant.text(TIME), instant.text(TIME + 2)]
    assert found[0][1]["status"] == ["Good", "Good"]


def test_umh_has_milliseconds_one_tag_and_no_other_key():
    batch = Batch.of(
        [
            (1, TIME, 21.5, ValueType.DOUBLE, 0),
            (1, TIME, 21.5, ValueType.DOUBLE, 0x80000000),
            (1, TIME, math.nan, ValueType.DOUBLE, 0),
            (1, TIME, None, ValueType.NULL, 0),
            (1, TIME, [1, 2], ValueType.INT32 | ARRAY, 0),
        ]
    )
    one = signal(1, "acme/berlin/line 1/cnc/temp.ist")
    ms = TIME // 1_000_000
    assert published(batch, one, format="umh") == [
        (
            "umh/v1/acme/berlin/line_x20_1/cnc/_historian/temp_x2E_ist",
            {"timestamp_ms": ms, "temp_x2E_ist": value},
            False,
        )
        for value in (21.5, "[1,2]")
    ]
    [(topic, body, _)] = published(batch.take(slice(0, 1)), one, format="umh", contract="_raw")
    assert topic == "umh/v1/acme/berlin/line_x20_1/cnc/_raw/temp_x2E_ist"
    assert body == {"timestamp_ms": ms, "value": 21.5}


def test_dates_bytes_and_large_numbers_are_exact():
    batch = Batch.of(
        [
            (1, TIME, instant.to_filetime(TIME), ValueType.DATETIME),
            (1, TIME, b"\x00\xff", ValueType.BYTESTRING),
            (1, TIME, 2**64 - 1, ValueType.UINT64),
            (1, TIME, 0.1 + 0.2, ValueType.DOUBLE),
        ]
    )
    values = [body["value"] for _, body, _ in published(batch, signal(1))]
    assert values == ["2026-11-21T06:00:00.123456700Z", "AP8=", 2**64 - 1, 0.1 + 0.2]


@given(batches())
def test_every_sample_can_be_said(batch):
    signals = [signal(handle) for handle in sorted(set(batch.signal.tolist()))]
    for format in ("json", "columns", "umh"):
        found = published(batch, *signals, format=format)
        if format == "json":
            assert len(found) == len(batch)


def test_signals_that_are_unknown_or_too_long_are_left_out():
    made = Messages(config(), [signal(1, "acme/berlin/" + "x" * 40_000)])
    assert made.left_out == 1
    assert list(made.of(Delivery(Batch.of([(1, 0, 1, 6), (9, 0, 1, 6)]), True, "1"))) == []


@pytest.mark.parametrize(
    "keys",
    [
        {"topic": "plant/{name}"},
        {"topic": "plant/{path}/{what}"},
        {"topic": "plant/{path"},
        {"topic": "plant/#/{path}"},
        {"topic": "/{path}"},
        {"topic": "$SYS/{path}"},
        {"topic": "{path.x}"},
        {"format": "xml"},
        {"contract": "historian"},
        {"password": "plain"},
    ],
)
def test_a_configuration_that_cannot_be_is_refused(keys):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"host": "h", **keys}, Config)


def test_topics_of_ones_own():
    batch = Batch.of([(1, TIME, 1, ValueType.INT32)])
    assert published(batch, signal(1), topic="x/{asset}/-/{name}")[0][0] == "x/acme/berlin/mill/-/s1"
