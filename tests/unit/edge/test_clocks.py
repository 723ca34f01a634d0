"""Clocks: a source's beside ours, our own that jumps, and the host's."""

from __future__ import annotations

import anyio
import pytest
from clocks import HandClock

from weft.edge import hostclock
from weft.edge.clocks import Clocks
from weft.edge.hostclock import HostClock
from weft.model import Batch, Flag

pytestmark = pytest.mark.anyio

SECOND = 10**9
HANDLES = {
    "mill/clock-drift": 7,
    "host/clock-offset": 8,
    "host/clock-error": 9,
    "host/clock-synchronized": 10,
}


class JumpingClock(HandClock):
    """Its wall time can be set, its steady time goes on."""

    jump = 0

    def now(self):
        return super().now() + self.jump


@pytest.fixture
def hall():
    class Hall:
        clock = JumpingClock()
        published, told = [], []

    Hall.published, Hall.told, Hall.clock = [], [], JumpingClock()
    Hall.clocks = Clocks(
        clock=Hall.clock,
        limit=5.0,
        handles=lambda: HANDLES,
        publish=Hall.published.append,
        tell=Hall.told.append,
        host=lambda: HostClock(synchronized=True, offset=-1.5, error=0.25),
    )
    return Hall


def note(hall, lag, flags=0, source="mill", n=1):
    now = hall.clock.now()
    for _ in range(n):
        rows = [
            (1, now - round(lag * SECOND) - 9 * SECOND, 1.0, 11),
            (1, now - round(lag * SECOND), 1.0, 11, 0, flags),
        ]
        hall.clocks.note(Batch.of(rows[1:] if flags else rows, source=source, received=now))


def values(batch):
    return {row.signal: row.value for row in batch}


def test_the_median_of_the_newest_samples_is_the_drift(hall):
    note(hall, 0.2, n=10)
    note(hall, 30.0, n=3)  # outliers
    hall.clocks.measure()
    (batch,) = hall.published
    assert values(batch) == {7: pytest.approx(200.0), 8: -1.5, 9: 0.25, 10: True}
    assert batch.source == "health"


@pytest.mark.parametrize("flag", [Flag.HISTORY, Flag.RECEIVE_TIME, Flag.FIRST, Flag.SYNTHETIC, Flag.LATE])
def test_what_says_nothing_of_the_clock_does_not_count(hall, flag):
    note(hall, 100.0, flags=int(flag), n=9)
    note(hall, 0.0, source="derived", n=9)
    hall.clocks.measure()
    assert 7 not in values(hall.published[0])


def test_a_clock_that_goes_wrong_is_told_once_and_that_it_is_right_again(hall):
    note(hall, -8.0, n=9)
    hall.clocks.measure()
    hall.clocks.measure()
    note(hall, 0.0, n=300)
    hall.clocks.measure()
    said = [(e.source, e.data["state"], round(e.data["seconds"])) for e in hall.told]
    assert said == [("mill", "suspect", -8), ("mill", "normal", 0)]


async def test_a_jump_of_our_own_clock_is_told(hall):
    async with anyio.create_task_group() as group:
        group.start_soon(hall.clocks.run, lambda: None)
        note(hall, 0.0, n=9)
        await hall.clock.advance(3)
        assert hall.told == []
        hall.clock.jump = -60 * SECOND
        await hall.clock.advance(8)
        group.cancel_scope.cancel()
    ((source, data),) = [(e.source, e.data) for e in hall.told]
    assert (source, data["state"], data["seconds"]) == ("host", "jumped", pytest.approx(-60.0))
    assert 7 not in values(hall.published[-1])  # what was measured by the clock of before is void


def test_the_kernel_is_asked_and_answers_or_not():
    found = hostclock.read()
    assert found is None or (found.error >= 0 and isinstance(found.synchronized, bool))
