"""The swinging door keeps its promise, and what it keeps it does not touch."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.edge import runs
from weft.edge.door import Door
from weft.edge.rules import Rules
from weft.model import Batch, Flag, Signal, concat

SECOND = 10**9
T0 = 1_700_000_000 * SECOND


@pytest.fixture(autouse=True, params=["turns", "walks"])
def way(request, monkeypatch):
    """Both ways of judging a batch must judge alike."""
    monkeypatch.setattr(runs, "NARROWEST", 1 if request.param == "turns" else 10**9)


def signal(handle, **kwargs):
    kwargs = {"deviation": 1.0, "connection": "c", "address": None, **kwargs}
    return Signal(handle=handle, path=f"a/s{handle}", **kwargs)


def passed(door, rows, pieces=3):
    """What comes out of the door for rows, given in pieces, and at the end."""
    batches = []
    for k in range(0, len(rows), pieces):
        batches.append(door(Batch.of(rows[k : k + pieces], source="c", received=T0)))
    batches.append(door.release())
    return list(concat(batches)) if batches else []


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 5),  # seconds since the one before
        st.one_of(
            st.floats(-5, 5), st.sampled_from([0.0, 1.0, 2.0, 1e9, math.nan, math.inf]), st.integers(-3, 3)
        ),
        st.sampled_from([0, 0, 0, 0, 0, 0x40000000, 0x80310000]),
        st.sampled_from([0, 0, 0, 0, 0, 0, int(Flag.FIRST), int(Flag.OVERFLOW)]),
    ),
    max_size=60,
)


def timed(steps):
    now, rows = T0, []
    for handle, wait, value, status, flags in steps:
        now += wait * SECOND // 2
        rows.append((handle, now, value, 11 if isinstance(value, float) else 6, status, flags))
    return rows


@given(ROWS, st.sampled_from([None, 3.0]), st.integers(1, 61))
@settings(deadline=None, max_examples=300)
def test_every_sample_that_is_left_out_lies_near_the_line_of_its_kept_neighbours(steps, silence, pieces):
    rows = timed(steps)
    kept = passed(Door(Rules([signal(h, silence=silence) for h in range(3)])), rows, pieces)
    for handle in range(3):
        mine = [row for row in rows if row[0] == handle]
        stay = [row for row in kept if row.signal == handle]
        assert [row.time for row in stay] == sorted(row.time for row in stay)
        at = 0
        for _, time, value, kind, status, flags in mine:
            found = at < len(stay) and same(stay[at], time, value, kind, status, flags)
            if found:
                at += 1
                continue
            assert 0 < at < len(stay), "what is left out has kept neighbours on both sides"
            a, b = stay[at - 1], stay[at]
            assert a.time < time < b.time
            assert (a.type, a.status, b.status) == (kind, status, status)
            line = a.value + (b.value - a.value) * ((time - a.time) / (b.time - a.time))
            assert abs(value - line) <= 1.0 + 1e-9 * max(1.0, abs(b.value))
            assert status < 0x40000000
            assert flags == 0
            assert b.flags & Flag.THINNED
            if silence:
                assert b.time - a.time <= silence * SECOND
        assert at == len(stay), "nothing is kept twice or changed"


def same(row, time, value, kind, status, flags):
    equal = row.value == value or (math.isnan(value) and math.isnan(row.value))
    return (row.time, row.type, row.status, row.flags & ~Flag.THINNED) == (
        time,
        kind,
        status,
        flags,
    ) and equal


@given(ROWS, st.integers(1, 61))
@settings(deadline=None, max_examples=100)
def test_pieces_do_not_matter(steps, pieces):
    rows = timed(steps)
    whole, parts = (
        sorted(passed(Door(Rules([signal(h) for h in range(3)])), rows, n), key=lambda r: (r.signal, r.time))
        for n in (100, pieces)
    )
    assert str(whole) == str(parts)


def test_a_straight_line_is_its_two_ends():
    rows = [(0, T0 + i * SECOND, i * 0.5, 11) for i in range(100)]
    kept = passed(Door(Rules([signal(0)])), rows, 7)
    assert [row.value for row in kept] == [0.0, 49.5]
    assert [bool(row.flags & Flag.THINNED) for row in kept] == [False, True]


def test_a_kink_is_kept_where_it_is():
    values = [float(abs(i - 50)) for i in range(101)]
    kept = passed(Door(Rules([signal(0, deviation=0.1)])), [(0, T0 + i, v, 11) for i, v in enumerate(values)])
    assert [row.value for row in kept] == [50.0, 0.0, 50.0]


def test_no_longer_than_the_silence_between_two_kept():
    rows = [(0, T0 + i * SECOND, 0.0, 11) for i in range(31)]
    kept = passed(Door(Rules([signal(0, silence=10.0)])), rows)
    assert [(row.time - T0) // SECOND for row in kept] == [0, 10, 20, 30]


def test_other_signals_pass_untouched():
    door = Door(Rules([signal(0, deviation=0.0), signal(1)]))
    batch = Batch.doubles([0, 0, 0], [T0, T0 + 1, T0 + 2], [1.0, 1.0, 1.0])
    assert door(batch) is batch
    text = Batch.of([(1, T0, "a", 12), (1, T0 + 1, "a", 12), (9, T0, 1.0, 11)])
    assert list(door(text)) == list(text)


def test_what_is_held_is_not_held_for_ever():
    door = Door(Rules([signal(0), signal(1, silence=3.0)]))
    door(Batch.of([(0, T0, 1.0, 11), (1, T0, 1.0, 11)], received=T0))
    door(Batch.of([(0, T0 + SECOND, 1.1, 11), (1, T0 + SECOND, 1.1, 11)], received=T0 + SECOND))
    assert [row.signal for row in door.overdue(T0 + 4 * SECOND)] == [1]
    assert [row.signal for row in door.overdue(T0 + 11 * SECOND)] == [0]
    assert len(door.overdue(T0 + 30 * SECOND)) == 0
    assert [b.source for b in door.by_source(Batch.of([(0, T0, 1.0, 11)]), T0)] == ["c"]


def test_a_late_sample_is_kept_and_bends_no_curve():
    door = Door(Rules([signal(0)]))
    rows = [(0, T0, 0.0, 11), (0, T0 + 10, 0.0, 11), (0, T0 + 5, 99.0, 11), (0, T0 + 20, 0.0, 11)]
    assert [row.value for row in passed(door, rows, 1)] == [0.0, 99.0, 0.0]


def test_a_new_rule_lets_go_what_is_held():
    door = Door(Rules([signal(0)]))
    door(Batch.of([(0, T0, 0.0, 11), (0, T0 + 10, 0.5, 11)]))
    later, held = door.follow(Rules([signal(0, deviation=2.0)]))
    assert [row.value for row in held] == [0.5]
    assert len(later(Batch.of([(0, T0 + 20, 0.5, 11)]))) == 1


def test_noise_is_thinned_to_few():
    rng = np.random.default_rng(1)
    n = 20_000
    values = np.sin(np.arange(n) / 500.0) * 10 + rng.normal(0, 0.1, n)
    batch = Batch.doubles(np.zeros(n, int), T0 + np.arange(n) * SECOND, values, received=T0)
    if runs.NARROWEST == 1:
        batch = batch.take(slice(0, 500))
    kept = Door(Rules([signal(0)]))(batch)
    assert len(kept) < len(batch) / 25
