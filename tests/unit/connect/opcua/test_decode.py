"""Our decoder reads what asyncua's reads, bit for bit, whichever of its three ways a message goes."""

import math
import struct
import uuid
from datetime import UTC, datetime

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.connect.opcua.layout import Layout
from weft.model import ARRAY, Flag, ValueType, decode, encode, instant
from weft.model.values import RANGES, type_name
from weft.ua.structure import plain
from weft.ua.variant import BadEncoding

text = st.none() | st.text(st.characters(codec="utf-8"), max_size=12)
times = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis wants them so
node_ids = st.one_of(
    st.builds(ua.NodeId, st.integers(0, 2**32 - 1), st.integers(0, 99), st.just(ua.NodeIdType.Numeric)),
    st.builds(
        ua.NodeId, st.text("abc.ä", min_size=1, max_size=9), st.integers(0, 99), st.just(ua.NodeIdType.String)
    ),
    st.builds(ua.NodeId, st.uuids(), st.integers(0, 99), st.just(ua.NodeIdType.Guid)),
    st.builds(
        ua.NodeId, st.binary(min_size=1, max_size=9), st.integers(0, 99), st.just(ua.NodeIdType.ByteString)
    ),
    st.builds(ua.FourByteNodeId, st.integers(0, 2**16 - 1), st.integers(0, 255)),
    st.builds(ua.TwoByteNodeId, st.integers(0, 255)),
)
structures = st.one_of(
    st.builds(ua.Range, st.floats(allow_nan=False), st.floats(allow_nan=False)),
    st.builds(ua.EUInformation, st.just("urn:u"), st.integers(-1, 9), st.just(ua.LocalizedText("C"))),
    st.builds(
        lambda n, body: ua.ExtensionObject(TypeId=ua.NodeId(n, 2), Body=body),
        st.integers(1, 9),
        st.binary(max_size=20),
    ),
)
scalars = {
    ValueType.FLOAT: st.floats(width=32),
    ValueType.DOUBLE: st.floats(),
    ValueType.BOOLEAN: st.booleans(),
    ValueType.STRING: text,
    ValueType.DATETIME: times,
    ValueType.GUID: st.uuids(),
    ValueType.BYTESTRING: st.none() | st.binary(max_size=20),
    ValueType.XMLELEMENT: st.builds(ua.XmlElement, text),
    ValueType.NODEID: node_ids,
    ValueType.EXPANDEDNODEID: node_ids,
    ValueType.STATUSCODE: st.integers(0, 2**32 - 1).map(ua.StatusCode),
    ValueType.QUALIFIEDNAME: st.builds(ua.QualifiedName, st.text(max_size=9), st.integers(0, 99)),
    ValueType.LOCALIZEDTEXT: st.builds(ua.LocalizedText, text, text),
    ValueType.EXTENSIONOBJECT: structures,
    ValueType.DIAGNOSTICINFO: st.builds(ua.DiagnosticInfo, SymbolicId=st.integers(0, 9), AdditionalInfo=text),
}
for kind in range(ValueType.SBYTE, ValueType.UINT64 + 1):
    scalars[ValueType(kind)] = st.integers(*RANGES[kind])


@st.composite
def variants(draw, kinds=tuple(scalars), arrays=True):
    kind = draw(st.sampled_from(kinds))
    form = draw(st.integers(0, 3 if arrays else 0))
    name = ua.VariantType(int(kind))
    if form < 2:
        return ua.Variant(draw(scalars[kind]), name)
    if form == 2:
        return ua.Variant(draw(st.lists(scalars[kind], max_size=4)), name, is_array=True)
    rows = draw(st.lists(st.lists(scalars[kind], min_size=2, max_size=2), min_size=1, max_size=3))
    return ua.Variant(rows, name, Dimensions=[len(rows), 2], is_array=True)


