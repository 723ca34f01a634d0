"""What every bus must do: one body, run on the memory bus here and on NATS in tests/servers/bus.

``bus`` is the back-end under test. ``peer`` is another process at the same bus (for the memory bus the same).
"""

import anyio
import numpy as np
import pytest

from weft.bus import LIVE, NEW, Ack, Draft, Stream, after, since
from weft.model import Batch, Event, ValueType
from weft.runtime import Conflict, Invalid, NotFound, Retry

pytestmark = pytest.mark.anyio

SAMPLES = Stream(name="samples", subjects=("uns.v1.>",), max_bytes=64 << 20)
EVENTS = Stream(name="events", subjects=("events.v1.>", "audit.*"), max_bytes=64 << 20)


def drafts(start, stop, subject="uns.v1.a"):
    return [Draft(subject, b"%d" % i, f"id-{subject}-{i}") for i in range(start, stop)]


async def read(subscription, count, most=7):
    """Exactly ``count`` messages, or the test's time is over."""
    found = []
    with anyio.fail_after(10):
        while len(found) < count:
            found += await subscription.next(min(most, count - len(found)))
    return found


async def nothing_more(subscription):
    with anyio.move_on_after(0.1):
        raise AssertionError(await subscription.next())


def bodies(messages):
    return [message.body for message in messages]


async def test_live_subscriber_gets_the_very_object_in_order(bus):
    batch = Batch.doubles([1, 2], [10, 20], [0.5, 1.5])
    async with bus.subscribe("live.>") as subscription:
        await bus.publish(Draft("live.a", batch), Draft("live.b", b"raw"))
        await bus.publish(Draft("live.c", b"last", "the-id"))
        first, second, third = await read(subscription, 3)
        assert first.body is batch
        assert (first.subject, first.sequence) == ("live.a", 0)
        assert (second.body, third.body, third.id) == (b"raw", b"last", "the-id")
        assert third.time > 0
        await nothing_more(subscription)


async def test_live_subscriber_gets_the_very_object_of_a_stored_message_once(bus):
    await bus.declare(SAMPLES)
    batch = Batch.doubles([1], [10], [0.5])
    async with bus.subscribe("uns.v1.*") as subscription:
        await bus.publish(Draft("uns.v1.a", batch, "1"))
        await bus.publish(Draft("uns.v1.a", batch, "1"))
        await bus.publish(Draft("uns.v1.a", b"2", "2"))
        first, second = await read(subscription, 2)
        assert first.body is batch
        assert second.body == b"2"
        await nothing_more(subscription)


async def test_live_begins_now(bus):
    await bus.publish(Draft("live.a", b"before"))
    async with bus.subscribe("live.a", start=LIVE) as subscription:
        await bus.publish(Draft("live.a", b"after"))
        assert bodies(await read(subscription, 1)) == [b"after"]


async def test_other_process_gets_an_equal_message(bus, peer):
    await bus.declare(SAMPLES)
    batch = Batch.of([(1, 10, "000123", ValueType.STRING), (2, 11, -12, ValueType.INT32)], source="mill")
    event = Event(kind="weft.data.gap", source="mill", time=1, recorded=2, data={"a": [1]})
    async with peer.subscribe("uns.v1.>") as live, peer.subscribe("uns.v1.>", start=after(0)) as stored:
        await bus.publish(Draft("uns.v1.a", batch, "1"), Draft("uns.v1.b", event, "2"))
        for subscription in (live, stored):
            one, two = await read(subscription, 2)
            assert (one.body, two.body) == (batch, event)
            assert (one.id, two.id) == ("1", "2")


async def test_slow_live_subscriber_loses_the_oldest_and_counts(bus):
    async with bus.subscribe("live.a") as subscription:
        for i in range(40):
            await bus.publish(Draft("live.a", b"%d" % i))
        assert subscription.dropped == 24  # the fixtures' limit is 16
        assert bodies(await read(subscription, 16)) == [b"%d" % i for i in range(24, 40)]


@pytest.mark.parametrize(
    ("pattern", "hits"),
    [
        ("t.>", {"t.a", "t.b", "t.a.b", "t.a.c"}),
        ("t.*", {"t.a", "t.b"}),
        ("t.*.b", {"t.a.b"}),
        ("t.a.>", {"t.a.b", "t.a.c"}),
        ("t.a", {"t.a"}),
        ("*.a", {"t.a"}),
    ],
)
async def test_wildcards(bus, peer, pattern, hits):
    await bus.declare(Stream(name="t", subjects=("t.>",), max_bytes=1 << 20))
    subjects = ["t.a", "t.b", "t.a.b", "t.a.c"]
    async with bus.subscribe(pattern) as near, peer.subscribe(pattern) as far:
        await bus.publish(*(Draft(subject, subject.encode(), subject) for subject in subjects))
        expected = [subject for subject in subjects if subject in hits]
        for subscription in (near, far):
            assert [m.subject for m in await read(subscription, len(expected))] == expected
    if pattern.startswith("t."):
        async with bus.subscribe(pattern, start=after(0)) as stored:
            assert [m.subject for m in await read(stored, len(expected))] == expected
            await nothing_more(stored)


