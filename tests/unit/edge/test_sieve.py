"""Report by exception, against a slow and obvious reference."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from weft.edge.rules import Rules
from weft.edge.sieve import Sieve
from weft.edge.steps import check_times
from weft.model import Batch, Flag, Signal

SECOND = 10**9
T0 = 1_700_000_000 * SECOND


def signal(handle, **kwargs):
    return Signal(handle=handle, path=f"a/s{handle}", connection="c", address=None, **kwargs)


def reference(rows, deadband, silence):
    """Which rows stay, and which of them are mere repetitions, one signal at a time."""
    last, kept = {}, []
    for i, (handle, time, value, status) in enumerate(rows):
        before = last.get(handle)
        if before is not None and time < before[0]:
            kept.append((i, False))
            continue
        still = before is not None and abs(value - before[1]) <= deadband and status == before[2]
        if not still:
            kept.append((i, False))
        elif silence and time - before[0] >= silence:
            kept.append((i, True))
        else:
            continue
        last[handle] = (time, value, status)
    return kept


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 40).map(lambda s: T0 + s * SECOND),
        st.sampled_from([0.0, 0.4, 1.0, 1.4, 5.0, math.inf]),
        st.sampled_from([0, 0, 0, 0x80310000]),
    ),
    max_size=40,
)


@given(ROWS, st.sampled_from([0, 5 * SECOND]), st.integers(1, 9))
def test_the_sieve_keeps_what_the_reference_keeps(rows, silence, pieces):
    sieve = Sieve(Rules([signal(h, deadband=0.5, silence=silence / SECOND or None) for h in range(3)]))
    expected = []
    finite = [row for row in rows if math.isfinite(row[2])]
    for i, repeated in reference(finite, 0.5, silence):
        handle, time, value, status = finite[i]
        expected.append((handle, time, value, status, repeated))
    got = []
    for k in range(0, len(finite), pieces):
        part = Batch.of([(h, t, v, 11, s) for h, t, v, s in finite[k : k + pieces]])
        got += [(r.signal, r.time, r.value, r.status, bool(r.flags & Flag.REPEATED)) for r in sieve(part)]
    assert got == expected


def test_signals_without_deadband_pass_whole():
    batch = Batch.doubles([0, 0, 0], [T0, T0 + 1, T0 + 2], [1.0, 1.0, 1.0])
    assert Sieve(Rules([signal(0)]))(batch) is batch


def test_text_and_nan_always_pass():
    sieve = Sieve(Rules([signal(0, deadband=1.0)]))
    batch = Batch.of(
        [(0, T0, "a", 12), (0, T0 + 1, "a", 12), (0, T0 + 2, math.nan, 11), (0, T0 + 3, math.nan, 11)]
    )
    assert len(sieve(batch)) == 4


def test_the_first_sample_after_a_reconnect_passes():
    sieve = Sieve(Rules([signal(0, deadband=1.0)]))
    sieve(Batch.of([(0, T0, 1.0, 11)]))
    assert len(sieve(Batch.of([(0, T0 + 1, 1.0, 11)]))) == 0
    assert len(sieve(Batch.of([(0, T0 + 2, 1.0, 11, 0, Flag.FIRST)]))) == 1


def test_a_silent_signal_is_repeated_and_labelled():
    sieve = Sieve(Rules([signal(0, silence=10.0), signal(1, silence=10.0), signal(2)]))
    sieve(Batch.of([(0, T0, -12, 6), (1, T0, None, 0, 0x80310000), (2, T0, 3.0, 11)]))
    assert len(sieve.silent(T0 + 9 * SECOND)) == 0
    (row,) = sieve.silent(T0 + 10 * SECOND)
    assert (row.signal, row.value, row.type, row.time) == (0, -12, 6, T0 + 10 * SECOND)
    assert row.flags & Flag.REPEATED
    assert row.flags & Flag.SYNTHETIC
    assert len(sieve.silent(T0 + 11 * SECOND)) == 0


def test_what_was_known_survives_new_rules():
    sieve = Sieve(Rules([signal(0, deadband=1.0)]))
    sieve(Batch.of([(0, T0, 1.0, 11)]))
    later = sieve.follow(Rules([signal(0, deadband=1.0), signal(1, deadband=1.0)]))
    assert list(later(Batch.doubles([0, 1], [T0 + 1, T0 + 1], [1.5, 1.5])).signal) == [1]


def test_a_signal_many_times_in_one_batch():
    sieve = Sieve(Rules([signal(0, deadband=0.5), signal(1, deadband=0.5)]))
    values = np.r_[np.zeros(50), np.ones(50)]
    batch = Batch.doubles(np.tile([0, 1], 100), T0 + np.arange(200), np.repeat(values, 2))
    assert [(r.signal, r.value) for r in sieve(batch)] == [(0, 0.0), (1, 0.0), (0, 1.0), (1, 1.0)]


def test_one_time_from_far_ahead_does_not_make_all_that_follow_late():
    """With a deadband the sieve must go on sieving after it."""
    sieve = Sieve(Rules([signal(0, deadband=0.5)]))
    times = [T0, T0 + 10**18, *(T0 + i * SECOND for i in range(1, 6))]
    values = [1.0, 5.0, 1.1, 7.0, 7.1, 7.2, 9.0]
    kept = []
    for time, value in zip(times, values, strict=True):
        raw = Batch.of([(0, time, value, 11)], received=T0 + 6 * SECOND)
        kept += [row.value for row in sieve(check_times(raw))]
    assert kept == [1.0, 5.0, 1.1, 7.0, 9.0]


def test_a_repeat_keeps_the_time_of_the_sources_clock():
    sieve = Sieve(Rules([signal(0, silence=5.0)]))
    behind = T0 - 3600 * SECOND  # by the source's clock
    sieve(Batch.doubles([0], [behind], [1.0], received=T0))
    assert len(sieve.silent(T0 + 4 * SECOND)) == 0
    (row,) = sieve.silent(T0 + 6 * SECOND)
    assert row.time == behind + 6 * SECOND
    (fresh,) = sieve(Batch.doubles([0], [behind + 7 * SECOND], [2.0], received=T0 + 7 * SECOND))
    assert fresh.time > row.time
