"""What an outage has cost at another side that keeps nothing: from the newest sample before it to the next one."""

import anyio
import pytest
from clocks import HandClock

from weft.connect import Line, Point
from weft.connect.outage import Outage
from weft.model import Batch, Flag, Kind, quality
from weft.runtime import Retry

pytestmark = pytest.mark.anyio


def good(*times):
    return Batch.doubles([1] * len(times), times, [1.0] * len(times))


def test_an_outage_lasts_from_the_newest_before_to_the_first_after_it():
    outage = Outage()
    assert outage.heard(good(10, 20)) is None
    outage.begin("connection reset")
    outage.begin("no route to host")
    assert outage.heard(good(35, 30)) == (20, 30, "connection reset")
    assert outage.heard(good(40)) is None


def test_what_weft_writes_itself_ends_nothing():
    outage = Outage()
    outage.heard(good(10))
    outage.begin("cut")
    bad = Batch.of([(1, 15, None, 0, quality.BAD_NO_COMMUNICATION, Flag.SYNTHETIC)])
    assert outage.heard(bad) is None
    assert outage.heard(good(20)) == (10, 20, "cut")


def test_a_start_with_something_kept_is_the_end_of_an_outage_and_the_very_first_one_is_not():
    outage = Outage()
    outage.learn(Batch.empty())
    assert outage.heard(good(5)) is None
    outage = Outage()
    outage.learn(good(3, 4))
    assert outage.heard(good(9)) == (4, 9, "Weft was not running")


def test_a_clock_that_went_back_makes_no_gap_that_ends_before_it_begins():
    outage = Outage()
    outage.heard(good(100))
    outage.begin("cut")
    assert outage.heard(good(50)) == (100, 100, "cut")


class Polled:
    forgets = True

    async def run(self, link):
        link.up()
        link.emit(good(link.clock.now()))
        await link.clock.sleep(1)
        raise Retry("connection reset")


class Keeping(Polled):
    forgets = False


@pytest.mark.parametrize(("connector", "gaps"), [(Polled(), 1), (Keeping(), 0)])
async def test_a_line_tells_what_its_device_forgets(connector, gaps):
    clock, events = HandClock(), []
    line = Line(
        "meter", connector, [Point(1, "a/x", None)], clock=clock, forward=lambda *_: None, tell=events.append
    )
    async with anyio.create_task_group() as group:
        group.start_soon(line.run)
        begun = clock.now()
        await clock.advance(1)
        await clock.advance(1)
        group.cancel_scope.cancel()
    told = [event for event in events if event.kind == Kind.DATA_GAP]
    assert len(told) == gaps
    if told:
        assert told[0].data["first"] == begun
        assert begun + 10**9 < told[0].data["last"] <= begun + 2 * 10**9
        assert told[0].data["cause"] == "connection reset"