async def test_stored_messages_in_order_from_everywhere(bus):
    await bus.declare(SAMPLES)
    ack = await bus.publish(*drafts(0, 10))
    assert (ack.sequence, ack.duplicate) == (10, False)
    single = await bus.publish(*drafts(10, 11))
    assert single.sequence == 11
    async with bus.subscribe("uns.v1.>", start=after(0)) as all_of_it:
        found = await read(all_of_it, 11)
        assert [m.sequence for m in found] == list(range(1, 12))
        assert bodies(found) == [b"%d" % i for i in range(11)]
        assert [m.id for m in found] == [f"id-uns.v1.a-{i}" for i in range(11)]
        times = [m.time for m in found]
        assert times == sorted(times)
        await bus.publish(*drafts(11, 13))
        assert bodies(await read(all_of_it, 2)) == [b"11", b"12"]
    async with bus.subscribe("uns.v1.a", start=after(4)) as later:
        assert (await read(later, 1))[0].sequence == 5
    async with bus.subscribe("uns.v1.a", start=since(found[10].time)) as timed:
        assert (await read(timed, 3))[0].sequence == 11
    async with bus.subscribe("uns.v1.a", start=NEW) as new:
        await bus.publish(*drafts(13, 14))
        assert bodies(await read(new, 1)) == [b"13"]


async def test_more_than_one_pull(bus):
    await bus.declare(SAMPLES)
    for part in range(3):
        await bus.publish(*drafts(part * 400, part * 400 + 400))
    async with bus.subscribe("uns.v1.>", start=after(0)) as subscription:
        found = await read(subscription, 1200, most=1000)
        assert [m.sequence for m in found] == list(range(1, 1201))


async def test_a_cancelled_wait_loses_nothing(bus):
    await bus.declare(SAMPLES)
    async with bus.subscribe("uns.v1.>", start=after(0)) as subscription:
        found = []
        for i in range(20):
            with anyio.move_on_after(0.003):
                found += await subscription.next()
            await bus.publish(*drafts(i, i + 1))
        found += await read(subscription, 20 - len(found))
        assert [m.sequence for m in found] == list(range(1, 21))


async def test_durable_resumes_after_what_it_acknowledged(bus):
    await bus.declare(SAMPLES)
    await bus.publish(*drafts(0, 6))
    async with bus.subscribe("uns.v1.>", start=after(2), durable="historian") as first:
        found = await read(first, 4)
        assert found[0].sequence == 3
        await first.ack(found[2])
        await first.ack(found[0])  # an older one takes nothing back
    async with bus.subscribe("uns.v1.>", start=after(0), durable="historian") as second:
        assert (await read(second, 1))[0].sequence == 6
        with pytest.raises(Conflict):
            async with bus.subscribe("uns.v1.>", durable="historian"):
                pass
    async with bus.subscribe("uns.v1.>", start=after(0), durable="other one/ü") as other:
        assert (await read(other, 1))[0].sequence == 1


async def test_durable_remembers_its_first_start(bus):
    await bus.declare(SAMPLES)
    await bus.publish(*drafts(0, 2))
    async with bus.subscribe("uns.v1.>", start=NEW, durable="d"):
        pass
    await bus.publish(*drafts(2, 4))
    async with bus.subscribe("uns.v1.>", start=NEW, durable="d") as again:
        assert bodies(await read(again, 2)) == [b"2", b"3"]


async def test_only_durable_subscriptions_acknowledge(bus):
    await bus.declare(SAMPLES)
    await bus.publish(*drafts(0, 1))
    async with bus.subscribe("uns.v1.>", start=after(0)) as stored, bus.subscribe("uns.v1.>") as live:
        message = (await read(stored, 1))[0]
        for subscription in (stored, live):
            with pytest.raises(Invalid):
                await subscription.ack(message)


