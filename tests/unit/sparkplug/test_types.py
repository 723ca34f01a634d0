"""OPC UA's types through Sparkplug and back, bit for bit; what other hosts read of them."""

import math
import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.sparkplug import judge

from weft.model import ARRAY, Batch, Flag, ValueType, quality
from weft.sparkplug import arrays
from weft.sparkplug.datatype import DataType, Field
from weft.sparkplug.decode import decode
from weft.sparkplug.encode import encode
from weft.sparkplug.kinds import EPOCH, datatype_of, null_of
from weft.sparkplug.payload import Cell, DataSet, Metric, Payload, PropertySet, PropertyValue, Template
from weft.sparkplug.sample import Sample, declared_type, metric_of, sample_of
from weft.sparkplug.value import TYPE, add_text
from weft.sparkplug.wire import BadPayload

T = ValueType
plain = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
guids = st.uuids().map(str)
nodes = st.sampled_from(
    ["i=85", "ns=2;s=Mill.Speed", "nsu=urn:x;g=00000000-0000-0000-0000-000000000001", "svr=1;i=3"]
)
localized = st.fixed_dictionaries({"locale": st.none() | plain, "text": st.none() | plain})
structures = st.fixed_dictionaries({"type": nodes, "body": st.none() | st.binary(max_size=8) | st.dictionaries(plain, plain | st.integers(-5, 5), max_size=3)})  # fmt: skip
singles = st.floats(width=32)
SCALARS = {
    T.BOOLEAN: st.booleans(),
    T.SBYTE: st.integers(-(2**7), 2**7 - 1),
    T.BYTE: st.integers(0, 2**8 - 1),
    T.INT16: st.integers(-(2**15), 2**15 - 1),
    T.UINT16: st.integers(0, 2**16 - 1),
    T.INT32: st.integers(-(2**31), 2**31 - 1),
    T.UINT32: st.integers(0, 2**32 - 1),
    T.INT64: st.integers(-(2**63), 2**63 - 1),
    T.UINT64: st.integers(0, 2**64 - 1),
    T.FLOAT: singles,
    T.DOUBLE: st.floats(),
    T.STRING: plain,
    T.DATETIME: st.integers(-(2**63), 2**63 - 1) | st.integers(EPOCH, EPOCH * 2),
    T.GUID: guids,
    T.BYTESTRING: st.binary(max_size=9),
    T.XMLELEMENT: plain,
    T.NODEID: nodes,
    T.EXPANDEDNODEID: nodes,
    T.STATUSCODE: st.integers(0, 2**32 - 1),
    T.QUALIFIEDNAME: plain,
    T.LOCALIZEDTEXT: localized,
    T.EXTENSIONOBJECT: structures,
    T.DATAVALUE: st.fixed_dictionaries(
        {"type": st.just("Int32"), "value": st.integers(0, 9), "status": st.just(0)}
    ),
    T.VARIANT: st.fixed_dictionaries({"type": st.just("String[]"), "value": st.lists(plain, max_size=2)}),
    T.DIAGNOSTICINFO: st.none() | st.fixed_dictionaries({"symbolic_id": st.integers(0, 9)}),
}


@st.composite
def values(draw, kind):
    """A scalar, a null where the type has one, an array or a matrix of the kind; with its code."""
    one = SCALARS[kind]
    form = draw(st.sampled_from(["scalar", "null", "array", "matrix", "null array"]))
    if form == "scalar":
        value = draw(one)
        return (kind, value) if value is not None else (null_of(kind), None)
    if form == "null":
        return null_of(kind), None
    if form == "null array":
        return kind | ARRAY, None
    if kind in (T.STRING, T.BYTESTRING, T.NODEID):
        one = one | st.none()
    if form == "array":
        return kind | ARRAY, draw(st.lists(one, max_size=11))
    columns = draw(st.integers(0, 3))
    return kind | ARRAY, draw(st.lists(st.lists(one, min_size=columns, max_size=columns), max_size=3))


