"""A line: states in plain words, bad quality when it is down, changes without reconnecting."""

import anyio
import pytest
from clocks import HandClock

from weft.connect import Line, LineState, Point
from weft.model import Batch, Flag, Kind, quality
from weft.runtime import NeedsHuman, Retry

pytestmark = pytest.mark.anyio

POINTS = [Point(0, "a/x", None), Point(1, "a/y", None)]


class Scripted:
    """Does what each attempt's script says."""

    def __init__(self, *scripts):
        self.scripts = list(scripts)
        self.attempts = 0
        self.link = None

    async def run(self, link):
        self.link = link
        script = self.scripts[min(self.attempts, len(self.scripts) - 1)]
        self.attempts += 1
        await script(link)


async def works(link):
    link.up("ok")
    link.emit(Batch.doubles([0], [link.clock.now()], [1.0]))
    await anyio.sleep_forever()


async def away(link):
    raise Retry("no route to host")


async def refused_by_a_person(link):
    raise NeedsHuman("wrong password", remedy="Set it.")


async def drops(link):
    link.up()
    link.emit(Batch.doubles([0], [link.clock.now()], [1.0]))
    raise Retry("connection reset")


class Bench:
    def __init__(self, *scripts):
        self.clock = HandClock()
        self.batches, self.events = [], []
        self.connector = Scripted(*scripts)
        self.line = Line(
            "mill",
            self.connector,
            POINTS,
            clock=self.clock,
            forward=lambda batch, stored: self.batches.append(batch),
            tell=self.events.append,
        )

    async def __aenter__(self):
        self.group = anyio.create_task_group()
        await self.group.__aenter__()
        self.group.start_soon(self.line.run)
        await anyio.wait_all_tasks_blocked()
        return self

    async def __aexit__(self, *_):
        self.group.cancel_scope.cancel()
        # Not returned: a cancelled group says True, and that would swallow a failed assertion.
        await self.group.__aexit__(None, None, None)


async def test_up_and_data():
    async with Bench(works) as bench:
        status = bench.line.status
        assert (status.state, status.detail, status.samples) == (LineState.UP, "ok", 1)
        (batch,) = bench.batches
        assert batch.source == "mill"
        assert batch.received == bench.clock.now()


async def test_sequences_rise_by_one_and_never_repeat_after_a_restart():
    async with Bench(drops) as bench:
        await bench.clock.advance(10)
    sequences = [batch.sequence for batch in bench.batches]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    later = Line(
        "mill",
        None,
        POINTS,
        clock=bench.clock,
        forward=lambda batch, stored: bench.batches.append(batch),
        tell=print,
    )
    later.emit(Batch.doubles([0], [0], [0.0]))
    assert bench.batches[-1].sequence > sequences[-1]


async def test_a_lost_line_says_so_for_every_signal_and_comes_back():
    async with Bench(drops, works) as bench:
        assert bench.line.status.state is LineState.DOWN
        assert bench.line.status.reason == "connection reset"
        assert bench.line.status.next_retry > bench.clock.now()
        lost = bench.batches[1]
        assert [row.signal for row in lost] == [0, 1]
        assert all(row.status == quality.BAD_NO_COMMUNICATION for row in lost)
        assert all(row.flags & Flag.SYNTHETIC for row in lost)
        await bench.clock.advance(1.1)
        assert bench.line.status.state is LineState.UP
    states = [e.data["state"] for e in bench.events if e.kind == Kind.CONNECTION_STATE]
    assert states == ["connecting", "up", "down", "up", "stopped"]


async def test_retries_stay_short_however_long_the_outage():
    async with Bench(away) as bench:
        await bench.clock.advance(60)
        assert bench.connector.attempts >= 60
        reports = [e for e in bench.events if e.data.get("state") == "down"]
        assert len(reports) == 1
        assert len(bench.batches) == 1
        assert all(row.status == quality.BAD_NOT_CONNECTED for row in bench.batches[0])


async def test_what_needs_a_person_is_said_and_retried_slowly():
    async with Bench(refused_by_a_person) as bench:
        await bench.clock.advance(60)
        assert bench.line.status.state is LineState.NEEDS_HUMAN
        assert bench.line.status.reason == "wrong password Set it."
        assert 4 <= bench.connector.attempts <= 8


async def test_a_refused_signal_is_told_once_and_the_rest_goes_on():
    async def refuses(link):
        link.up()
        for _ in range(3):
            link.refuse(link.points[1], quality.BAD_NODE_ID_UNKNOWN, "no such node")
        link.emit(Batch.doubles([0], [link.clock.now()], [1.0]))
        await anyio.sleep_forever()

    async with Bench(refuses) as bench:
        assert bench.line.status.refused == {"a/y": "no such node"}
        bad, good = bench.batches
        assert [(r.signal, r.status) for r in bad] == [(1, quality.BAD_NODE_ID_UNKNOWN)]
        assert good[0].value == 1.0
        assert sum(e.kind == Kind.SIGNAL_REFUSED for e in bench.events) == 1


async def test_a_refused_signal_that_delivers_again_is_refused_no_longer():
    async def recovers(link):
        link.up()
        link.refuse(link.points[1], quality.BAD_NODE_ID_UNKNOWN, "no such node")
        link.emit(Batch.of([(1, link.clock.now(), None, 0, quality.BAD_NODE_ID_UNKNOWN)]))
        seen.append(dict(bench.line.status.refused))
        link.emit(Batch.doubles([1], [link.clock.now()], [1.0]))
        await anyio.sleep_forever()

    seen = []
    bench = Bench(recovers)
    async with bench:
        assert seen == [{"a/y": "no such node"}]
        assert bench.line.status.refused == {}


