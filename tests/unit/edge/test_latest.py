"""The newest sample of each signal, whichever clock its time is from."""

import pytest

from weft.edge.latest import Latest
from weft.model import BatchBuilder, Flag, ValueType

SECOND = 10**9
AGAIN = Flag.REPEATED | Flag.RECEIVE_TIME


@pytest.fixture
def latest():
    made = Latest()
    made.watch([0])
    return made


def heard(latest, value, time, *, at, flags=0):
    builder = BatchBuilder()
    builder.add(0, time * SECOND, value, ValueType.INT32, flags=flags)
    latest.take(builder.build(received=at * SECOND))


def known(latest, now):
    reading = latest.reading(0, now * SECOND)
    return reading.value, reading.age


def test_a_value_that_stood_still_over_an_outage_is_heard_again_by_reading_it(latest):
    heard(latest, 3, time=100, at=100, flags=AGAIN)
    heard(latest, 3, time=10, at=200)
    assert known(latest, 201) == (3, 1.0)


def test_after_a_time_of_ours_the_source_s_own_counts_again(latest):
    heard(latest, 3, time=100, at=100, flags=AGAIN)
    heard(latest, 4, time=90, at=101)
    heard(latest, 5, time=80, at=102)
    assert known(latest, 102) == (4, 1.0)


@pytest.mark.parametrize("flag", [Flag.HISTORY, Flag.REPLAYED])
def test_what_is_of_the_past_is_never_the_newest(latest, flag):
    heard(latest, 3, time=100, at=100, flags=AGAIN)
    heard(latest, 4, time=90, at=110, flags=flag)
    assert known(latest, 110) == (3, 10.0)


def test_two_times_of_ours_are_compared(latest):
    heard(latest, 3, time=100, at=100, flags=Flag.RECEIVE_TIME)
    heard(latest, 4, time=99, at=101, flags=Flag.RECEIVE_TIME)
    assert known(latest, 101) == (3, 1.0)


def test_one_time_from_far_ahead_does_not_hide_what_follows(latest):
    heard(latest, 3, time=10**6, at=100, flags=Flag.CLOCK_SUSPECT)
    heard(latest, 4, time=101, at=101)
    assert known(latest, 101) == (4, 0.0)
