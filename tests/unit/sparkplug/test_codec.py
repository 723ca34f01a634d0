"""The codec against Google's, both ways, and against junk."""

import math
import struct

import numpy as np
import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from unit.sparkplug import forms, judge

from weft.sparkplug.columns import HISTORICAL, IS_NULL, TRANSIENT, WITHIN, Columns, encode_columns
from weft.sparkplug.datatype import Field
from weft.sparkplug.decode import decode
from weft.sparkplug.encode import encode, encode_metric, framed
from weft.sparkplug.payload import Metric, Payload, PropertySet, PropertyValue
from weft.sparkplug.scan import scan
from weft.sparkplug.wire import MAX_DEPTH, BadPayload, block

slow = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@slow
@given(forms.payloads)
def test_what_we_encode_google_encodes_the_same(payload):
    data = encode(payload)
    theirs = judge.Payload.FromString(data)
    assert theirs.SerializeToString(deterministic=True) == data


@slow
@given(forms.payloads)
def test_what_google_encodes_we_decode_the_same(payload):
    theirs = judge.Payload.FromString(encode(payload))
    assert decode(theirs.SerializeToString()) == payload


def random_columns(n, kinds, rng):
    def wide(bits=64):
        return rng.integers(0, 2**63, n, dtype=np.uint64) >> rng.integers(0, bits, n).astype(np.uint64)

    field = rng.choice(np.array(kinds, np.uint8), n)
    bits = wide()
    bits[field == Field.INT] &= np.uint64(0xFFFFFFFF)
    bits[field == Field.BOOLEAN] &= np.uint64(1)
    single = field == Field.FLOAT
    bits[single] = rng.normal(size=int(single.sum())).astype(np.float32).astype(np.float64).view(np.uint64)
    bits[field == Field.NONE] = 0
    within = rng.integers(0, 10**6, n).astype(np.uint32) * rng.integers(0, 2, n).astype(np.uint32)
    datatype = rng.integers(0, 35, n).astype(np.uint8) * rng.integers(0, 2, n).astype(np.uint8)
    return Columns(wide(), wide(), within, datatype, field, bits, rng.integers(0, 8, n).astype(np.uint8))


def metrics_of(c):
    """The same as metrics, one by one."""
    for i in range(len(c.alias)):
        field, bits = int(c.field[i]), int(c.bits[i])
        value = bits
        if field in (Field.FLOAT, Field.DOUBLE):
            value = struct.unpack("<d", struct.pack("<Q", bits))[0]
        flags = int(c.flags[i])
        properties = None
        if c.within[i]:
            properties = PropertySet([WITHIN], [PropertyValue(7, None, 3, int(c.within[i]))])
        yield Metric(
            alias=int(c.alias[i]),
            timestamp=int(c.time[i]),
            datatype=int(c.datatype[i]) or None,
            is_historical=True if flags & HISTORICAL else None,
            is_transient=True if flags & TRANSIENT else None,
            is_null=True if flags & IS_NULL else None,
            properties=properties,
            field=field,
            value=None if field == Field.NONE else bool(value) if field == Field.BOOLEAN else value,
        )


@slow
@given(forms.plain_columns())
def test_columns_are_encoded_as_metrics_are_one_by_one(seed):
    columns = random_columns(*seed)
    data, starts = encode_columns(columns)
    expected = [block(2, encode_metric(metric)) for metric in metrics_of(columns)]
    assert data == b"".join(expected)
    assert starts.tolist() == np.cumsum([0, *map(len, expected)]).tolist()


@slow
@given(forms.plain_columns())
def test_columns_come_back(seed):
    columns = random_columns(*seed)
    data, _ = encode_columns(columns)
    found = scan(framed([data], 17, 3, uuid="x"))
    assert (found.timestamp, found.seq, found.uuid) == (17, 3, "x")
    assert len(found) == len(columns.alias)
    plain = np.ones(len(found), bool)
    plain[list(found.others)] = False
    for name in Columns._fields:
        assert np.array_equal(getattr(found, name)[plain], getattr(columns, name)[plain]), name
    assert (found.present[plain] == 3).all()
    one_by_one = list(metrics_of(columns))
    assert all(same(one_by_one[row], metric) for row, metric in found.others.items())


def same(a, b):
    if isinstance(a.value, float) and math.isnan(a.value):
        return math.isnan(b.value)
    return a == b


@slow
@given(forms.payloads)
def test_a_scan_finds_what_a_decode_finds(payload):
    # Repeated, so that some are alike and read in columns.
    data = encode(Payload(payload.timestamp, payload.metrics * 5, payload.seq, payload.uuid))
    found, decoded = scan(data), decode(data)
    assert (found.timestamp, found.seq, found.uuid) == (decoded.timestamp, decoded.seq, decoded.uuid)
    for row, metric in enumerate(decoded.metrics):
        if row in found.others:
            assert found.others[row] == metric
        else:
            assert (int(found.alias[row]) if found.present[row] & 1 else None) == metric.alias
            assert (int(found.time[row]) if found.present[row] & 2 else None) == metric.timestamp
            assert int(found.field[row]) == metric.field
            assert bool(found.flags[row] & HISTORICAL) == bool(metric.is_historical)


def outcome(function, data):
    try:
        return function(data)
    except BadPayload:
        return None


@settings(max_examples=1500, deadline=None)
@given(st.binary(max_size=200))
@example(b"\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")
@example(b"\x0b" * 100)
def test_junk_is_a_payload_or_an_error(data):
    outcome(decode, data)
    outcome(scan, data)


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(forms.payloads, st.data())
def test_damaged_payloads_are_read_as_google_reads_them_or_refused(payload, data):
    good = bytearray(encode(payload) or b"\x18\x01")
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(good) - 1))
        if data.draw(st.booleans()):
            good[at] = data.draw(st.integers(0, 255))
        else:
            del good[at:]
            break
        if not good:
            break
    raw = bytes(good)
    ours, scanned = outcome(decode, raw), outcome(scan, raw)
    if ours is not None and scanned is not None:
        assert len(scanned) == len(ours.metrics)
    if ours is not None and not any(metric.spoiled for metric in ours.metrics):
        try:
            theirs = judge.Payload.FromString(raw)
        except DecodeError:
            return
        assert len(theirs.metrics) == len(ours.metrics)
        assert (theirs.seq if theirs.HasField("seq") else None) == ours.seq
        assert [m.alias for m in theirs.metrics] == [m.alias or 0 for m in ours.metrics]


def test_depth_is_bounded():
    with pytest.raises(BadPayload, match="deeper"):
        decode(block(2, block(9, block(2, b"") + nested_properties(MAX_DEPTH + 1))))


def nested_properties(depth):
    data = b""
    for _ in range(depth):
        data = block(2, block(9, data))
    return data


def test_the_number_of_elements_is_bounded():
    with pytest.raises(BadPayload, match="elements"):
        decode(b"\x12\x00" * 1_000_001)
    with pytest.raises(BadPayload, match="elements"):
        scan(b"\x12\x00" * 1_000_001)


def test_signed_numbers_are_two_s_complement():
    metric = Metric(name="x", datatype=3, field=Field.INT, value=-12 & 0xFFFFFFFF)
    assert judge.Payload.FromString(encode(Payload(metrics=[metric]))).metrics[0].int_value == 4294967284
