"""What is believed, what is derived and what is late; and all steps one after the other."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from clocks import HandClock
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import batches

from weft.edge import runs
from weft.edge.derived import Derived
from weft.edge.order import Order
from weft.edge.queue import Queue, Waiting, size
from weft.edge.rules import Rules
from weft.edge.treatment import Treatment
from weft.model import Batch, Flag, Limits, Signal, ValueType, Writable, quality

SECOND = 10**9
T0 = HandClock().now()


@pytest.fixture(autouse=True, params=["turns", "walks"])
def way(request, monkeypatch):
    monkeypatch.setattr(runs, "NARROWEST", 1 if request.param == "turns" else 10**9)


def signal(name, handle, **fields):
    return Signal(**{"handle": handle, "path": f"p/{name}", "connection": "c", "address": None, **fields})


class Works:
    def __init__(self, *signals, watched=()):
        self.clock, self.told = HandClock(), []
        self.treatment = Treatment(clock=self.clock, tell=self.told.append)
        assert list(self.treatment.apply(signals, watched)) == []

    def take(self, *rows):
        """Rows of (handle, seconds, value[, status]); everything that comes out."""
        listed = [(h, T0 + round(t * SECOND), v, 11, *rest) for h, t, v, *rest in rows]
        found = self.treatment.take(Batch.of(listed, source="c", sequence=1, received=T0 + 60 * SECOND))
        return [row for batch in found for row in batch]

    def statuses(self, *rows):
        return [quality.status_name(row.status) for row in self.take(*rows)]

    @property
    def checks(self):
        return [(e.data["check"], e.data["state"], e.data["value"]) for e in self.told]


BEYOND, DOUBT, STILL = (
    "UncertainEngineeringUnitsExceeded",
    "UncertainSensorNotAccurate",
    "UncertainLastUsableValue",
)


def test_outside_of_what_the_instrument_measures():
    works = Works(signal("x", 1, limits=Limits(minimum=0, maximum=10)))
    assert works.statuses((1, 0, 5.0), (1, 1, 11.0), (1, 2, 12.0), (1, 3, -1.0), (1, 4, 5.0)) == [
        "Good",
        BEYOND,
        BEYOND,
        BEYOND,
        "Good",
    ]
    assert works.checks == [
        ("minimum", "exceeded", -1.0),
        ("minimum", "normal", 5.0),
        ("maximum", "exceeded", 11.0),
        ("maximum", "normal", 5.0),
    ]
    assert works.statuses((1, 5, 11.0), (1, 6, 12.0)) == [BEYOND, BEYOND]
    assert works.statuses((1, 7, 13.0)) == [BEYOND]
    assert works.checks[4:] == [("maximum", "exceeded", 11.0)]
    assert works.statuses((1, 8, 13.0, 0x80310000), (1, 9, 13.0, 0x40000000)) == [
        "BadNoCommunication",
        "Uncertain",
    ]
    assert [row.value for row in works.take((1, 10, 99.0))] == [99.0]


def test_one_spike_is_one_doubt():
    works = Works(signal("x", 1, rate=1.0))
    said = works.statuses((1, 0, 5.0), (1, 1, 6.0), (1, 2, 90.0), (1, 3, 6.5), (1, 3, 6.6))
    assert said == ["Good", "Good", DOUBT, "Good", "Good"]
    assert works.checks == [("rate", "exceeded", 90.0), ("rate", "normal", 6.5)]


def test_a_true_step_is_believed_once_there_was_time_for_it():
    works = Works(signal("x", 1, rate=1.0))
    said = works.statuses(*((1, t, 0.0 if t == 0 else 5.0) for t in range(8)))
    assert said == ["Good", *[DOUBT] * 4, "Good", "Good", "Good"]


def test_a_value_that_stands_still_for_too_long():
    works = Works(signal("x", 1, stuck=3.0))
    said = works.statuses(*((1, t, 5.0) for t in range(6)), (1, 6, 5.1))
    assert said == ["Good", "Good", "Good", STILL, STILL, STILL, "Good"]
    assert works.checks == [("stuck", "exceeded", 5.0), ("stuck", "normal", 5.1)]


def test_a_source_that_says_nothing_stands_still_too():
    works = Works(signal("x", 1, stuck=3.0))
    works.take((1, 0, 5.0))
    now = T0 + 62 * SECOND
    assert [row for batch in works.treatment.quiet(now) for row in batch] == []
    ((row,),) = [list(batch) for batch in works.treatment.quiet(now + 2 * SECOND)]
    assert (row.value, quality.status_name(row.status), row.time) == (5.0, STILL, T0 + 4 * SECOND)
    assert list(works.treatment.quiet(now + 9 * SECOND)) == []
    assert works.checks == [("stuck", "exceeded", 5.0)]


# --- derived ----------------------------------------------------------------------------------------------------


def derived(name, handle, derive, **fields):
    return signal(name, handle, connection="derived", derive=derive, **fields)


def of(rows, handle):
    return [((row.time - T0) / SECOND, row.value) for row in rows if row.signal == handle]


def test_computed_whenever_an_input_changes_from_the_newest_of_the_others():
    works = Works(signal("a", 1), signal("b", 2), derived("sum", 3, "{p/a} + {p/b}"))
    assert of(works.take((1, 0, 1.0)), 3) == []
    rows = works.take((1, 1, 2.0), (1, 3, 3.0), (2, 2, 10.0), (2, 3, 20.0))
    assert of(rows, 3) == [(2, 12.0), (3, 23.0)]
    assert of(works.take((1, 4, 5.0)), 3) == [(4, 25.0)]


def test_one_is_computed_from_another_in_the_same_breath():
    works = Works(derived("twice", 3, "{p/more} * 2"), derived("more", 2, "{p/a} + 1"), signal("a", 1))
    rows = works.take((1, 0, 1.0), (1, 1, 2.0))
    assert of(rows, 2) == [(0, 2.0), (1, 3.0)]
    assert of(rows, 3) == [(0, 4.0), (1, 6.0)]


def test_one_that_is_new_has_its_value_at_once():
    a, b = signal("a", 1), signal("b", 2)
    works = Works(a, b, watched=(1,))
    works.take((1, 5, 2.0))
    more = derived("twice", 3, "{p/sum} * 2"), derived("sum", 4, "{p/a} + {p/b}")
    assert list(works.treatment.apply([a, b, *more], (1,))) == []
    assert works.treatment.unknown() == [1, 2, 3, 4]
    kept = Batch.of([(1, T0, 1.0, 11), (2, T0 + 3 * SECOND, 10.0, 11)])
    found = list(works.treatment.seed(kept))
    assert of(found, 4) == [(5, 12.0)]  # of the 2.0 that was heard, not of the 1.0 that is kept
    assert of(found, 3) == [(5, 24.0)]
    assert works.treatment.latest.is_live(1)
    assert works.treatment.unknown() == []
    assert of(works.take((2, 6, 20.0)), 3) == [(6, 44.0)]


def test_after_a_restart_nothing_is_computed_twice():
    signals = signal("a", 1), derived("more", 2, "{p/a} + 1")
    works = Works(*signals)
    assert works.treatment.seed(Batch.of([(1, T0, 1.0, 11), (2, T0, 2.0, 11)])) is None
    assert works.treatment.seed(Batch.of([])) is None
    works = Works(*signals)  # killed in between: what follows from the newest was not kept
    found = works.treatment.seed(Batch.of([(1, T0 + SECOND, 5.0, 11), (2, T0, 2.0, 11)]))
    assert of(list(found), 2) == [(1, 6.0)]


def test_the_status_is_the_worst_and_a_bad_input_leaves_no_value():
    works = Works(signal("a", 1), signal("b", 2), derived("sum", 3, "{p/a} + {p/b}"))
    works.take((1, 0, 1.0), (2, 0, 1.0))
    (_, row) = works.take((1, 1, 1.0, 0x40900000))
    assert (row.value, row.status) == (2.0, 0x40900000)
    (_, row) = works.take((2, 2, 1.0, 0x80310000))
    assert (row.value, row.type, row.status) == (None, 0, 0x80310000)


def test_whoever_asks_for_the_quality_answers_for_it():
    works = Works(signal("a", 1), signal("b", 2), derived("best", 3, "{p/a} if good({p/a}) else {p/b}"))
    works.take((1, 0, 1.0), (2, 0, 7.0))
    (_, row) = works.take((1, 1, 1.0, 0x80310000))
    assert (row.value, row.status) == (7.0, 0)


def test_what_cannot_be_calculated_is_out_of_range():
    works = Works(signal("a", 1), derived("q", 2, "0 / {p/a}"))
    (_, row) = works.take((1, 0, 0.0))
    assert (row.value, quality.status_name(row.status)) == (None, "BadOutOfRange")


def test_an_input_with_a_clock_behind_changes_the_present():
    works = Works(signal("a", 1), signal("b", 2), derived("sum", 3, "{p/a} + {p/b}"))
    works.take((1, 10, 1.0), (2, 5, 1.0))
    (late,) = of(works.take((2, 6, 2.0)), 3)
    assert late[1] == 3.0
    assert late[0] == pytest.approx(10.0)
    assert of(works.take((2, 4, 9.0)), 3) == [
        (pytest.approx(10.0), 3.0)
    ]  # older than what was known: no change


def test_text_and_truth():
    works = Works(
        signal("s", 1),
        derived("on", 2, "{p/s} == 'on'", type=ValueType.BOOLEAN),
        derived("word", 3, "'yes' if {p/s} == 'on' else 'no'"),
    )
    batch = Batch.of([(1, T0, "on", 12), (1, T0 + 1, "off", 12)], received=T0)
    _, found = works.treatment.take(batch)
    assert [(row.signal, row.value, row.type) for row in found] == [
        (2, True, 1),
        (2, False, 1),
        (3, "yes", 12),
        (3, "no", 12),
    ]


def test_a_time_that_cannot_be_computes_nothing():
    works = Works(signal("a", 1), derived("b", 2, "{p/a}"))
    assert of(works.take((1, 10**6, 1.0)), 2) == []
    assert of(works.take((1, 1, 2.0)), 2) == [(1, 2.0)]


VALUES = st.lists(
    st.tuples(st.integers(1, 2), st.integers(1, 3), st.sampled_from([0.0, 1.0, -2.5, 7.0])), max_size=30
)


@given(VALUES, st.integers(1, 31))
@settings(deadline=None)
def test_derived_against_a_slow_reference(steps, pieces):
    now, rows = 0, []
    for handle, wait, value in steps:
        now += wait
        rows.append((handle, now, value))
    expected, known = {}, {}
    for handle, t, value in rows:
        known[handle] = value
        if len(known) == 2:
            expected[t] = known[1] - 2 * known[2]
    works = Works(signal("a", 1), signal("b", 2), derived("d", 3, "{p/a} - 2 * {p/b}"))
    got = []
    for k in range(0, len(rows), pieces):
        got += of(works.take(*rows[k : k + pieces]), 3)
    assert dict(got) == expected
    assert [t for t, _ in got] == sorted({t for t, _ in got})


# --- late -------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=40), st.integers(1, 41))
def test_late_is_what_comes_after_something_newer(rows, pieces):
    order, newest, expected, got = Order(Rules([signal(str(h), h) for h in range(3)])), {}, [], []
    for handle, t in rows:
        expected.append(t < newest.get(handle, -1))
        newest[handle] = max(t, newest.get(handle, -1))
    for k in range(0, len(rows), pieces):
        batch = order(Batch.of([(h, T0 + t, 1.0, 11) for h, t in rows[k : k + pieces]]))
        got += [bool(row.flags & Flag.LATE) for row in batch]
    assert got == expected


def test_a_time_from_far_ahead_makes_nothing_late():
    works = Works(signal("a", 1))
    rows = works.take((1, 10**9, 1.0), (1, 1, 1.0), (1, 0, 1.0))
    assert [Flag(row.flags) for row in rows] == [Flag.CLOCK_SUSPECT, Flag(0), Flag.LATE]


# --- all of it --------------------------------------------------------------------------------------------------


@given(batches(handles=st.integers(0, 6)), batches(handles=st.integers(-1, 9)))
@settings(deadline=None)
def test_no_input_makes_it_raise(one, two):
    rails = Writable(interlock="{p/s1} > 0")
    signals = [
        signal("s0", 0, deviation=1.0, silence=1.0),
        signal("s1", 1, deadband=1.0, rate=1.0, stuck=1.0),
        signal("s2", 2, limits=Limits(minimum=0.0), type=ValueType.INT32, write=rails),
        derived("s3", 3, "{p/s0} / {p/s1} + age({p/s2})"),
        derived("s4", 4, "{p/s3} == 'x' or {p/s5} > 1"),
        signal("s5", 5, scale=0.5, deviation=0.5, states={1: "on"}),
    ]
    treatment = Treatment(clock=HandClock(), tell=lambda event: None)
    list(treatment.apply(signals))
    for batch in (one, two, one):
        treatment.take(batch)
        treatment.look(batch)
        list(treatment.quiet(T0))
    list(treatment.apply(signals[:3]))
    list(treatment.release(T0))


def test_what_is_only_repeated_is_not_heard():
    works = Works(signal("x", 1, silence=5.0), watched=[1])
    works.take((1, 0, 5.0))
    now = T0 + 70 * SECOND
    assert [len(batch) for batch in works.treatment.quiet(now)] == [1]
    assert works.treatment.latest.reading(1, now).age == 10.0


def test_the_queue_is_bounded_by_bytes_too():
    queue = Queue(1_000_000, 10_000)
    for n in range(10):
        queue.put(Waiting(Batch.of([(1, n, "x" * 3_000, 12)], source="c"), None))
    assert queue.rows == 3
    assert queue.fullness <= 1
    assert queue.take_gaps()["c"].samples == 7
    taken = queue.take(10)
    queue.settle(3, sum(size(entry.batch) for entry in taken))
    assert (queue.rows, queue.bytes) == (0, 0)


def test_a_long_run_of_one_signal_takes_no_long_time():
    """Once 1.5 s for this batch; a generous bound, so that a busy machine does not fail it."""
    n = 50_000
    rng = np.random.default_rng(1)
    batch = Batch.doubles(
        np.zeros(n, int), T0 + np.arange(n) * 10**6, rng.normal(size=n).cumsum(), received=T0 + 60 * SECOND
    )
    works = Works(signal("x", 0, deadband=0.1), signal("y", 1, deviation=0.1))
    if runs.NARROWEST == 1:
        pytest.skip("the slow way")
    begun = time.process_time()
    for handle in (0, 1):
        works.treatment.take(batch.replace(signal=np.full(n, handle, dtype=np.int32)))
    assert time.process_time() - begun < 1.0


def test_numbers_that_are_none_pass():
    works = Works(signal("x", 1, limits=Limits(minimum=0, maximum=1), rate=1.0, stuck=1.0, deviation=1.0))
    rows = works.take((1, 0, math.nan), (1, 1, math.inf), (1, 2, 0.5))
    assert len(rows) == 3 or math.isnan(rows[0].value)


def test_derived_with_nothing_to_derive_costs_nothing():
    assert Derived([signal("a", 1)])(Batch.of([(1, T0, 1.0, 11)])) is None
