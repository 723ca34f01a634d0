"""Lines to samples, without a socket."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.connect.api import Point
from weft.connect.shdr import Address
from weft.connect.shdr.reader import Reader
from weft.connect.shdr.tokens import LONGEST
from weft.connect.tally import Tally
from weft.model import ARRAY, Flag, ValueType, concat, instant, quality

NOW = 1_800_000_000_000_000_000
AT = "2026-01-01T00:00:00.123456789Z"
AT_NS = 1_767_225_600_123_456_789


def point(handle, key, category="event", part="", type=None):
    address = msgspec.convert({"key": key, "category": category, "part": part}, Address)
    return Point(handle, f"p{handle}", address, type)


def reader_of(*points, device=""):
    refused = {}
    reader = Reader(points, device, lambda p, status, why: refused.update({p.path: why}), Tally("test"))
    return reader, refused


def read(line, *points, device=""):
    reader, refused = reader_of(*points, device=device)
    assert not refused
    return list(reader.feed(line.encode() + b"\n", NOW)), reader


def values(line, *points):
    return [(row.signal, row.value) for row in read(line, *points)[0]]


A, B = point(1, "a"), point(2, "b", "sample")


def test_several_pairs_share_one_exact_time():
    rows, _ = read(f"{AT}|a|000123|other|9|b|-1.5e3", A, B)
    assert [(row.signal, row.time, row.value, row.type) for row in rows] == [
        (1, AT_NS, "000123", ValueType.STRING),
        (2, AT_NS, -1500.0, ValueType.DOUBLE),
    ]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2022-08-08T13:51:34.7167146Z", 1_659_966_694_716_714_600),
        ("2022-08-08T13:51:34Z", 1_659_966_694_000_000_000),
        ("2022-08-08T13:51:34.5", 1_659_966_694_500_000_000),
        ("2022-08-08T15:51:34.5+02:00", 1_659_966_694_500_000_000),
        ("2022-08-08T13:51:34.1234567899999Z", 1_659_966_694_123_456_789),
        ("2022-08-08T13:51:34.5Z@12.5", 1_659_966_694_500_000_000),
    ],
)
def test_times_are_kept_to_the_nanosecond(text, time):
    (row,), _ = read(f"{text}|a|x", A)
    assert (row.time, row.flags) == (time, Flag.FIRST)


@given(st.integers(0, 4_102_444_800_000_000_000), st.integers(0, 9))
def test_every_time_is_read_as_it_was_written(ns, digits):
    shown = ns - ns % 10 ** (9 - digits)
    (row,), _ = read(f"{instant.text(shown, digits)}|a|x", A)
    assert row.time == shown


@pytest.mark.parametrize(
    "first", ["", "yesterday", "2022-13-01T00:00:00Z", "12345.6", "2300-01-01T00:00:00.1Z"]
)
def test_a_line_without_a_readable_time_gets_the_time_of_receipt(first):
    (row,), reader = read(f"{first}|a|x", A)
    assert (row.time, row.value, row.flags) == (NOW, "x", Flag.RECEIVE_TIME | Flag.FIRST)
    assert reader.tally.counts["time not readable"] == bool(first)


def test_a_line_that_begins_with_its_key_is_read():
    assert values("a|x|b|2", A, B) == [(1, "x"), (2, 2.0)]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ('"pipe \\| here"', "pipe | here"),
        ('"say \\"hi\\""', 'say "hi"'),
        ('"plain"', "plain"),
        ('"open', '"open'),
        ('in "the" middle', 'in "the" middle'),
        ("C:\\", "C:\\"),
        ("", ""),
        ("  spaces ", "  spaces "),
        ("\u2028\x0c", "\u2028\x0c"),
    ],
)
def test_quotes_and_backslashes(written, text):
    assert values(f"{AT}|a|{written}|b|1", A, B) == [(1, text), (2, 1.0)]


@given(st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives_quoting(text):
    escaped = text.replace("\\", "\\\\").replace("|", "\\|").replace('"', '\\"')
    expected = None if text.upper() == "UNAVAILABLE" and len(text) == 11 else text
    assert values(f'{AT}|a|"{escaped}"|b|1', A, B) == [(1, expected), (2, 1.0)]


@given(st.binary(max_size=200), st.lists(st.integers(1, 40)))
def test_where_the_bytes_are_cut_makes_no_difference(junk, cuts):
    data = (
        f"{AT}|a|ä|b|1\r\n{AT}|@ASSET@|t1|Tool|--multiline--Q\n<x>|\n\n--multiline--Q\n".encode()
        + junk
        + b"\n"
    )
    points = (A, B, point(3, "*", "asset"))
    whole = reader_of(*points)[0].feed(data, NOW)
    reader, parts, at = reader_of(*points)[0], [], 0
    for cut in [*cuts, len(data)]:
        parts.append(reader.feed(data[at : at + cut], NOW))
        at += cut
    if b"\xff" in junk or not junk.isascii():
        return  # a chunk with a byte that is no UTF-8 is read as Latin-1 as a whole
    assert list(concat(parts)) == list(whole)
    assert whole.values()[:3] == ["ä", 1.0, "<x>|\n"]


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_bytes_make_it_fail(chunks):
    reader, _ = reader_of(
        A, B, point(3, "c", "condition"), point(4, "t", "timeseries"), point(5, "d", "dataset")
    )
    for chunk in chunks:
        reader.feed(chunk, NOW)
        for key in (b"a", b"b", b"c", b"t", b"d"):
            reader.feed(b"|" + key + b"|" + chunk + b"\n", NOW)


@pytest.mark.parametrize("text", ["abc", "", "1_0", "nan", "inf", "1 x", "0x10"])
def test_a_sample_without_a_number_is_null(text):
    (row,), _ = read(f"{AT}|b|{text}", B)
    assert (row.value, row.type, row.status) == (None, ValueType.NULL, quality.BAD_TYPE_MISMATCH)


def test_a_position_is_an_array():
    (row,), _ = read(f"{AT}|b|1 2.5 -3", B)
    assert (row.value, row.type) == ([1.0, 2.5, -3.0], ValueType.DOUBLE | ARRAY)
    axes = [point(handle, "b", "sample", axis) for handle, axis in enumerate("xyz")]
    assert values(f"{AT}|b|1 2.5 -3", *axes) == [(0, 1.0), (1, 2.5), (2, -3.0)]
    assert values(f"{AT}|b|1 2", *axes) == [(0, None), (1, None), (2, None)]
    (row,) = read(f"{AT}|b|UNAVAILABLE", axes[0])[0]
    assert row.status == quality.BAD_NO_COMMUNICATION


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        (ValueType.INT32, "-12", -12),
        (ValueType.INT64, "9007199254740993", 9007199254740993),
        (ValueType.INT32, "7.0", 7),
        (ValueType.INT32, "ACTIVE", "ACTIVE"),
        (ValueType.BOOLEAN, "TRUE", True),
        (ValueType.DOUBLE, "1.25", 1.25),
        (ValueType.STRING, "1.250", "1.250"),
        (ValueType.DATETIME, "1970-01-01T00:00:00Z", 116_444_736_000_000_000),
    ],
)
def test_an_event_is_read_as_the_plant_asks(type, text, value):
    (row,), _ = read(f"{AT}|a|{text}", point(1, "a", type=type))
    assert (row.value, row.status) == (value, quality.GOOD)


@pytest.mark.parametrize(
    ("type", "text", "status"),
    [
        (ValueType.INT16, "40000", quality.BAD_OUT_OF_RANGE),
        (ValueType.INT16, "1.5", quality.BAD_TYPE_MISMATCH),
        (ValueType.INT16, "9" * 40, quality.BAD_OUT_OF_RANGE),
        (ValueType.BOOLEAN, "maybe", quality.BAD_TYPE_MISMATCH),
        (ValueType.DATETIME, "soon", quality.BAD_TYPE_MISMATCH),
        (ValueType.INT16, "unavailable", quality.BAD_NO_COMMUNICATION),
        (ValueType.DOUBLE, "UNAVAILABLE", quality.BAD_NO_COMMUNICATION),
        (None, "UNAVAILABLE", quality.BAD_NO_COMMUNICATION),
    ],
)
def test_what_cannot_be_read_so_is_null_with_the_reason(type, text, status):
    (row,), _ = read(f"{AT}|a|{text}", point(1, "a", type=type))
    assert (row.value, row.status) == (None, status)


def test_a_condition_keeps_all_its_fields():
    whole, level, code = (
        point(1, "c", "condition"),
        point(2, "c", "condition", "level"),
        point(3, "c", "condition", "native_code"),
    )
    line = f"{AT}|c|FAULT|0017|HIGH|LOW|oil|a|next"
    assert values(line, whole, level, code, point(4, "a")) == [
        (
            1,
            '{"level":"FAULT","native_code":"0017","native_severity":"HIGH","qualifier":"LOW","message":"oil"}',
        ),
        (2, "FAULT"),
        (3, "0017"),
        (4, "next"),
    ]
    assert values(f"{AT}|c|NORMAL||||", whole, level) == [(1, '{"level":"NORMAL"}'), (2, "NORMAL")]
    assert values(f"{AT}|c|NORMAL", whole) == [(1, '{"level":"NORMAL"}')]
    assert values(f"{AT}|c|UNAVAILABLE||||", whole, level) == [(1, None), (2, None)]


def test_an_unknown_condition_does_not_shift_its_neighbours():
    rows, reader = read(f"{AT}|c|FAULT|a|wrong|b|17", A, B)
    assert rows == []
    assert reader.last["c"].fields == ["FAULT", "a", "wrong", "b", "17"]
    assert reader.tally.counts == {"no signal": 1}


def test_messages_series_and_sets():
    assert values(f"{AT}|m|17|door open|a|x", point(3, "m", "message"), A) == [
        (3, '{"native_code":"17","text":"door open"}'),
        (1, "x"),
    ]
    series = [point(3, "t", "timeseries"), point(4, "t", "timeseries", "rate")]
    assert values(f"{AT}|t|3|100|1 2 3", *series) == [(3, [1.0, 2.0, 3.0]), (4, 100.0)]
    (row,), _ = read(f"{AT}|t|4|100|1 2 3", series[0])
    assert (row.value, row.status) == ([1.0, 2.0, 3.0], quality.UNCERTAIN)
    assert values(f"{AT}@1.5|b|2", B, point(3, "b", "sample", "duration")) == [(2, 2.0), (3, 1.5)]
    assert values(f"{AT}|b|0.5:DAY", B, point(3, "b", "sample", "reset")) == [(2, 0.5), (3, "DAY")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1 b=1.10 c=000123 d", '{"a":1,"b":1.10,"c":"000123","d":null}'),
        ("{a=1}", '{"a":1}'),
        ("a={two words} b='it''s' c=\"q\"", '{"a":"two words","b":"it","\'s\'":null,"c":"q"}'),
        ("r1={x=1 y={deep}} r2={}", '{"r1":{"x":1,"y":"deep"},"r2":""}'),
        (":MANUAL a=-0.5e3", '{":reset":"MANUAL","a":-0.5e3}'),
        ("", "{}"),
        ("a={open", None),
        ("=1", None),
    ],
)
def test_data_sets_become_json(text, value):
    assert values(f"{AT}|d|{text}|a|x", point(3, "d", "dataset"), A) == [(3, value), (1, "x")]


def test_a_device_before_the_key():
    assert values(f"{AT}|M1:a|x|M2:a|y", A) == [(1, "x"), (1, "y")]
    assert values(f"{AT}|M1:a|x|M2:a|y", point(1, "M2:a")) == [(1, "y")]
    rows, _ = read(f"{AT}|M1:a|x|M2:a|y|a|z", A, device="M2")
    assert [row.value for row in rows] == ["y", "z"]


def test_assets_and_their_removal_are_signals_of_their_own():
    lines = (
        f"{AT}|@ASSET@|t1|Tool|--multiline--Z1\n<tool a='|'>\n* not a command\n</tool>\n--multiline--Z1\n"
        f"{AT}|@ASSET@|t2|Tool|<tool/>\n{AT}|@UPDATE_ASSET@|t1|life|7\n{AT}|@REMOVE_ASSET@|t1\n"
        f"{AT}|@REMOVE_ALL_ASSETS@|Tool\n{AT}|@ASSET@|short\n"
    )
    rows, reader = read(
        lines,
        point(1, "t1", "asset"), point(2, "t1", "asset", "removed"),
        point(3, "*", "asset"), point(4, "*", "asset", "removed"),
    )  # fmt: skip
    assert [(row.signal, row.value) for row in rows] == [
        (1, "<tool a='|'>\n* not a command\n</tool>"),
        (3, "<tool/>"),
        (1, "@UPDATE_ASSET@|t1|life|7"),
        (2, "@REMOVE_ASSET@|t1"),
        (4, "@REMOVE_ALL_ASSETS@|Tool"),
    ]
    assert reader.tally.counts == {"asset not readable": 1}
    assert read(lines, A)[1].tally.counts["no signal for asset"] == 5


def test_what_is_too_long_is_dropped_and_counted():
    reader, _ = reader_of(A)
    flood = b"|a|" + b"x" * 100_000
    for _ in range(30):
        assert len(reader.feed(flood, NOW)) == 0
    (row,) = reader.feed(b"\n|a|after\n", NOW)
    assert row.value == "after"
    body = (
        b"|@ASSET@|t|T|--multiline--A\n" + (b"y" * 1000 + b"\n") * (LONGEST // 1000 + 2) + b"--multiline--A\n"
    )
    (row,) = reader.feed(body + b"|a|again\n", NOW)
    assert row.value == "again"
    assert reader.tally.counts["too long"] == 2


def test_what_is_no_utf_8_is_read_as_latin_1():
    reader, _ = reader_of(A)
    (row,) = reader.feed("|a|Öl\n".encode("latin-1"), NOW)
    assert row.value == "Öl"


def test_commands_are_no_observations():
    reader, _ = reader_of(A)
    assert len(reader.feed(b"* PONG 5000\n*adapterVersion:2.0\n* calibration: a|b\n* PONG x\n", NOW)) == 0
    assert reader.pong == 5.0
    assert reader.about == {"adapterVersion": "2.0", "calibration": "a|b"}


def test_points_that_cannot_be_served_are_refused_alone():
    bad = [
        point(2, "a", "event", "level"),
        point(3, "a", "condition"),
        point(4, "x", type=ValueType.GUID),
    ]
    reader, refused = reader_of(A, *bad)
    assert set(refused) == {"p2", "p3", "p4"}
    assert "same category" in refused["p3"]
    assert [row.value for row in reader.feed(b"|a|fine\n", NOW)] == ["fine"]


def test_a_missing_value_is_bad_and_the_next_line_is_read():
    rows, _ = read(f"{AT}|b|1|a\n{AT}|a|x", A, B)
    assert [(row.signal, row.value, row.status) for row in rows] == [
        (2, 1.0, 0), (1, None, quality.BAD_DECODING_ERROR), (1, "x", 0),
    ]  # fmt: skip


def test_lines_without_a_time_that_come_together_are_all_kept():
    reader, _ = reader_of(point(1, "mode"))
    batch = reader.feed(b"|mode|AUTO\n|mode|MANUAL\n|mode|MDI\n", NOW)
    assert [row.value for row in batch.last_wins()] == ["AUTO", "MANUAL", "MDI"]