async def test_a_refused_signal_is_refused_again_after_an_outage():
    async def refuses_and_drops(link):
        link.up()
        link.refuse(link.points[1], quality.BAD_NODE_ID_UNKNOWN, "no such node")
        raise Retry("connection reset")

    async def refuses(link):
        link.up()
        link.refuse(link.points[1], quality.BAD_NODE_ID_UNKNOWN, "no such node")
        await anyio.sleep_forever()

    async with Bench(refuses_and_drops, refuses) as bench:
        await bench.clock.advance(1.1)
        newest = [row for batch in bench.batches for row in batch if row.signal == 1][-1]
        assert newest.status == quality.BAD_NODE_ID_UNKNOWN
    assert sum(e.kind == Kind.SIGNAL_REFUSED for e in bench.events) == 1


async def test_a_refusal_does_not_outlive_its_address():
    async def refuses_old_addresses(link):
        link.up()
        while True:
            points = link.points
            for point in points:
                if point.address == "old":
                    link.refuse(point, quality.BAD_NODE_ID_UNKNOWN, "no such node")
            await link.changed(points)

    bench = Bench(refuses_old_addresses)
    bench.line.update([Point(0, "a/x", "old"), Point(1, "a/y", "old")])
    async with bench:
        assert set(bench.line.status.refused) == {"a/x", "a/y"}
        bench.line.update([Point(0, "a/x", "new"), Point(1, "a/y", "old")])
        await anyio.wait_all_tasks_blocked()
        assert set(bench.line.status.refused) == {"a/y"}


async def test_what_came_before_the_line_was_called_up_does_not_stay_good():
    async def delivers_and_drops(link):
        link.emit(
            Batch.doubles([0], [link.clock.now()], [2.0])
        )  # a kept session delivers before anything else
        raise Retry("connection reset")

    async with Bench(away, delivers_and_drops, away) as bench:
        await bench.clock.advance(10)
        assert bench.connector.attempts > 2
        rows = [row for batch in bench.batches for row in batch if row.signal == 0]
    assert [row.value for row in rows] == [None, 2.0, None]  # and bad only once, however long it stays away
    assert rows[-1].status == quality.BAD_NO_COMMUNICATION


async def test_bad_follows_the_newest_sample_of_a_clock_that_is_ahead():
    second = 1_000_000_000

    async def ahead(link):
        link.up()
        times = [link.clock.now() + 3 * second, link.clock.now() - 3 * second]
        link.emit(Batch.doubles([0, 1], times, [1.0, 1.0]))
        raise Retry("connection reset")

    async with Bench(ahead) as bench:
        good, lost = bench.batches
        assert [row.time for row in lost] == [good[0].time + 1, bench.clock.now()]


async def test_what_a_connector_calls_bad_by_our_clock_follows_too():
    async def ahead(link):
        link.up()
        now = link.clock.now()
        link.emit(Batch.doubles([0], [now + 5], [1.0]))
        link.emit(Batch.of([(0, now, None, 0, quality.BAD_NO_COMMUNICATION, Flag.RECEIVE_TIME)]))
        link.emit(
            Batch.of([(0, now + 1, 2.0, 11, quality.UNCERTAIN)])
        )  # by its own clock: late, and stays so
        raise Retry("connection reset")

    async with Bench(ahead) as bench:
        now = bench.clock.now()
        times = [row.time for batch in bench.batches for row in batch if row.signal == 0]
        assert times == [now + 5, now + 6, now + 1, now + 7]


async def test_an_impossible_time_does_not_carry_the_others_along():
    async def impossible(link):
        link.up()
        link.emit(Batch.doubles([0, 1], [2**62, link.clock.now() + 5], [1.0, 1.0]))
        raise Retry("connection reset")

    async with Bench(impossible) as bench:
        _, lost = bench.batches
        assert [row.time for row in lost] == [bench.clock.now(), bench.clock.now() + 6]


async def test_points_change_under_a_running_connector():
    seen = []

    async def follows(link):
        link.up()
        while True:
            points = link.points
            seen.append([point.path for point in points])
            await link.changed(points)

    async with Bench(follows) as bench:
        bench.line.update(list(POINTS))
        await anyio.wait_all_tasks_blocked()
        bench.line.update([*POINTS, Point(2, "a/z", None)])
        await anyio.wait_all_tasks_blocked()
        assert bench.connector.attempts == 1
    assert seen == [["a/x", "a/y"], ["a/x", "a/y", "a/z"]]


async def test_stopping_leaves_nothing_that_looks_live():
    async with Bench(works) as bench:
        pass
    assert bench.line.status.state is LineState.STOPPED
    assert [row.status for row in bench.batches[-1]] == [quality.BAD_NOT_CONNECTED] * 2


async def test_a_fault_of_the_connectors_own_reaches_the_supervisor():
    async def broken(link):
        link.up()
        raise ZeroDivisionError

    bench = Bench(broken)
    with pytest.raises(ZeroDivisionError):
        await bench.line.run()
    assert bench.line.status.state is LineState.STOPPED


@pytest.mark.parametrize("damaged", [b"", b"\xc1", b"\x81\xa1\xff\x01", b"\x81\xa1a\xa1\xff", b"\x93\x01"])
def test_a_damaged_memory_is_none(tmp_path, damaged):
    memory = tmp_path / "lines" / "mill.msgpack"
    line = Line(
        "mill",
        Scripted(works),
        POINTS,
        clock=HandClock(),
        forward=lambda batch, stored: None,
        tell=lambda event: None,
        memory=memory,
    )
    line.remember({"a": "b"})
    assert (line.recall(), memory.stat().st_mode & 0o777) == ({"a": "b"}, 0o600)
    memory.write_bytes(damaged)
    assert line.recall() == {}
