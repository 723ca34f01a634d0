"""What people read: values, qualities, units, ages, times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.console import words
from weft.console.words import Mark
from weft.model import ARRAY, Flag, Limits, Row, Signal, ValueType, quality

SECOND = 1_000_000_000


def signal(**parts):
    return Signal(handle=1, path="a/b/c", connection="x", address=None, **parts)


def plain(text):
    """With the signs of a keyboard."""
    return text.replace(words.THIN, " ").replace(words.MINUS, "-")


def row(value, type=ValueType.DOUBLE, status=0, flags=0):
    return Row(1, 0, value, type, status, flags)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.0, "0"), (1.0, "1.0000"), (0.12345678, "0.1235"), (61.499999, "61.500"), (-12.5, "-12.500"),
     (123456.7, "123 457"), (9999.94, "9999.9"), (1e12, "1.0000e+12"), (-3e-7, "-3.0000e-07"),
     (float("nan"), "not a number"), (float("inf"), "∞"), (float("-inf"), "-∞"), (0.00012, "0.0001")],
)  # fmt: skip
def test_numbers_have_five_digits(value, text):
    assert plain(words.value_text(row(value), signal())) == text


@given(st.floats(min_value=-1e300, max_value=1e300))
def test_a_number_reads_back_near_itself(value):
    text = plain(words.number_text(value)).replace(" ", "")
    assert abs(float(text) - value) <= max(abs(value) * 1e-4, 1e-4)
    assert len(text) < 18


@pytest.mark.parametrize(
    ("value", "type", "parts", "text"),
    [
        (None, ValueType.NULL, {}, "—"),
        ("000123", ValueType.STRING, {}, "000123"),
        (-12, ValueType.INT32, {}, "-12"),
        (1234567, ValueType.INT32, {}, "1234567"),
        (1234567, ValueType.INT32, {"unit": "kW.h"}, "1 234 567"),
        (1, ValueType.INT32, {"states": {1: "running"}}, "running"),
        (7, ValueType.INT32, {"states": {1: "running"}}, "7"),
        (True, ValueType.BOOLEAN, {"states": {1: "open"}}, "open"),
        (True, ValueType.BOOLEAN, {}, "true"),
        ([1, 2.5, 3, 4, 5], ValueType.DOUBLE | ARRAY, {}, "[1, 2.5000, 3, 4, … 5 values]"),
        (b"\x01\xff", ValueType.BYTESTRING, {}, "01 ff"),
        ({"a": 1}, ValueType.EXTENSIONOBJECT, {}, '{"a":1}'),
        (116_444_736_000_000_000, ValueType.DATETIME, {}, "1970-01-01 00:00:00 UTC"),
        ("x" * 500, ValueType.STRING, {}, "x" * 159 + "…"),
    ],
)
def test_values_keep_their_kind(value, type, parts, text):
    assert plain(words.value_text(row(value, type), signal(**parts))) == text


def test_nothing_yet():
    assert words.value_text(None, signal()) == "—"
    assert words.quality_text(None, signal()) == "waiting"
    assert words.mark_of(None, signal()) is Mark.NONE


@pytest.mark.parametrize(
    ("sample", "mark", "text"),
    [
        (row(50.0), Mark.OK, "good"),
        (row(90.5), Mark.HIGH, "above 90"),
        (row(-1.0), Mark.LOW, "below 0.5"),
        (row(50.0, status=quality.UNCERTAIN), Mark.UNCERTAIN, "uncertain"),
        (row(99.0, status=quality.UNCERTAIN), Mark.UNCERTAIN, "uncertain"),
        (row(None, status=quality.BAD_NO_COMMUNICATION), Mark.BAD, "no communication"),
        (row(1.0, status=0x80AA0000), Mark.BAD, "bad(0x80aa0000)"),
        (row(50.0, flags=Flag.CLOCK_SUSPECT), Mark.OK, "good, clock suspect"),
        (row("99"), Mark.OK, "good"),
        (row(True), Mark.OK, "good"),
    ],
)
def test_quality_is_a_mark_and_a_word(sample, mark, text):
    limited = signal(limits=Limits(low=0.5, high=90.0))
    assert words.mark_of(sample, limited) is mark
    assert words.quality_text(sample, limited) == text


@pytest.mark.parametrize(
    ("code", "text"),
    [("Cel", "°C"), ("m3/h", "m³/h"), ("um", "µm"), ("1", ""), ("", ""), ("%", "%"), ("/min", "1/min"), ("kW.h", "kW·h"),
     ("mm/s2", "mm/s²"), ("{parts}/min", "parts/min"), ("N.m", "N·m"), ("s-1", "s⁻¹"), ("[degF]", "°F"), ("kOhm", "kOhm"),
     ("10*3/ul", "10*³/µl")],
)  # fmt: skip
def test_units_read_as_people_write_them(code, text):
    assert words.unit_text(code) == text


@given(st.text(max_size=30))
def test_any_unit_text_is_taken(code):
    assert isinstance(words.unit_text(code), str)


# The browser's script has the same table: tests/browser reads it from here.
AGES = [
    (0, "0.0 s"), (449, "0.4 s"), (9_990, "9.9 s"), (10_000, "10 s"), (59_999, "59 s"), (60_000, "1 min"),
    (3_599_000, "59 min"), (3_600_000, "1 h 0 min"), (7_500_000, "2 h 5 min"), (36_000_000, "10 h"),
    (172_799_000, "47 h"), (172_800_000, "2 d"), (-900, "0.0 s"), (-5_000, "in 5.0 s"),
]  # fmt: skip


@pytest.mark.parametrize(("ms", "text"), AGES)
def test_ages(ms, text):
    assert words.age_text(ms * 1_000_000) == text


def test_due():
    assert words.due_text(8_200_000_000) == "in 8.2 s"
    assert words.due_text(-1) == "now"


def test_times_are_the_plants():
    berlin = words.zone("Europe/Berlin")
    assert words.clock_text(1_795_232_424_520_779_950, berlin) == "2026-11-21 04:40:24 CET"
    assert words.precise_text(1_795_232_424_520_779_950, berlin) == "2026-11-21 04:40:24.520 CET"
    assert words.clock_text(1_782_000_000 * SECOND, berlin).endswith("CEST")
    for name in ("Nowhere/Land", "", "../../etc/passwd"):
        assert words.zone(name).key == "UTC"


def test_sizes():
    assert [words.size_text(n) for n in (0, 1023, 1536, 5 << 30)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
