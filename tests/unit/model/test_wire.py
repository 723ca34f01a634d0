"""Encoding and decoding; hostile bytes."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import batches

from weft.model import BadWire, Batch, Event, Kind, ValueType, decode, encode, quality


@given(batches())
def test_a_batch_survives_the_wire(batch):
    assert decode(encode(batch)) == batch


@given(batches())
def test_what_is_left_out_of_the_heap_is_not_sent(batch):
    first = batch.take(slice(0, 1))
    assert decode(encode(first)) == first
    assert len(decode(encode(first)).heap) <= 1


@pytest.mark.parametrize("value", ["\ud800", 2**70, [1, 2**70], np.float64(1), object()])
def test_a_value_without_a_binary_form_does_not_hold_up_its_batch(value):
    rows = [
        (1, 10, "before", ValueType.STRING),
        (2, 10, value, ValueType.VARIANT, 0x40000000),
        (3, 10, value, ValueType.VARIANT, 0x80310000),
        (4, 10, "after", ValueType.STRING),
    ]
    before, unsaid, worse, after = decode(encode(Batch.of(rows, source="a")))
    assert (before.value, after.value) == ("before", "after")
    assert (unsaid.value, unsaid.status) == (None, quality.BAD_TYPE_MISMATCH)
    assert (worse.value, worse.status) == (None, 0x80310000)


def test_an_event_survives_the_wire():
    event = Event(kind=Kind.DATA_GAP, source="a/b", time=1, recorded=2, data={"samples": 3, "why": ["x"]})
    assert decode(encode(event)) == event


def test_anything_else_is_bytes():
    assert decode(encode(b"\x00raw")) == b"\x00raw"


def test_twenty_bytes_a_double():
    batch = Batch.doubles(np.arange(1000), np.arange(1000), np.arange(1000.0))
    assert len(encode(batch)) < 20.1 * 1000


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_understood(data):
    try:
        decode(data)
    except BadWire as error:
        assert str(error)


@given(batches(), st.data())
def test_mutated_messages_never_do_worse_than_bad_wire(batch, data):
    message = bytearray(encode(batch))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        body = decode(bytes(message))
    except BadWire:
        return
    if isinstance(body, Batch):
        list(body)  # every value can be read


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({4: 10**9}, "row count"),
        ({4: -1}, "row count"),
        ({5: b"\x00"}, "not a Weft message"),
        ({6: b""}, "column 'time'"),
        ({7: b"\x1a"}, "built-in type"),
        ({7: b"\x0c"}, "outside the heap"),
        ({11: "x"}, "heap"),
    ],
)
def test_the_error_names_the_part(change, words):
    fields = msgspec.msgpack.decode(encode(Batch.doubles([1, 2], [3, 4], [5.0, 6.0])))
    for place, value in change.items():
        fields[place] = value
    with pytest.raises(BadWire, match=words):
        decode(msgspec.msgpack.encode(fields))


def test_deep_nesting_is_refused():
    with pytest.raises(BadWire):
        decode(b"\x91" * 100_000)
