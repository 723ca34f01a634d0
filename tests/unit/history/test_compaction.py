"""Which segments are merged."""

from hypothesis import given
from hypothesis import strategies as st

from weft.history.compaction import MOST_ROWS, choose
from weft.history.segment import Segment

DAY = 86_400_000_000_000
TODAY = 20_000 * DAY


def segments(*sizes, sealed=TODAY):
    return [
        Segment(
            file=str(i), number=i, first_number=i, after=i - 1, sequence=i, rows=rows, late=0, first_time=0,
            last_time=0, first_signal=0, last_signal=0, sealed=sealed, size=rows * 7,
        )
        for i, rows in enumerate(sizes, 1)
    ]  # fmt: skip


def numbers(chosen):
    return [segment.number for segment in chosen]


def test_eight_small_neighbours_are_merged_and_seven_are_not():
    assert choose(segments(*[100] * 7), TODAY) == []
    assert numbers(choose(segments(*[100] * 8), TODAY)) == [*range(1, 9)]


def test_a_large_one_parts_the_small_ones():
    assert choose(segments(*[100] * 5, 1_000_000, *[100] * 5), TODAY) == []
    found = choose(segments(*[100] * 5, 1_000_000, *[100] * 9), TODAY)
    assert numbers(found) == [*range(7, 16)]


def test_yesterdays_are_merged_two_by_two_but_never_across_days():
    yesterday, today = segments(100, 900_000, sealed=TODAY - 1), segments(*[100] * 7)
    renumbered = [
        *yesterday,
        *(
            Segment(**{**{n: getattr(s, n) for n in s.__struct_fields__}, "number": s.number + 2})
            for s in today
        ),
    ]
    assert numbers(choose(renumbered, TODAY)) == [1, 2]


@given(st.lists(st.integers(1, 3_000_000), max_size=60), st.booleans())
def test_choosing_and_merging_ends_and_never_makes_too_large_ones(sizes, over):
    now = TODAY + (DAY if over else 0)
    present = segments(*sizes)
    for _ in range(len(sizes) + 1):
        run = choose(present, now)
        if not run:
            break
        at = present.index(run[0])
        assert present[at : at + len(run)] == run, "only neighbours"
        merged = segments(sum(segment.rows for segment in run))[0]
        assert merged.rows <= MOST_ROWS
        present[at : at + len(run)] = [merged]
    assert choose(present, now) == []
