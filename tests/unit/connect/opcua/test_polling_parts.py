"""What polling is made of: due times, and responses read as columns."""

from datetime import UTC, datetime

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.opcua.decode import read_timed
from weft.connect.opcua.polling import Schedule
from weft.connect.opcua.readings import Readings
from weft.model import ARRAY, Batch
from weft.model.instant import from_filetime
from weft.ua.variant import BadEncoding


def test_due_times_never_drift_whatever_reading_takes():
    schedule = Schedule(0.1, 1000.0)
    now, due = 1000.0, []
    for _ in range(1000):
        now += 0.0371
        now += schedule.next(now)
        due.append(now)
    assert due == pytest.approx([1000 + 0.1 * i for i in range(1, 1001)])
    assert schedule.missed == 0


def test_what_takes_too_long_leaves_turns_out_and_stays_on_the_grid():
    schedule = Schedule(0.1, 0.0)
    assert schedule.next(0.05) == pytest.approx(0.05)
    assert schedule.next(0.57) == 0.0  # the turn of 0.5 is due
    assert schedule.missed == 3
    assert schedule.next(0.58) == pytest.approx(0.02)


@given(st.lists(st.floats(0, 1), max_size=50))
def test_turns_are_on_the_grid_or_due(works):
    schedule, now = Schedule(0.1, 0.0), 0.0
    for work in works:
        now += work
        wait = schedule.next(now)
        assert 0 <= wait <= 0.1000001
        now += wait


VALUES = st.one_of(
    st.builds(lambda v: ua.Variant(v, ua.VariantType.Double), st.floats(allow_nan=False)),
    st.builds(lambda v: ua.Variant(v, ua.VariantType.Int32), st.integers(-(2**31), 2**31 - 1)),
    st.builds(lambda v: ua.Variant(v, ua.VariantType.Boolean), st.booleans()),
    st.builds(lambda v: ua.Variant(v, ua.VariantType.String), st.text(max_size=5)),
    st.builds(
        lambda v: ua.Variant(v, ua.VariantType.Int16, is_array=True), st.lists(st.integers(0, 9), max_size=3)
    ),
)


@st.composite
def data_values(draw):
    status = ua.StatusCode(draw(st.sampled_from([0, 0x40000000, 0x80340000])))
    return ua.DataValue(draw(VALUES), status)


def message(values):
    response = ua.ReadResponse()
    response.Results = list(values)
    return struct_to_binary(response)


@given(st.lists(data_values(), max_size=20))
def test_columns_say_what_each_result_says(values):
    data = message(values)
    readings = Readings()
    for _ in range(2):  # the second time by the layout of the first
        columns = readings.columns(data)
        zeros = np.zeros(len(columns.type))
        batch = Batch(zeros.astype("i4"), zeros.astype("i8"), columns.type, columns.bits, columns.status,
                      zeros.astype("u2"), columns.heap)  # fmt: skip
        expected = read_timed(data)
        assert [(row.value, row.type, row.status) for row in batch] == [
            (one.value, one.kind, one.status) for one in expected
        ]
        assert columns.handle.tolist() == list(range(len(values)))


def test_times_are_read_in_both_ways():
    moment = datetime(2026, 11, 21, 6, 0, 0, 123456, tzinfo=UTC)
    for variant in (ua.Variant(1.5, ua.VariantType.Double), ua.Variant("text", ua.VariantType.String)):
        value = ua.DataValue(variant, SourceTimestamp=moment, ServerTimestamp=moment)
        columns = Readings().columns(message([value] * 3))
        expected = round(moment.timestamp() * 1e6) * 1000
        assert [from_filetime(int(ticks)) for ticks in columns.source] == [expected] * 3
        assert (columns.server == columns.source).all()


def test_another_layout_of_the_same_size_is_not_mistaken():
    readings = Readings()
    number = ua.DataValue(ua.Variant(1, ua.VariantType.Int64))
    other = ua.DataValue(ua.Variant(1.0, ua.VariantType.Double))
    assert readings.columns(message([number, other])).type.tolist() == [8, 11]
    assert readings.columns(message([other, number])).type.tolist() == [11, 8]
    assert ARRAY == 0x80


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_what_is_cut_off_is_refused(cut):
    data = message([ua.DataValue(ua.Variant("text" * 10, ua.VariantType.String))] * 2)
    with pytest.raises((BadEncoding, ValueError)):
        Readings().columns(data[:-4][:-cut])
