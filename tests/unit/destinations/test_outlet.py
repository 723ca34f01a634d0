"""The feed: live first, backlog paced, nothing lost, nothing twice but what was out."""

import anyio
import pytest
from clocks import HandClock
from unit.destinations.field import OTHERS, STREAM, Book, memory_bus, outlet, running, signal

from weft.bus import MemoryBus, Stream
from weft.connect import LineState
from weft.destinations import Pace, reading
from weft.destinations.position import read_position
from weft.destinations.reading import MOST_OUT
from weft.model import Command, Kind
from weft.runtime import NeedsHuman

pytestmark = pytest.mark.anyio

OUTAGE = 60.0  # longer than a hiccup


async def wait_for(condition):
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110  # looks at what is public
            await anyio.sleep(0.002)


async def test_values_come_in_order_and_live_and_only_ours(tmp_path):
    async with memory_bus() as field:
        book = Book()
        async with running(outlet(field.bus, tmp_path, book)) as made:
            await wait_for(lambda: book.feed)
            await field.source.publish(5)
            await field.source.publish(3, handle=OTHERS)
            await field.source.publish(2, rows=4)
            await book.has(13)
            assert book.values == [0, 1, 2, 3, 4, *range(8, 16)]
            assert all(live for _, live, _ in book.got)
            await wait_for(lambda: made.status.waiting == 0)
            assert made.status.state is LineState.UP
            assert made.status.samples == 13


async def test_a_new_destination_begins_now_even_if_the_other_side_is_away(tmp_path):
    async with memory_bus() as field:
        await field.source.publish(3)
        book = Book(away=True)
        async with running(outlet(field.bus, tmp_path, book)):
            await wait_for(lambda: book.runs)
            await field.source.publish(3)
            book.away = False
            await book.has(3)
            assert book.values == [3, 4, 5]


async def test_or_with_the_oldest_there_is(tmp_path):
    async with memory_bus() as field:
        await field.source.publish(3)
        book = Book()
        async with running(outlet(field.bus, tmp_path, book, pace={"begin": "oldest"})):
            await book.has(3)
            assert [(value, live) for value, live, _ in book.got] == [(0, False), (1, False), (2, False)]


async def test_after_an_outage_live_goes_first_and_the_backlog_is_marked(tmp_path):
    clock = HandClock()
    async with memory_bus(clock=clock) as field:
        book = Book()
        made = outlet(field.bus, tmp_path, book, clock=clock, pace={"batch_rows": 10, "backlog_rate": 1e9})
        async with running(made):
            await field.source.publish(1)
            while made.status.samples < 1:
                await clock.advance(0.1)
        await field.source.publish(40)
        await clock.advance(OUTAGE)
        again = Book()
        pace = {"batch_rows": 10, "backlog_rate": 10.0}
        async with running(outlet(field.bus, tmp_path, again, clock=clock, pace=pace)):
            await wait_for(lambda: again.feed is not None and len(again.got) >= 10)
            await field.source.publish(5)  # 41 … 45, while most of the backlog waits
            while len(again.got) < 45:
                await clock.advance(0.1)
            assert sorted(again.values) == list(range(1, 46)), "each once"
            live = [value for value, live, _ in again.got if live]
            old = [value for value, live, _ in again.got if not live]
            assert live == list(range(41, 46))
            assert old == list(range(1, 41))
            assert again.values.index(41) < again.values.index(40), "live did not wait for the backlog"


async def test_a_short_outage_goes_on_in_order(tmp_path):
    async with memory_bus() as field:
        book = Book()
        async with running(outlet(field.bus, tmp_path, book)) as made:
            await field.source.publish(2)
            await wait_for(lambda: made.status.samples == 2)
        await field.source.publish(20)
        again = Book()
        async with running(outlet(field.bus, tmp_path, again)):
            await wait_for(lambda: again.feed)
            await field.source.publish(3)
            await again.has(23)
            assert again.values == list(range(2, 25))
            assert all(live for _, live, _ in again.got)