async def test_ids_are_stored_once(bus):
    await bus.declare(SAMPLES)
    assert await bus.publish(*drafts(0, 3)) == Ack(3)
    assert await bus.publish(*drafts(0, 3)) == Ack(3, duplicate=True)
    assert await bus.publish(*drafts(1, 2)) == Ack(2, duplicate=True)
    assert await bus.publish(*drafts(2, 5)) == Ack(5)
    assert await bus.publish(Draft("uns.v1.a", b"x", "same"), Draft("uns.v1.a", b"x", "same")) == Ack(6)
    async with bus.subscribe("uns.v1.>", start=after(0)) as subscription:
        assert bodies(await read(subscription, 6)) == [b"0", b"1", b"2", b"3", b"4", b"x"]
        await nothing_more(subscription)


async def test_messages_without_ids_are_all_stored(bus):
    await bus.declare(SAMPLES)
    for _ in range(2):
        await bus.publish(Draft("uns.v1.a", b"x"), Draft("uns.v1.a", b"x"))
    assert (await bus.streams())[0].messages == 4


async def test_all_of_one_publish_or_nothing(bus):
    await bus.declare(SAMPLES)
    await bus.declare(EVENTS)
    too_many = [Draft("uns.v1.a", b"", f"{i}") for i in range(1001)]
    for wrong in (
        [Draft("uns.v1.a", b"1"), Draft("events.v1.b", b"2")],  # two streams
        [Draft("uns.v1.a", b"1"), Draft("elsewhere", b"2")],  # one of them in none
        [Draft("uns.v1.a", b"1"), Draft("uns.v1.*", b"2")],  # no subject
        [Draft("uns.v1.a", b"1"), Draft("uns.v1.a b", b"2")],
        [Draft("uns.v1.a", b"1"), Draft("", b"2")],
        [Draft("uns.v1.a", b"1", "1"), Draft("uns.v1.a", b"2")],  # an id on one only
        too_many,
    ):
        with pytest.raises(Invalid):
            await bus.publish(*wrong)
    assert [state.messages for state in await bus.streams()] == [0, 0]
    await bus.publish(*too_many[:1000])
    assert sum(state.messages for state in await bus.streams()) == 1000


async def test_last(bus, peer):
    await bus.declare(SAMPLES)
    assert await bus.last("uns.v1.a") is None
    assert await bus.last("nowhere") is None
    await bus.publish(*drafts(0, 3), *drafts(0, 1, "uns.v1.a.b"))
    for one in (bus, peer):
        message = await one.last("uns.v1.a")
        assert (message.body, message.sequence, message.id) == (b"2", 3, "id-uns.v1.a-2")
        assert message.subject == "uns.v1.a"
        assert message.time > 0


async def test_request_finds_the_one_who_serves(bus, peer):
    async def double(message):
        return message.body * 2

    async with bus.serve("cmd.v1.double", double), bus.serve("cmd.v1.many.*", double):
        for one in (bus, peer):
            assert await one.request("cmd.v1.double", b"ab") == b"abab"
            assert await one.request("cmd.v1.many.x", b"") == b""
            with pytest.raises(NotFound):
                await one.request("cmd.v1.many", b"")
        with pytest.raises(Conflict):
            async with bus.serve("cmd.v1.double", double):
                pass
    for one in (bus, peer):
        with pytest.raises(NotFound):
            await one.request("cmd.v1.double", b"")


async def test_slow_answers_do_not_hold_others_up(bus, peer):
    release = anyio.Event()

    async def wait(message):
        if message.body == b"slow":
            await release.wait()
        else:
            release.set()
        return message.body

    async with bus.serve("cmd.v1.wait", wait), anyio.create_task_group() as group:
        group.start_soon(peer.request, "cmd.v1.wait", b"slow")
        with anyio.fail_after(5):
            assert await peer.request("cmd.v1.wait", b"quick") == b"quick"


async def test_no_answer_in_time(bus, peer):
    async def never(message):
        await anyio.sleep_forever()

    async with bus.serve("cmd.v1.never", never):
        for one in (bus, peer):
            with pytest.raises(Retry):
                await one.request("cmd.v1.never", b"", timeout=0.05)


async def test_the_answer_can_be_an_error(bus, peer):
    async def refuse(message):
        raise Invalid("The speed is above the limit.", remedy="Ask for less.")

    async with bus.serve("cmd.v1.refuse", refuse):
        for one in (bus, peer):
            with pytest.raises(Invalid) as caught:
                await one.request("cmd.v1.refuse", b"")
            assert (caught.value.message, caught.value.remedy) == (
                "The speed is above the limit.",
                "Ask for less.",
            )


