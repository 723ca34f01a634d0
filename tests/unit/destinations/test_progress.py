"""Settled ranges against a plain set of numbers."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from weft.destinations.progress import Progress, Range

RANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 12)), max_size=30)


@given(RANGES, st.integers(0, 80))
def test_it_is_the_set_of_what_was_settled(pairs, upto):
    progress, settled = Progress(), set()
    for first, length in pairs:
        progress.settle(first, first + length - 1)
        settled |= set(range(first, first + length))
    ranges = progress.ranges
    assert {n for r in ranges for n in range(r.first, r.last + 1)} == settled
    assert all(a.last + 1 < b.first for a, b in itertools.pairwise(ranges)), "apart and in order"
    holes = list(progress.holes(upto))
    open_ones = {n for n in range(1, upto + 1) if n not in settled}
    assert {n for h in holes for n in range(h.first, h.last + 1)} == open_ones
    assert progress.waiting(upto) == len(open_ones)
    assert progress.highest == max(settled, default=0)
    cursor = progress.cursor
    assert set(range(1, cursor + 1)) <= settled
    assert cursor + 1 not in settled
    assert Progress(ranges).ranges == ranges


def test_order_of_settling_does_not_matter():
    progress = Progress()
    for first, last in ((7, 9), (1, 3), (4, 6)):
        progress.settle(first, last)
    assert progress.ranges == [Range(1, 9)]