@pytest.mark.parametrize("outage", [0.0, OUTAGE])
async def test_what_was_out_at_a_crash_comes_again_under_the_same_ids(tmp_path, outage):
    clock = HandClock()
    async with memory_bus(clock=clock) as field:
        book = Book()
        book.settles = False
        async with running(outlet(field.bus, tmp_path, book, clock=clock, pace={"batch_rows": 4})):
            await wait_for(lambda: book.feed)
            await field.source.publish(10)
            while len(book.got) < 10:
                await clock.advance(0.1)
        ids = list(dict.fromkeys(id for _, _, id in book.got))
        assert len(ids) == 3
        await field.source.publish(5)
        await clock.advance(outage)
        again = Book()
        async with running(outlet(field.bus, tmp_path, again, clock=clock, pace={"batch_rows": 100})):
            while len(again.got) < 15:
                await clock.advance(0.1)
        assert again.values == list(range(15))
        assert list(dict.fromkeys(id for _, _, id in again.got))[:3] == ids
        assert [live for _, live, _ in again.got[:10]] == [not outage] * 10
        third = Book()
        async with running(outlet(field.bus, tmp_path, third, clock=clock)):
            await field.source.publish(1)
            while not third.got:
                await clock.advance(0.1)
        assert third.values == [15], "what is settled never comes again"


async def test_an_other_side_that_breaks_off_gets_the_rest_once(tmp_path):
    async with memory_bus() as field:
        book = Book()
        async with running(outlet(field.bus, tmp_path, book, pace={"batch_rows": 3})):
            book.breaks = 2
            await field.source.publish(30)
            await wait_for(lambda: book.runs >= 2)
            await book.has(30)
            book.breaks = 1
            await field.source.publish(10)
            await wait_for(lambda: book.runs >= 3)
            await book.has(40)
        assert book.values == list(range(40))


async def test_the_backlog_is_paced(tmp_path):
    async with memory_bus() as field:
        book = Book(away=True)
        pace = {"batch_rows": 50, "backlog_rate": 1_000.0, "begin": "oldest"}
        await field.source.publish(10, rows=50)
        begun = anyio.current_time()
        async with running(outlet(field.bus, tmp_path, book, pace=pace)):
            book.away = False
            await book.has(500)
        assert anyio.current_time() - begun >= 0.4, "500 samples at 1,000 per second"


async def test_lost_messages_are_told_with_their_number(tmp_path):
    clock = HandClock()
    small = Stream(name="samples", subjects=("uns.v1.>",), max_age=100.0)
    async with memory_bus(small, clock) as field:
        events = []
        book = Book()
        made = outlet(field.bus, tmp_path, book, stream=small, clock=clock, events=events)
        async with running(made):
            await field.source.publish(5)
            while made.status.samples < 5:
                await clock.advance(0.1)
        await field.source.publish(7)
        await clock.advance(200.0)
        await field.source.publish(3)
        again = Book()
        made = outlet(field.bus, tmp_path, again, stream=small, clock=clock, events=events)
        async with running(made):
            while len(again.got) < 3:
                await clock.advance(1.0)
            assert again.values == [12, 13, 14]
            gaps = [event for event in events if event.kind == Kind.DATA_GAP]
            assert [gap.data["messages"] for gap in gaps] == [7]
            assert gaps[0].data["samples_about"] == 7
            assert gaps[0].data["first"] < gaps[0].data["last"]
            assert gaps[0].data["destination"] == "book"
            assert made.status.lost == 7


async def test_a_stream_made_anew_is_read_from_its_beginning(tmp_path):
    async with memory_bus() as field:
        book = Book()
        async with running(outlet(field.bus, tmp_path, book)) as made:
            await field.source.publish(5)
            await wait_for(lambda: made.status.samples == 5)
            await made._cursor.look()
    events, fresh = [], MemoryBus()
    await fresh.declare(STREAM)
    await fresh.write_note("destination/book", (await field.bus.note("destination/book")).body)
    field.source.bus = fresh
    await field.source.publish(2)
    again = Book()
    async with running(outlet(fresh, tmp_path, again, events=events)):
        await again.has(2)
        assert again.values == [5, 6]
        assert [e.data["cause"] for e in events if e.kind == Kind.DATA_GAP] == ["the stream was made anew"]


