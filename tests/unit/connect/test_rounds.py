"""Rounds of connectors that poll: rests that other points cut short, and what is refused for a minute."""

import anyio
import pytest
from clocks import HandClock

from weft.connect import Point, Recorder
from weft.connect.rounds import Refusals, Rounds
from weft.model.quality import BAD_NODE_ID_UNKNOWN
from weft.runtime import Retry

pytestmark = pytest.mark.anyio
POINTS = tuple(Point(n, f"e/s/m/{n}", None, 0) for n in range(3))


class Reading:
    def __init__(self, points):
        self.points = points
        self.refused = {}
        self.wanted = range(len(points))

    def plan(self, wanted):
        self.wanted = wanted


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def link(clock):
    return Recorder(POINTS, clock=clock)


async def test_beats_count_from_the_first_and_other_points_are_read_at_once(link, clock):
    rounds, read = Rounds(link, 2.0), []

    async def turn():
        while True:
            read.append((clock.monotonic(), len(link.points)))
            await rounds.rest(link.points)

    async with anyio.create_task_group() as group:
        group.start_soon(rounds.run, turn)
        await clock.advance(5)
        link.update(POINTS[:1])
        await clock.advance(2)
        group.cancel_scope.cancel()
    assert read == [(0, 3), (2, 3), (4, 3), (5, 1), (6, 1)]


async def test_points_that_came_while_reading_are_not_rested_upon(link, clock):
    rounds, read = Rounds(link, 2.0), []

    async def turn():
        while True:
            points = link.points
            read.append(len(points))
            if len(read) == 1:
                link.update(POINTS[:2])
            await rounds.rest(points)

    async with anyio.create_task_group() as group:
        group.start_soon(rounds.run, turn)
        await clock.advance(1)
        group.cancel_scope.cancel()
    assert read == [3, 2]


async def test_a_lost_line_is_told_as_itself_not_as_a_group(link):
    async def turn():
        raise Retry("gone")

    with pytest.raises(Retry, match="gone"):
        await Rounds(link, 1.0).run(turn)


async def test_what_is_refused_is_told_left_out_and_asked_for_again_after_a_minute(link, clock):
    refusals, reading = Refusals(link), Reading(POINTS)
    reading.refused = {1: (BAD_NODE_ID_UNKNOWN, "no such block")}
    refusals.learn(reading)
    assert link.refused == {"e/s/m/1": (BAD_NODE_ID_UNKNOWN, "no such block")}
    assert (reading.wanted, reading.refused) == ([0, 2], {})
    await clock.advance(59)
    refusals.ask_again(reading)
    assert (refusals.due(), reading.wanted) == ([], [0, 2])
    await clock.advance(1)
    assert refusals.due() == [1]
    refusals.ask_again(reading)
    assert (refusals.due(), reading.wanted) == ([], [0, 1, 2])
