"""What is written is what would be read; what cannot be is refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.modbus import Address, Config
from weft.connect.modbus.encode import Unwritable, masks, registers
from weft.connect.modbus.layout import Layout
from weft.connect.modbus.place import Place
from weft.connect.modbus.plan import FACTOR, Span, plan
from weft.model import ValueType
from weft.model.quality import (
    BAD_CONFIGURATION_ERROR,
    BAD_OUT_OF_RANGE,
    BAD_SENSOR_FAILURE,
    BAD_TYPE_MISMATCH,
)

ORDERS = ("ABCD", "BADC", "CDAB", "DCBA")
RANGES = {f"{sign}int{n}": n for n in (16, 32, 64) for sign in ("", "u")}


def read(place, data, factor=None):
    """(value bits or text, status, type) of a place whose registers hold ``data``."""
    spans = [Span(1, "holding", place.register, place.register + place.count, 0)]
    if place.factor is not None:
        spans.append(Span(1, "holding", place.factor, place.factor + 1, FACTOR))
    blocks = plan(spans, Config(host="d", gap=200))
    layout = Layout(blocks, [place])
    [block] = blocks
    memory = bytearray(block.count * 2)
    at = (place.register - block.start) * 2
    memory[at : at + len(data)] = data
    if factor is not None:
        at = (place.factor - block.start) * 2
        memory[at : at + 2] = struct.pack(">h", factor)
    layout.store(block, block, bytes(memory))
    columns = layout.decode()
    value = columns.heap[0] if columns.heap else int(columns.bits[0])
    return value, int(columns.status[0]), int(columns.type[0]), columns


@given(st.sampled_from(sorted(RANGES)), st.sampled_from(ORDERS), st.data())
def test_whole_numbers_come_back(kind, order, data):
    wide = RANGES[kind]
    low, high = (0, 2**wide - 1) if kind[0] == "u" else (-(2 ** (wide - 1)), 2 ** (wide - 1) - 1)
    value = data.draw(st.integers(low, high))
    place = Address(register=7, type=kind, order=order).place(1)
    got = read(place, registers(place, value))[0]
    assert got % 2**64 == value % 2**64
    for beyond in (low - 1, high + 1):
        with pytest.raises(Unwritable) as refused:
            registers(place, beyond)
        assert refused.value.status == BAD_OUT_OF_RANGE


@given(st.floats(allow_nan=False), st.sampled_from(ORDERS))
def test_floats_come_back(value, order):
    place = Address(register=7, type="float64", order=order).place(1)
    assert read(place, registers(place, value))[3].bits.view("f8")[0] == value


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), st.sampled_from(ORDERS))
def test_texts_come_back(value, order):
    place = Address(register=7, type="string", length=16, order=order).place(1)
    assert read(place, registers(place, value))[0] == value.rstrip(" ")


@given(
    st.sampled_from(["uint16", "uint32", "int64"]),
    st.sampled_from(ORDERS),
    st.binary(min_size=8, max_size=8),
    st.data(),
)
def test_a_bit_field_is_written_and_its_neighbours_stay(kind, order, before, data):
    count = RANGES[kind] // 16
    wide = data.draw(st.integers(1, 16 * count))
    first = data.draw(st.integers(0, 16 * count - wide))
    place = Address(register=7, type=kind, order=order, bits=(first, wide)).place(1)
    signed = kind == "int64"
    value = data.draw(
        st.integers(-(2 ** (wide - 1)), 2 ** (wide - 1) - 1) if signed else st.integers(0, 2**wide - 1)
    )
    memory = bytearray(before[: count * 2])
    for mask in masks(place, value):
        at = (mask.register - 7) * 2
        old = int.from_bytes(memory[at : at + 2], "big")
        memory[at : at + 2] = ((old & mask.keep) | mask.set).to_bytes(2, "big")
    whole = Address(register=7, type=kind.replace("int64", "uint64"), order=order).place(1)
    was, now = (read(whole, bytes(each))[0] % 2**64 for each in (before[: count * 2], memory))
    field = ((1 << wide) - 1) << first
    assert now & ~field == was & ~field
    assert (now & field) >> first == value % 2**wide


@given(st.integers(-32767, 32767), st.integers(-10, 10))
def test_a_scale_factor_gives_the_nearest_double_of_the_decimal(raw, power):
    place = Place(unit=1, register=7, kind="int16", null=0x8000, factor=20)
    data = raw.to_bytes(2, "big", signed=True)
    _, status, type, columns = read(place, data, power)
    assert (status, type) == (0, ValueType.DOUBLE)
    value = float(columns.bits.view("f8")[0])
    assert value == float(f"{raw}e{power}")
    assert registers(place, value, power) == data


def test_a_value_between_two_steps_is_refused():
    place = Place(unit=1, register=7, kind="int16", exponent=-1)
    assert registers(place, 21.5) == (215).to_bytes(2, "big")
    assert registers(place, 0.1 + 0.2) == (3).to_bytes(2, "big")
    with pytest.raises(Unwritable) as refused:
        registers(place, 21.57)
    assert refused.value.status == BAD_OUT_OF_RANGE
    with pytest.raises(Unwritable) as refused:
        registers(Place(unit=1, register=7), 3.5)
    assert refused.value.status == BAD_TYPE_MISMATCH


@pytest.mark.parametrize(
    ("raw", "factor", "status"),
    [
        (b"\x80\x00", -1, BAD_SENSOR_FAILURE),
        (b"\x00\x05", -32768, BAD_CONFIGURATION_ERROR),
        (b"\x00\x05", 11, BAD_CONFIGURATION_ERROR),
    ],
)
def test_what_is_not_implemented_is_null(raw, factor, status):
    place = Place(unit=1, register=7, kind="int16", null=0x8000, factor=9)
    assert read(place, raw, factor)[1:3] == (status, ValueType.NULL)


@pytest.mark.parametrize("value", ["on", None, 2, [1]])
def test_what_is_no_switch_is_refused(value):
    with pytest.raises(Unwritable):
        masks(Address(register=1, bit=3).place(1), value)
