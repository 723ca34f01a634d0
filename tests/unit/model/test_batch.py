"""The laws of batches."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import batches

from weft.model import ARRAY, Batch, ValueType, concat
from weft.model.quality import BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH


def same(a, b):
    """Rows equal bit for bit, NaN and -0.0 included."""
    return a.replace(source="", sequence=0, received=0) == b.replace(source="", sequence=0, received=0)


def test_types_are_never_lost():
    batch = Batch.of([(1, 5, "000123", ValueType.STRING), (1, 6, -12, ValueType.INT32)])
    assert batch[0].value == "000123"
    assert batch[0].type == ValueType.STRING
    assert batch[1].value == -12
    assert batch[1].type == ValueType.INT32


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (True, ValueType.BOOLEAN),
        (-128, ValueType.SBYTE),
        (2**64 - 1, ValueType.UINT64),
        (-(2**63), ValueType.INT64),
        (0xFFFFFFFF, ValueType.STATUSCODE),
        (1.5, ValueType.FLOAT),
        (b"\x00\xff", ValueType.BYTESTRING),
        ([1, 2, 3], ValueType.INT32 | ARRAY),
        (None, ValueType.STRING),
        ("", ValueType.STRING),
    ],
)
def test_values_come_back_as_they_went_in(value, type_):
    row = Batch.of([(0, 0, value, type_)])[0]
    assert row.value == value
    assert type(row.value) is type(value)
    assert row.status == 0


@pytest.mark.parametrize(
    ("value", "type_", "status"),
    [
        (256, ValueType.BYTE, BAD_OUT_OF_RANGE),
        (-1, ValueType.UINT64, BAD_OUT_OF_RANGE),
        (1.5, ValueType.INT32, BAD_TYPE_MISMATCH),
        (math.inf, ValueType.INT32, BAD_TYPE_MISMATCH),
        (math.nan, ValueType.INT64, BAD_TYPE_MISMATCH),
        ("12", ValueType.INT32, BAD_TYPE_MISMATCH),
        (None, ValueType.DOUBLE, BAD_TYPE_MISMATCH),
        (12, ValueType.STRING, BAD_TYPE_MISMATCH),
    ],
)
def test_a_value_its_type_cannot_hold_is_null_and_bad(value, type_, status):
    row = Batch.of([(0, 0, value, type_), (1, 1, 2.0, ValueType.DOUBLE)])
    assert row[0].value is None
    assert row[0].status == status
    assert row[1].value == 2.0


def test_the_sources_own_worse_status_is_kept():
    assert Batch.of([(0, 0, "x", ValueType.DOUBLE, 0x80FF0000)])[0].status == 0x80FF0000


@pytest.mark.parametrize("status", [0x80310000, 0x80050480, 0xC0000000])
def test_any_bad_status_of_the_source_is_kept_in_full(status):
    (row,) = Batch.of([(1, 0, "not a number", ValueType.INT32, status)])
    assert (row.value, row.status) == (None, status)


@pytest.mark.parametrize("type_", [ValueType.DOUBLE, ValueType.FLOAT, ValueType.INT64, ValueType.UINT64])
def test_an_integer_beyond_every_type_is_out_of_range(type_):
    (row,) = Batch.of([(1, 0, 10**400, type_)])
    assert (row.value, row.status) == (None, BAD_OUT_OF_RANGE)


@pytest.mark.parametrize("bits", [0x8000000000000000, 0x7FF8000000000001, 0xFFF0000000000000])
def test_floats_keep_every_bit(bits):
    value = struct.unpack("<d", struct.pack("<Q", bits))[0]
    batch = Batch.of([(0, 0, value, ValueType.DOUBLE)])
    assert int(batch.bits[0]) & (2**64 - 1) == bits


def test_numbers_of_mixed_types():
    batch = Batch.of(
        [
            (0, 0, 2**64 - 1, 9),
            (0, 1, -3, 6),
            (0, 2, "5", 12),
            (0, 3, True, 1),
            (0, 4, 2.5, 11),
            (0, 5, None, 0),
        ]
    )
    numbers = batch.numbers()
    np.testing.assert_array_equal(numbers, [2.0**64, -3, np.nan, 1, 2.5, np.nan])


@given(batches(), st.integers(1, 7))
def test_joining_the_pieces_gives_the_whole(batch, limit):
    pieces = batch.split(limit)
    assert all(len(piece) <= limit for piece in pieces)
    assert same(concat(pieces), batch)


@given(st.lists(batches(), max_size=4))
def test_joining_keeps_all_rows_in_order(parts):
    joined = concat(parts)
    assert [repr(row) for row in joined] == [repr(row) for part in parts for row in part]


@given(batches())
def test_sorting_is_stable_and_loses_nothing(batch):
    expected = sorted(batch, key=lambda row: (row.signal, row.time))
    assert [repr(row) for row in batch.sort()] == [repr(row) for row in expected]


@given(batches())
def test_last_wins_keeps_the_last_arrival(batch):
    expected = {(row.signal, row.time): repr(row) for row in batch}
    winners = batch.last_wins()
    assert {(row.signal, row.time): repr(row) for row in winners} == expected
    assert len(winners) == len(expected)
    assert same(winners.last_wins(), winners)


@given(batches(), batches())
def test_last_wins_may_be_applied_to_the_parts_first(a, b):
    assert same(concat([a, b]).last_wins(), concat([a.last_wins(), b.last_wins()]).last_wins())


@given(batches())
def test_compacting_changes_no_value(batch):
    half = batch.take(np.arange(len(batch)) % 2 == 0)
    compact = half.compact()
    assert same(compact, half)
    assert len(compact.heap) == int(half.on_heap.sum())
