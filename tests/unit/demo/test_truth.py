"""The ground truth reads back exactly, whatever happened to the process that wrote it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.demo.machine import Happening
from weft.demo.timeline import Timeline
from weft.demo.truth import Occurrence, Shown, Truth, forget, last_time, occurrences, read
from weft.model import ValueType

ROWS = [
    Shown("line/mill/load", 1_700_000_000_000_000_000, ValueType.DOUBLE, 0.1 + 0.2),
    Shown("line/mill/error", 1_700_000_000_000_000_000, ValueType.INT32, -12),
    Shown("line/mill/serial", 1_700_000_000_000_000_000, ValueType.STRING, "000123"),
    Shown("line/mill/alarm", 1_700_000_000_000_000_000, ValueType.STRING, 'a, "b"\nc'),
    Shown("line/mill/door", 1_700_000_000_000_000_000, ValueType.BOOLEAN, False),
    Shown("line/mill/energy", 1_700_000_000_000_000_000, ValueType.UINT64, 2**64 - 1),
]


def test_what_was_shown_is_read(tmp_path):
    with Truth(tmp_path, "mill") as truth:
        truth.show(ROWS)
    found = read(tmp_path)
    assert found == sorted(ROWS)
    assert [type(row.value) for row in found] == [type(row.value) for row in sorted(ROWS)]
    assert last_time(tmp_path, "mill") == ROWS[0].time
    assert last_time(tmp_path, "washer") is None


@given(value=st.floats(allow_nan=False))
def test_no_number_loses_a_bit(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("truth")
    with Truth(folder, "mill") as truth:
        truth.show([Shown("a", 1, ValueType.DOUBLE, value)])
    (row,) = read(folder)
    assert row.value == value
    assert math.copysign(1, row.value) == math.copysign(1, value)


def test_a_killed_process_leaves_half_a_row_and_goes_on(tmp_path):
    with Truth(tmp_path, "mill") as truth:
        truth.show(ROWS[:2])
    file = tmp_path / "mill.values.csv"
    file.write_bytes(file.read_bytes() + b"line/mill/load,17000000")
    assert len(read(tmp_path)) == 2
    with Truth(tmp_path, "mill") as truth:
        truth.show(ROWS[1:])  # one of them was shown before
    assert read(tmp_path) == sorted(ROWS)


def test_two_values_at_one_time_are_no_truth(tmp_path):
    with Truth(tmp_path, "mill") as truth:
        truth.show([ROWS[0], ROWS[0]._replace(value=1.0)])
    with pytest.raises(ValueError, match="line/mill/load was shown as"):
        read(tmp_path)


def test_events_of_the_process_s_own_machine(tmp_path):
    timeline = Timeline(1_000_000_000_000_000_000, 0)
    happenings = [
        Happening(5, "mill", "tool", {"number": 1}),
        Happening(6, "washer", "state", {"state": 6}),
    ]
    for _ in range(2):  # a restarted process writes the same anew
        with Truth(tmp_path, "mill") as truth:
            truth.happened(happenings, timeline)
    assert occurrences(tmp_path) == [Occurrence(1_000_000_001_000_000_000, "mill", "tool", {"number": 1})]


def test_without_a_folder_nothing_is_written(tmp_path):
    with Truth(None, "mill") as truth:
        truth.show(ROWS)
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_run_is_forgotten_and_nothing_else(tmp_path):
    with Truth(tmp_path, "mill") as truth:
        truth.show(ROWS)
    (tmp_path / "notes.csv").write_text("mine")
    forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.csv"]
    forget(tmp_path / "absent")