nested = st.one_of(
    st.lists(variants(), max_size=3).map(lambda v: ua.Variant(v, ua.VariantType.Variant, is_array=True)),
    st.builds(ua.DataValue, variants()).map(lambda v: ua.Variant(v, ua.VariantType.DataValue)),
)


def data_values(values):
    return st.builds(
        ua.DataValue,
        st.none() | values,
        st.integers(0, 2**32 - 1).map(ua.StatusCode),
        st.none() | times,
        st.none() | times,
    )


def ticks(moment):
    return ua.datetime_to_win_epoch(moment)


def simple(value, kind):
    """asyncua's value in the plain form."""
    if isinstance(value, (list, tuple)):
        return [simple(element, kind) for element in value]
    if isinstance(value, ua.DataValue):
        inner = value.Value or ua.Variant()
        content = simple(inner.Value, ValueType(inner.VariantType.value))
        array = ARRAY if inner.is_array else 0
        return {
            "type": type_name(inner.VariantType.value | array),
            "value": content,
            "status": value.StatusCode.value,
        }
    if isinstance(value, ua.Variant):
        array = ARRAY if value.is_array else 0
        content = simple(value.Value, ValueType(value.VariantType.value))
        return {"type": type_name(value.VariantType.value | array), "value": content}
    if kind == ValueType.EXTENSIONOBJECT and isinstance(value, ua.ExtensionObject):
        return {"type": value.TypeId.to_string(), "body": value.Body}
    if kind == ValueType.EXTENSIONOBJECT and value is not None:
        return {"type": type(value).__name__, "body": plain(value)}
    if isinstance(value, ua.DiagnosticInfo):
        found = {"symbolic_id": value.SymbolicId, "additional": value.AdditionalInfo}
        return {name: content for name, content in found.items() if content is not None} or None
    if isinstance(value, datetime):
        return ticks(value)
    return plain(value)


def same(ours, theirs):
    if isinstance(ours, float) and isinstance(theirs, float):
        return struct.pack("<d", ours) == struct.pack("<d", theirs) or (
            math.isnan(ours) and math.isnan(theirs)
        )
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    return ours == theirs and type(ours) is type(theirs)


def agree(wire, data, batches):
    """Every row of the batches against asyncua's decoding of the same bytes."""
    message = struct_from_binary(ua.PublishResponse, Buffer(data)).Parameters.NotificationMessage
    theirs = [item for change in message.NotificationData for item in change.MonitoredItems]
    ours = [row for batch in batches for row in batch]
    assert len(ours) == len(theirs)
    for row, item in zip(ours, theirs, strict=True):
        value = item.Value.Value
        kind = value.VariantType.value | (ARRAY if value.is_array else 0)
        assert row.signal == item.ClientHandle + 100_000
        assert row.type == kind
        assert same(row.value, simple(value.Value, ValueType(value.VariantType.value)))
        assert row.status == item.Value.StatusCode.value
        moment = item.Value.SourceTimestamp or item.Value.ServerTimestamp
        if moment:
            assert row.time == instant.from_filetime(ticks(moment))
        else:
            assert wire.RECEIVED <= row.time < wire.RECEIVED + len(ours)
        assert bool(row.flags & Flag.RECEIVE_TIME) == (moment is None)
        assert bool(row.flags & Flag.OVERFLOW) == (row.status & 0xC80 == 0x480)
    for batch in batches:  # several changes without a time must not fall together
        timeless = [row.time for row in batch if row.flags & Flag.RECEIVE_TIME]
        assert len(set(timeless)) == len(timeless)


@pytest.mark.card("opcua", "types")
@settings(max_examples=300, deadline=None)
@given(st.lists(data_values(variants() | nested), max_size=8), st.lists(data_values(variants()), max_size=3))
def test_random_messages_of_all_types(wire, first, second):
    changes = [wire.data_change(enumerate(values, 1)) for values in (first, second)]
    data = wire.publish_response(*changes)
    note = wire.decoder().publish(data, wire.RECEIVED)
    agree(wire, data, note.batches)
    for batch in note.batches:
        assert repr(list(decode(encode(batch)))) == repr(list(batch))  # what is on the heap travels


