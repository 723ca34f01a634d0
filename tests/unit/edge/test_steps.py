"""Normalising: what each step does, and that no input makes it fail."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import batches

from weft.edge.rules import Rules
from weft.edge.steps import check_times, enumerate_states, scale, to_type
from weft.model import Batch, Flag, Signal, ValueType
from weft.model.quality import BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH

NOW = 1_700_000_000_000_000_000


def signal(handle, **kwargs):
    return Signal(handle=handle, path=f"a/b/s{handle}", connection="c", address=None, **kwargs)


def one(value, type_, handle=0, time=NOW):
    return Batch.of([(handle, time, value, type_)], received=NOW)


def test_raw_registers_become_engineering_units():
    rules = Rules([signal(0, scale=0.1, offset=-40.0)])
    row = scale(one(-125, ValueType.INT16), rules)[0]
    assert row.value == pytest.approx(-52.5)
    assert row.type == ValueType.DOUBLE


def test_what_is_not_scaled_keeps_type_and_bits():
    batch = one(-12, ValueType.INT32)
    assert scale(batch, Rules([signal(0)])) is batch


def test_text_and_bad_values_are_not_scaled():
    rules = Rules([signal(0, scale=2.0)])
    batch = Batch.of([(0, NOW, "000123", ValueType.STRING), (0, NOW, None, ValueType.NULL, 0x80310000)])
    assert scale(batch, rules) == batch


def test_states_named_by_the_source_become_numbers():
    rules = Rules([signal(0, type=ValueType.INT32, states={0: "STOPPED", 4: "ACTIVE"})])
    batch = Batch.of([(0, 1, "ACTIVE", 12), (0, 2, "DANCING", 12), (0, 3, None, 12), (1, 4, "ACTIVE", 12)])
    rows = list(enumerate_states(batch, rules))
    assert (rows[0].value, rows[0].type, rows[0].status) == (4, ValueType.INT32, 0)
    assert (rows[1].value, rows[1].type, rows[1].status) == ("DANCING", ValueType.STRING, BAD_OUT_OF_RANGE)
    assert rows[2].value is None
    assert rows[3].value == "ACTIVE"


@pytest.mark.parametrize(
    ("value", "from_", "to", "expected", "status"),
    [
        (-12, ValueType.INT32, ValueType.INT64, -12, 0),
        (300, ValueType.INT32, ValueType.BYTE, 300, BAD_OUT_OF_RANGE),
        (7, ValueType.UINT16, ValueType.DOUBLE, 7.0, 0),
        (7.0, ValueType.DOUBLE, ValueType.INT32, 7, 0),
        (7.5, ValueType.DOUBLE, ValueType.INT32, 7.5, BAD_TYPE_MISMATCH),
        (float("inf"), ValueType.DOUBLE, ValueType.INT32, float("inf"), BAD_OUT_OF_RANGE),
        (2**53 + 1, ValueType.INT64, ValueType.DOUBLE, 2**53 + 1, BAD_OUT_OF_RANGE),
        (2**64 - 1, ValueType.UINT64, ValueType.INT64, 2**64 - 1, BAD_OUT_OF_RANGE),
        (1, ValueType.INT16, ValueType.BOOLEAN, True, 0),
        (2, ValueType.INT16, ValueType.BOOLEAN, 2, BAD_OUT_OF_RANGE),
        ("000123", ValueType.STRING, ValueType.INT32, "000123", BAD_TYPE_MISMATCH),
        (5, ValueType.INT32, ValueType.STRING, 5, BAD_TYPE_MISMATCH),
    ],
)
def test_the_type_the_plant_asks_for(value, from_, to, expected, status):
    row = to_type(one(value, from_), Rules([signal(0, type=to)]))[0]
    assert row.value == expected
    assert row.status == status
    assert row.type == (from_ if status else to)


@pytest.mark.parametrize(
    ("time", "suspect"),
    [(NOW, False), (NOW + 59 * 10**9, False), (NOW + 61 * 10**9, True), (0, True), (-(2**63), True)],
)
def test_impossible_times_are_flagged_and_kept(time, suspect):
    row = check_times(one(1.0, ValueType.DOUBLE, time=time))[0]
    assert row.time == time
    assert bool(row.flags & Flag.CLOCK_SUSPECT) is suspect


SETTINGS = st.builds(
    signal,
    st.integers(0, 6),
    scale=st.sampled_from([1.0, 0.5, -3.0]),
    offset=st.sampled_from([0.0, 10.0]),
    type=st.none() | st.sampled_from(list(ValueType)[1:]),
    states=st.just({}) | st.just({1: "on"}),
)


@given(batches(), st.lists(SETTINGS, max_size=7, unique_by=lambda s: s.handle))
def test_no_input_makes_a_step_fail_or_lose_a_row(batch, signals):
    rules = Rules(signals)
    out = to_type(scale(enumerate_states(check_times(batch), rules), rules), rules)
    assert len(out) == len(batch)
    assert list(out.time) == list(batch.time)
    assert (out.status >= batch.status).all()
    list(out)  # every value can be read


def test_handles_that_the_plant_does_not_know_pass_untouched():
    batch = Batch.doubles([-1, 99], [NOW, NOW], [1.0, 2.0])
    rules = Rules([signal(0, scale=2.0, type=ValueType.INT32)])
    out = to_type(scale(batch, rules), rules)
    np.testing.assert_array_equal(out.bits, batch.bits)


def test_an_unsigned_number_beyond_int64_is_out_of_range():
    rules = Rules([Signal(handle=0, path="a/b", connection="c", address=None, type=ValueType.INT64)])
    (row,) = to_type(Batch.of([(0, 1, 2**63, ValueType.UINT64)]), rules)
    assert (row.value, row.status) == (2**63, BAD_OUT_OF_RANGE)


def test_a_bad_status_of_the_source_is_kept_in_full():
    rules = Rules([Signal(handle=0, path="a/b", connection="c", address=None, type=ValueType.INT32)])
    (row,) = to_type(Batch.of([(0, 1, "x", ValueType.STRING, 0x80310480)]), rules)
    assert row.status == 0x80310480