def through(sample, datatype, declared):
    """Birth and data over the wire, read by Google's codec on the way."""
    metric = metric_of(sample, datatype, declared)
    metric.alias = 7
    data = encode(Payload(1, [metric], 2))
    assert judge.Payload.FromString(data).SerializeToString() == data
    (received,) = decode(data).metrics
    return sample_of(received, datatype, declared)


def exact(batch):
    return msgspec.msgpack.encode(batch.heap), batch.bits.tolist(), batch.type.tolist(), batch.status.tolist()


@pytest.mark.parametrize("kind", SCALARS, ids=lambda kind: kind.name)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_every_type_comes_back_bit_for_bit(kind, data):
    code, value = data.draw(values(kind))
    status = data.draw(st.sampled_from([0, 0, 0x408F0000, 0x80310000, 0x00000480]))
    time = data.draw(st.integers(-(2**63), 2**63 - 1) | st.integers(10**18, 2 * 10**18))
    flags = data.draw(st.sampled_from([0, int(Flag.HISTORY)]))
    declared = data.draw(st.sampled_from([code or kind, kind, T.DOUBLE, T.STRING]))
    sample = Sample(code, value, status, time, flags)
    # A value of another type than the birth told goes as a text of its own.
    datatype = datatype_of(declared) if code in (declared, T.NULL) else DataType.STRING
    back = through(sample, datatype, declared)
    assert exact(Batch.of([(1, 0, back.value, back.type)])) == exact(Batch.of([(1, 0, value, code)]))
    assert (back.status, back.time, back.flags) == (status, time, flags)


@pytest.mark.parametrize(
    ("code", "value", "field", "shown"),
    [
        (T.INT32, -12, Field.INT, 2**32 - 12),
        (T.INT64, -12, Field.LONG, 2**64 - 12),
        (T.UINT64, 2**64 - 1, Field.LONG, 2**64 - 1),
        (T.STRING, "000123", Field.STRING, "000123"),
        (T.LOCALIZEDTEXT, {"locale": "de", "text": "Fräse"}, Field.STRING, "Fräse"),
        (T.NODEID, "ns=2;s=a", Field.STRING, "ns=2;s=a"),
        (T.DATETIME, EPOCH + 15_000_001, Field.LONG, 1500),
        (T.EXTENSIONOBJECT, {"type": "i=1", "body": {"a": 1}}, Field.STRING, '{"type":"i=1","body":{"a":1}}'),
        (T.BOOLEAN | ARRAY, [True, False], Field.BYTES, b"\x02\0\0\0\x80"),
        (T.DOUBLE | ARRAY, [[1.0], [2.0]], Field.BYTES, struct.pack("<2d", 1, 2)),
        (T.GUID | ARRAY, ["a", "b"], Field.BYTES, b"a\0b\0"),
    ],
)
def test_other_hosts_read_it_too(code, value, field, shown):
    metric = metric_of(Sample(code, value, 0, 0, 0), datatype_of(code), code)
    assert (metric.field, metric.value) == (field, shown)


def test_the_examples_of_the_specification():
    bits = [False, False, True, True, False, True, False, False, True, True, False, True]
    assert arrays.pack(DataType.BOOLEANARRAY, bits) == bytes([0x0C, 0, 0, 0, 0x34, 0xD0])
    assert arrays.unpack(DataType.BOOLEANARRAY, bytes([0x0C, 0, 0, 0, 0x34, 0xDF])) == bits
    assert arrays.pack(DataType.STRINGARRAY, ["ABC", "hello"]) == b"ABC\0hello\0"
    assert arrays.pack(DataType.INT8ARRAY, [-23, 123]) == bytes([0xE9, 0x7B])
    assert arrays.pack(DataType.INT16ARRAY, [-30000, 30000]) == bytes([0xD0, 0x8A, 0x30, 0x75])
    assert arrays.pack(DataType.UINT32ARRAY, [52, 3293969225]) == bytes(
        [0x34, 0, 0, 0, 0x49, 0xFB, 0x55, 0xC4]
    )
    dates = arrays.pack(DataType.DATETIMEARRAY, [1256102875335, 1656107875000])
    assert dates == struct.pack("<2Q", 1256102875335, 1656107875000)


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        (DataType.BOOLEANARRAY, b"\x09\0\0\0\0"),
        (DataType.BOOLEANARRAY, b"\xff\xff\xff\xff"),
        (DataType.BOOLEANARRAY, b""),
        (DataType.INT32ARRAY, b"abc"),
        (DataType.STRINGARRAY, b"\xff\0"),
    ],
)
def test_arrays_that_do_not_fit_their_bytes_are_refused(datatype, data):
    with pytest.raises(BadPayload):
        arrays.unpack(datatype, data)
    read = sample_of(
        Metric(field=Field.BYTES, value=data), datatype, declared_type(Metric(datatype=datatype))
    )
    assert read.status == quality.BAD_DECODING_ERROR


