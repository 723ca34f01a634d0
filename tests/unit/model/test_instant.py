import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.model import instant
from weft.model.instant import MAX_NS, MIN_NS, from_filetime, parse_instant, text, to_filetime

# datetime ends at the year 9999 and int64 ns at 2262: the smaller range is the tested one.
NS = st.integers(MIN_NS + 10**9, MAX_NS - 10**9)


@given(NS)
def test_text_and_back(ns):
    assert parse_instant(text(ns)) == ns


@given(st.integers(-(10**17), 10**17))
def test_filetime_and_back(ticks_of_100ns):
    ns = ticks_of_100ns * 10
    assert from_filetime(to_filetime(ns)) == ns // 100 * 100


@pytest.mark.parametrize(
    ("written", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2022-08-08T13:51:34.7167146Z", 1659966694716714600),
        ("2022-08-08T15:51:34.7167146+02:00", 1659966694716714600),
        ("2022-08-08 13:51:34.716714612345", 1659966694716714612),
        ("2016-12-31T23:59:60Z", 1483228800000000000),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
    ],
)
def test_forms_of_the_field(written, ns):
    assert parse_instant(written) == ns


@pytest.mark.parametrize(
    "written",
    [
        "",
        "yesterday",
        "2022-13-01T00:00:00Z",
        "2022-02-30T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "2022-01-01T00:00:00+99:99",
    ],
)
def test_impossible_times_are_refused(written):
    with pytest.raises(ValueError):
        parse_instant(written)


def test_opc_ua_dates_beyond_nanoseconds_are_clipped():
    assert from_filetime(2**63 - 1) == instant.MAX_NS