async def test_positions_stay_small_after_many_outages(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_RANGES", 3)
    clock = HandClock()
    async with memory_bus(clock=clock) as field:
        got = []
        pace = {"batch_rows": 5, "backlog_rate": 1e-6}
        for _ in range(7):
            await field.source.publish(10)
            clock._now += int(OUTAGE * 1e9)
            clock._sleepers.clear()
            book = Book()
            async with running(outlet(field.bus, tmp_path, book, clock=clock, pace=pace)) as made:
                await wait_for(lambda book=book: book.feed is not None)
                before = field.source.count
                await field.source.publish(1)
                while before not in book.values or made._cursor._open:
                    await clock.advance(0.1)
                got += book.values
        position = await read_position(field.bus, "book")
        assert 2 <= len(position.ranges) <= 3
        last = Book()
        async with running(
            outlet(field.bus, tmp_path, last, clock=clock, pace={"backlog_rate": 1e9})
        ) as made:
            while made.status.waiting or not last.got:
                await clock.advance(0.2)
            got += last.values
        first = min(got)  # where the destination was new
        assert sorted(got) == list(range(first, field.source.count)), "each once"
        assert first == 10


async def test_other_signals_are_followed_without_a_new_run(tmp_path):
    async with memory_bus() as field:
        book = Book()
        async with running(outlet(field.bus, tmp_path, book)) as made:
            await wait_for(lambda: book.feed)
            seen = book.feed.signals
            done = anyio.Event()

            async def follow():
                await book.feed.changed(seen)
                done.set()

            async with anyio.create_task_group() as group:
                group.start_soon(follow)
                await anyio.wait_all_tasks_blocked()
                made.update([signal(OTHERS)], {})
                with anyio.fail_after(5):
                    await done.wait()
            await field.source.publish(2)
            await field.source.publish(2, handle=OTHERS)
            await book.has(2)
            assert book.values == [2, 3]
            assert book.runs == 1


async def test_no_more_is_out_than_can_be_remembered(tmp_path):
    async with memory_bus() as field:
        book = Book()
        book.settles = False
        async with running(outlet(field.bus, tmp_path, book, pace={"batch_rows": 1})):
            await wait_for(lambda: book.feed)
            await field.source.publish(MOST_OUT + 20)
            await book.has(MOST_OUT)
            await anyio.wait_all_tasks_blocked()
            assert len(book.got) == MOST_OUT


async def test_a_take_that_is_given_up_loses_nothing(tmp_path):
    class Impatient(Book):
        async def run(self, feed):
            self.feed = feed
            while True:
                with anyio.move_on_after(0.001):
                    delivery = await feed.take()
                    self.got += [(int(row.value), delivery.live, delivery.id) for row in delivery.batch]
                    with anyio.CancelScope(shield=True):
                        await feed.settle(delivery)

    async with memory_bus() as field:
        book = Impatient()
        async with running(outlet(field.bus, tmp_path, book, pace={"batch_rows": 3, "begin": "oldest"})):
            for _ in range(40):
                await field.source.publish(1)
                await anyio.sleep(0.001)
            await wait_for(lambda: len(book.got) >= 40)
            assert sorted(book.values) == list(range(40))


async def test_states_are_told_and_a_person_is_not_hurried(tmp_path):
    class Refused(Book):
        async def run(self, feed):
            raise NeedsHuman("The password is wrong.", remedy="Set another.")

    async with memory_bus() as field:
        events = []
        async with running(outlet(field.bus, tmp_path, Refused(), events=events)) as made:
            await wait_for(lambda: made.status.state is LineState.NEEDS_HUMAN)
            assert made.status.reason == "The password is wrong. Set another."
            assert made.status.next_retry - made.clock.now() > 5e9
        states = [event.data["state"] for event in events if event.kind == Kind.DESTINATION_STATE]
        assert states == ["connecting", "needs human", "stopped"]


async def test_without_a_way_a_command_is_answered_so(tmp_path):
    async with memory_bus() as field:
        made = outlet(field.bus, tmp_path, Book())
        answer = await made.command(Command(signal="a/b", value=1, actor="x", via="test"))
        assert (answer.status, answer.reason) == (0x803D0000, "This plant carries out no commands.")


async def test_memory_is_kept(tmp_path):
    async with memory_bus() as field:
        made = outlet(field.bus, tmp_path, Book())
        assert made.recall() == {}
        made.remember({"bdSeq": 7})
        assert outlet(field.bus, tmp_path, Book()).recall() == {"bdSeq": 7}
        for damaged in (b"\xc1", b"\x81\xa1\xff\x01", b""):
            (tmp_path / "memory.msgpack").write_bytes(damaged)
            assert made.recall() == {}


def test_the_pace_is_what_the_page_says():
    assert Pace().backlog_rate == 50_000