@pytest.mark.parametrize("raw", [0xF4, 0xFFF4, 0xFFFFFFF4, 2**64 - 12])
def test_a_negative_number_of_any_width_is_understood(raw):
    assert sample_of(Metric(field=Field.LONG, value=raw), DataType.INT8, T.SBYTE).value == -12


@pytest.mark.parametrize(
    ("datatype", "field", "value", "status"),
    [
        (DataType.UINT8, Field.INT, 300, quality.BAD_OUT_OF_RANGE),
        (DataType.INT8, Field.INT, 300, quality.BAD_OUT_OF_RANGE),
        (DataType.INT32, Field.STRING, "7", quality.BAD_TYPE_MISMATCH),
        (DataType.DOUBLE, Field.INT, 7, quality.BAD_TYPE_MISMATCH),
        (DataType.DATETIME, Field.LONG, 2**64 - 1, quality.BAD_OUT_OF_RANGE),
    ],
)
def test_what_is_no_value_of_the_type_is_bad(datatype, field, value, status):
    declared = declared_type(Metric(datatype=datatype))
    read = sample_of(Metric(field=field, value=value), datatype, declared)
    assert (read.type, read.value, read.status) == (T.NULL, None, status)


@pytest.mark.parametrize(
    ("said", "status"),
    [(192, 0), (0, 0x80000000), (500, 0x408F0000), (64, 0x40000000), (216, 0), (519, 0x80000000)],
)
def test_quality(said, status):
    properties = PropertySet(["Quality"], [PropertyValue(3, None, 3, said)])
    read = sample_of(Metric(field=Field.DOUBLE, value=1.0, properties=properties), DataType.DOUBLE, T.DOUBLE)
    assert (read.value, read.status) == (1.0, status)


def test_a_data_set_and_a_template_are_structures():
    table = DataSet(2, ["a", "b"], [DataType.INT32, DataType.STRING], [[Cell(1, 2**32 - 1), Cell(6, "x")]])
    read = sample_of(Metric(field=Field.DATASET, value=table), DataType.DATASET, T.EXTENSIONOBJECT)
    assert read.value["body"] == {"columns": ["a", "b"], "types": [3, 12], "rows": [[-1, "x"]]}
    template = Template(
        "1", [Metric(name="rpm", datatype=9, field=Field.FLOAT, value=1.5)], [], "Motor", False
    )
    read = sample_of(Metric(field=Field.TEMPLATE, value=template), DataType.TEMPLATE, T.EXTENSIONOBJECT)
    assert read.value == {"type": "Motor", "body": {"rpm": 1.5}}


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["weft:value", "weft:dimensions"]))
def test_properties_of_strangers_do_not_break_anything(text, kind, key):
    metric = Metric(field=Field.BYTES, value=b"\0" * 8)
    add_text(metric, TYPE, kind)
    add_text(metric, key, text)
    read = sample_of(metric, DataType.UINT8ARRAY, T.BYTE | ARRAY)
    assert read.status in (0, quality.BAD_DECODING_ERROR)


def test_a_float_that_is_none_keeps_its_kind():
    read = through(Sample(T.FLOAT, math.inf, 0, 0, 0), DataType.FLOAT, T.FLOAT)
    assert read.value == math.inf