@settings(max_examples=60, deadline=None)
@given(st.lists(data_values(variants() | nested), min_size=1, max_size=6))
def test_long_messages_with_values_of_any_size(wire, values):
    data = wire.publish_response(wire.data_change(enumerate(values * (200 // len(values)), 1)))
    agree(wire, data, wire.decoder().publish(data, wire.RECEIVED).batches)


FIXED = tuple(kind for kind in scalars if kind in RANGES or kind in (ValueType.FLOAT, ValueType.DOUBLE))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_known_layouts(wire, data):
    """The same masks and types three times with other values: the last message is read as columns."""
    n = data.draw(st.integers(150, 170))
    shapes = [
        (data.draw(st.sampled_from(FIXED)), *data.draw(st.tuples(*[st.booleans()] * 4)))
        for _ in range(data.draw(st.integers(1, 4)))
    ]
    pools = [data.draw(st.lists(scalars[shape[0]], min_size=3, max_size=3)) for shape in shapes]
    codes = data.draw(st.lists(st.integers(1, 2**32 - 1), min_size=3, max_size=3))
    moments = data.draw(st.lists(times, min_size=4, max_size=4))
    decoder = wire.decoder()
    for turn in range(3):
        items = []
        for i in range(n):
            kind, valued, status, source, server = shapes[i % len(shapes)]
            pick = (i + turn) % 3
            value = ua.Variant(pools[i % len(shapes)][pick], ua.VariantType(int(kind))) if valued else None
            code = ua.StatusCode(codes[pick] if status else 0)
            stamps = [moments[pick] if source else None, moments[pick + 1] if server else None]
            items.append((i + 1, ua.DataValue(value, code, *stamps)))
        message = wire.publish_response(wire.data_change(items))
        agree(wire, message, decoder.publish(message, wire.RECEIVED).batches)


def test_a_known_layout_is_used_and_only_for_its_own_messages(wire, monkeypatch):
    used = []
    read = Layout.read
    monkeypatch.setattr(Layout, "read", lambda *a: used.append(read(*a)) or used[-1])
    decoder = wire.decoder()

    def message(*values):
        moment = datetime(2026, 11, 21, tzinfo=UTC)
        return wire.publish_response(
            wire.data_change(
                (i + 1, ua.DataValue(ua.Variant(v), SourceTimestamp=moment)) for i, v in enumerate(values, 1)
            )
        )

    doubles = message(*[float(i) for i in range(200)])
    for _ in range(3):
        decoder.publish(doubles, wire.RECEIVED)
    assert [columns is not None for columns in used] == [True, True]
    # The same number of items in the same number of bytes, but two of them have changed places.
    other = message(*[1.0] * 198, ua.Variant(5, ua.VariantType.Int64), 2.0)
    agree(wire, other, decoder.publish(other, wire.RECEIVED).batches)
    assert used[-1] is None


def test_order_of_picoseconds_and_digits_below_100_ns(wire):
    """OPC 10000-6, 5.2.2.17: source time, its picoseconds, server time, its picoseconds. Written by hand:
    asyncua puts both times before both picoseconds."""
    source, server = instant.to_filetime(10**18), instant.to_filetime(2 * 10**18)
    value = struct.pack("<IBBdqHqH", 3, 0x3D, 11, 1.5, source, 4567, server, 100)
    late = struct.pack("<IBBdqHqH", 4, 0x3D, 11, 2.5, 0, 4567, server, 20_000)
    body = struct.pack("<i", 2) + value + late + struct.pack("<i", -1)
    change = ua.ExtensionObject(TypeId=ua.NodeId(811), Body=body)
    [batch] = wire.decoder().publish(wire.publish_response(change), wire.RECEIVED).batches
    assert [row.time for row in batch] == [10**18 + 45, 2 * 10**18 + 99]
    assert [row.value for row in batch] == [1.5, 2.5]


def test_picoseconds_in_a_long_message(wire):
    source = instant.to_filetime(10**18)
    item = struct.pack("<IBBdqH", 3, 0x15, 11, 1.5, source, 4567)
    body = struct.pack("<i", 300) + item * 300 + struct.pack("<i", -1)
    change = ua.ExtensionObject(TypeId=ua.NodeId(811), Body=body)
    [batch] = wire.decoder().publish(wire.publish_response(change), wire.RECEIVED).batches
    assert batch.time.tolist() == [10**18 + 45] * 300


def test_impossible_times_are_clipped_and_marked(wire):
    far = struct.pack("<IBBdq", 1, 0x05, 11, 1.0, 2**63 - 1)
    early = struct.pack("<IBBdq", 2, 0x05, 11, 1.0, 1)
    body = struct.pack("<i", 2) + far + early + struct.pack("<i", 0)
    change = ua.ExtensionObject(TypeId=ua.NodeId(811), Body=body)
    [batch] = wire.decoder().publish(wire.publish_response(change), wire.RECEIVED).batches
    assert (batch.flags & Flag.CLOCK_SUSPECT).all()
    assert batch.time[0] > 9 * 10**18
    assert batch.time[1] < -9 * 10**18


def test_text_that_is_not_utf8_spoils_its_own_value_only(wire):
    def item(handle, raw):
        return struct.pack("<IBBi", handle, 1, 12, len(raw)) + raw

    body = (
        struct.pack("<i", 3)
        + item(1, b"000123")
        + item(2, b"\xff\xfe")
        + item(3, b"z")
        + struct.pack("<i", 0)
    )
    change = ua.ExtensionObject(TypeId=ua.NodeId(811), Body=body)
    [batch] = wire.decoder().publish(wire.publish_response(change), wire.RECEIVED).batches
    assert batch.values() == ["000123", None, "z"]
    assert batch.status.tolist() == [0, 0x80070000, 0]


def test_a_structure_with_an_unreadable_body_keeps_its_bytes(wire):
    body = b"\x01\x02\x03"
    broken = ua.ExtensionObject(TypeId=ua.NodeId(ua.ObjectIds.Range_Encoding_DefaultBinary), Body=body)
    change = wire.data_change([(1, ua.DataValue(ua.Variant(broken))), (2, ua.DataValue(ua.Variant(5.0)))])
    [batch] = wire.decoder().publish(wire.publish_response(change), wire.RECEIVED).batches
    assert batch.values() == [{"type": "i=886", "body": body}, 5.0]


def test_keep_alive_status_change_and_fault(wire):
    decoder = wire.decoder()
    note = decoder.publish(wire.publish_response(sequence=9), wire.RECEIVED)
    assert (note.keep_alive, note.sequence, note.subscription, note.batches) == (True, 9, 7, [])
    ended = ua.StatusChangeNotification(ua.StatusCode(ua.StatusCodes.BadTimeout))
    note = decoder.publish(wire.publish_response(ended), wire.RECEIVED)
    assert (note.keep_alive, note.status) == (False, ua.StatusCodes.BadTimeout)
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadNoSubscription)
    with pytest.raises(ua.UaStatusCodeError) as caught:
        decoder.publish(struct_to_binary(fault), wire.RECEIVED)
    assert caught.value.code == ua.StatusCodes.BadNoSubscription


def test_first_sample_of_an_item_is_marked_once(wire):
    decoder = wire.decoder()

    def flags(*handles):
        change = wire.data_change((h, ua.DataValue(ua.Variant(1.0))) for h in handles)
        [batch] = decoder.publish(wire.publish_response(change), wire.RECEIVED).batches
        return [(int(row.signal) - 100_000, bool(row.flags & Flag.FIRST)) for row in batch]

    assert flags(1, 2, 1) == [(1, True), (2, True), (1, False)]
    assert flags(2, 3) == [(2, False), (3, True)]
    assert flags(5000, 4) == [(4, True)]  # nobody knows handle 5000


@pytest.mark.card("opcua", "bad_input")
@settings(max_examples=500, deadline=None)
@given(st.data())
def test_damaged_messages_are_refused_or_read_but_never_more_than_that(wire, data):
    values = data.draw(st.lists(data_values(variants() | nested), min_size=1, max_size=4))
    message = bytearray(wire.publish_response(wire.data_change(enumerate(values, 1))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(message) - 1))
        message[at : at + 1] = data.draw(st.binary(min_size=0, max_size=4))
    try:
        note = wire.decoder().publish(bytes(message), wire.RECEIVED)
    except (BadEncoding, struct.error, IndexError, ua.UaStatusCodeError):
        return
    for batch in note.batches:
        assert len(batch) <= len(message)
        assert repr(list(decode(encode(batch)))) == repr(list(batch))


@pytest.mark.parametrize(
    "value",
    [
        bytes([12]) + struct.pack("<i", -2),  # a string of negative size
        bytes([12]) + struct.pack("<i", 2**31 - 1),
        bytes([0x80]) + struct.pack("<i", 2**31 - 1),  # an array of nothing
        bytes([0x80 | 11]) + struct.pack("<i", 2**28),
        bytes([0xC0 | 3]) + struct.pack("<i", 2) + b"ab" + struct.pack("<iii", 2, 2**15, 2**15),
        bytes([24]) * 200,  # variants in variants
        bytes([25]) + b"\x40" * 200,
        bytes([40]),
        bytes([17, 9]),
    ],
)
@pytest.mark.card("opcua", "bad_input")
def test_sizes_and_depths_that_cannot_be_true(wire, value):
    body = struct.pack("<iIB", 1, 1, 1) + value + bytes(64)
    change = ua.ExtensionObject(TypeId=ua.NodeId(811), Body=body)
    with pytest.raises(BadEncoding):
        wire.decoder().publish(wire.publish_response(change), wire.RECEIVED)


def test_arrays_and_guids_by_hand(wire):
    unit = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")
    values = [
        ua.Variant(unit),
        ua.Variant([[1, 2], [3, 4]], ua.VariantType.Int16, Dimensions=[2, 2], is_array=True),
        ua.Variant(None, ua.VariantType.String),
        ua.Variant(-12, ua.VariantType.Int32),
        ua.Variant(2**64 - 1, ua.VariantType.UInt64),
    ]
    change = wire.data_change((i + 1, ua.DataValue(v)) for i, v in enumerate(values, 1))
    [batch] = wire.decoder().publish(wire.publish_response(change), wire.RECEIVED).batches
    assert batch.values() == [str(unit), [[1, 2], [3, 4]], None, -12, 2**64 - 1]
    assert np.array_equal(batch.type, [14, 4 | ARRAY, 12, 6, 9])


@pytest.mark.parametrize("copies", [1, 60])
def test_a_single_value_that_claims_to_have_dimensions_is_read(wire, copies):
    """Bit 6 without bit 7 (OPC 10000-6, 5.2.2.16): others pass over it, and so do both of our ways."""
    items = [
        struct.pack("<IBBd", 1, 0x01, 0x40 | 11, -1.5),
        struct.pack("<IBBQ", 2, 0x01, 0x40 | 9, 2**64 - 1),
        struct.pack("<IBB?", 3, 0x01, 0x40 | 1, True),
        struct.pack("<IBBf", 4, 0x01, 0x40 | 10, 0.5),
    ]
    body = struct.pack("<i", 4 * copies) + b"".join(items) * copies + struct.pack("<i", -1)
    change = ua.ExtensionObject(TypeId=ua.NodeId(811), Body=body)
    [batch] = wire.decoder().publish(wire.publish_response(change), wire.RECEIVED).batches
    assert [row.value for row in batch] == [-1.5, 2**64 - 1, True, 0.5] * copies