async def test_a_fault_in_an_answer_ends_who_serves_not_the_bus(bus, peer):
    async def faulty(message):
        raise ZeroDivisionError

    async def ask_in_vain():
        with pytest.raises(Retry):
            await peer.request("cmd.v1.faulty", b"")
        await anyio.sleep(5)

    with pytest.raises(ZeroDivisionError):
        async with bus.serve("cmd.v1.faulty", faulty):
            await ask_in_vain()
    await bus.publish(Draft("live.a", b""))


async def test_errors_inside_a_subscription_stay_as_they_are(bus):
    with pytest.raises(Retry):
        async with bus.subscribe("live.a"), bus.serve("cmd.v1.x", bus.last):
            raise Retry("the field is away")


async def test_stored_needs_a_stream(bus):
    await bus.declare(SAMPLES)
    for pattern in ("nowhere.>", ">", "uns.>", "*.v1.a"):
        with pytest.raises(NotFound):
            async with bus.subscribe(pattern, start=after(0)):
                pass


async def test_declare_again_keeps_what_is_there(bus):
    await bus.declare(SAMPLES)
    await bus.publish(*drafts(0, 2))
    wider = Stream(name="samples", subjects=("uns.v1.>", "more.*"), max_bytes=32 << 20, max_age=60)
    await bus.declare(wider)
    await bus.declare(wider)
    await bus.publish(Draft("more.a", b"2", "m"))
    assert [(s.name, s.messages, s.first, s.last) for s in await bus.streams()] == [("samples", 3, 1, 3)]


async def test_streams_do_not_share_subjects(bus):
    await bus.declare(SAMPLES)
    with pytest.raises(Conflict):
        await bus.declare(Stream(name="other", subjects=("uns.*.x",), max_bytes=1 << 20))
    for wrong in (
        Stream(name="a b", subjects=("x",)),
        Stream(name="", subjects=("x",)),
        Stream(name="a", subjects=()),
        Stream(name="a", subjects=("x..y",)),
        Stream(name="a", subjects=("x",), max_age=0),
    ):
        with pytest.raises(Invalid):
            await bus.declare(wrong)


async def test_the_oldest_go_when_the_stream_is_full(bus):
    await bus.declare(Stream(name="small", subjects=("small.>",), max_bytes=100_000))
    for i in range(40):
        await bus.publish(Draft("small.a", bytes(10_000), f"{i}"))
    state = (await bus.streams())[0]
    assert state.last == 40
    assert 5 <= state.messages <= 10
    assert state.bytes <= 100_000
    async with bus.subscribe("small.a", start=after(0)) as subscription:
        found = await read(subscription, state.messages)
        assert [m.sequence for m in found] == list(range(state.first, 41))


async def test_a_large_batch_of_every_column(bus, peer):
    await bus.declare(SAMPLES)
    n = 100_000
    batch = Batch.doubles(
        np.arange(n) % 500, np.arange(n), np.random.default_rng(1).normal(size=n), source="x"
    )
    async with peer.subscribe("uns.v1.>", start=after(0)) as subscription:
        await bus.publish(Draft("uns.v1.a", batch, "1"))
        assert (await read(subscription, 1))[0].body == batch


async def test_a_note_is_kept_and_only_written_over_the_one_that_was_read(bus, peer):
    assert await bus.note("pair/press line") is None
    with pytest.raises(Conflict):
        await bus.write_note("pair/press line", b"x", revision=7)
    first = await bus.write_note("pair/press line", b"one", revision=0)
    with pytest.raises(Conflict):
        await peer.write_note("pair/press line", b"two", revision=0)
    note = await peer.note("pair/press line")
    assert (note.body, note.revision) == (b"one", first)
    assert note.time > 0
    second = await peer.write_note("pair/press line", b"two", revision=first)
    assert second > first
    with pytest.raises(Conflict):
        await bus.write_note("pair/press line", b"three", revision=first)
    await bus.write_note("pair/other", b"")
    assert (await bus.note("pair/press line")).body == b"two"
    assert (await bus.note("pair/other")).body == b""
    await bus.write_note("pair/press line", b"three")
    assert (await peer.note("pair/press line")).body == b"three"
    assert [state.name for state in await bus.streams()] == []


async def test_many_writers_of_one_note_lose_no_turn(bus, peer):
    async def count(mine):
        done = 0
        while done < 10:
            note = await mine.note("count")
            number, revision = (int(note.body), note.revision) if note else (0, 0)
            try:
                await mine.write_note("count", b"%d" % (number + 1), revision=revision)
            except Conflict:
                continue
            done += 1

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            for mine in (bus, peer, bus, peer):
                group.start_soon(count, mine)
    assert (await bus.note("count")).body == b"40"
