"""Store and forward: order, repeats, the bound, gaps."""

import anyio
import pytest
from clocks import HandClock

from weft.bus import Ack, MemoryBus, Stream, after
from weft.edge import Edge, pipeline
from weft.model import Batch, Event, Kind, Signal, encode
from weft.runtime import Invalid, Retry

pytestmark = pytest.mark.anyio

T0 = 1_700_000_000_000_000_000


class AwayBus:
    """The memory bus behind a door: closed, open, or taking without answering."""

    def __init__(self, inner):
        self.inner, self.mode, self.calls = inner, "open", 0

    async def publish(self, *drafts):
        self.calls += 1
        if self.mode == "closed":
            raise Retry("away")
        ack = await self.inner.publish(*drafts)
        if self.mode == "no answer":
            self.mode = "open"
            raise Retry("timed out")
        return ack


async def make(**kwargs):
    inner = MemoryBus()
    await inner.declare(Stream(name="samples", subjects=("uns.v1.>",)))
    await inner.declare(Stream(name="events", subjects=("events.v1.>",)))
    bus = AwayBus(inner)
    return bus, Edge(
        bus, clock=kwargs.pop("clock", HandClock()), home=lambda _: "e/s", flush_seconds=0, **kwargs
    )


def batch(n, source="mill", value=None):
    return Batch.of(
        [(0, T0 + n, float(n if value is None else value), 11)], source=source, sequence=n, received=T0
    )


async def stored(bus, pattern="uns.v1.>"):
    bodies = []
    with anyio.move_on_after(0.2):
        async with bus.inner.subscribe(pattern, start=after(0)) as subscription:
            while True:
                bodies += [message.body for message in await subscription.next(100)]
    return bodies


async def rows(bus):
    return [row.value for body in await stored(bus) for row in body]


@pytest.fixture
def working():
    class Working:
        def __init__(self, edge):
            self.edge = edge

        async def __aenter__(self):
            self.group = anyio.create_task_group()
            await self.group.__aenter__()
            self.group.start_soon(self.edge.run, lambda: None)

        async def __aexit__(self, *_):
            await anyio.sleep(0.02)
            self.group.cancel_scope.cancel()
            # Not returned: a cancelled group says True, and that would swallow a failed assertion.
            await self.group.__aexit__(None, None, None)

    return Working


async def test_samples_arrive_in_order_and_once(working):
    bus, edge = await make()
    async with working(edge):
        for n in range(50):
            edge.accept(batch(n))
            await anyio.sleep(0)
    assert await rows(bus) == [float(n) for n in range(50)]
    assert edge.waiting == 0


async def test_what_waits_at_the_stop_is_still_published(working):
    bus, edge = await make()
    async with working(edge):
        pass
    edge.accept(batch(1))
    async with working(edge):
        pass
    assert await rows(bus) == [1.0]


async def test_an_answer_that_got_lost_doubles_nothing(working):
    clock = HandClock()
    bus, edge = await make(clock=clock)
    bus.mode = "no answer"
    async with working(edge):
        edge.accept(batch(1))
        edge.accept(batch(2))
        await anyio.sleep(0.02)
        await clock.advance(1)
    assert bus.calls >= 2
    assert await rows(bus) == [1.0, 2.0]


async def test_an_outage_delays_and_loses_nothing(working):
    clock = HandClock()
    bus, edge = await make(clock=clock)
    bus.mode = "closed"
    async with working(edge):
        for n in range(100):
            edge.accept(batch(n, source="mill" if n % 3 else "washer"))
        await anyio.sleep(0.02)
        assert edge.waiting == 100
        bus.mode = "open"
        await clock.advance(1)
        await anyio.sleep(0.02)
    assert await rows(bus) == [float(n) for n in range(100)]


async def test_a_full_queue_records_the_gap(working):
    clock = HandClock()
    bus, edge = await make(clock=clock, queue_rows=10)
    for n in range(30):
        edge.accept(batch(n))
    assert edge.waiting == 10
    assert edge.pressure == 1.0
    async with working(edge):
        pass
    assert await rows(bus) == [float(n) for n in range(20, 30)]
    (event,) = await stored(bus, "events.v1.>")
    assert event.kind == Kind.DATA_GAP
    assert event.source == "mill"
    assert event.data == {"samples": 20, "first": T0, "last": T0 + 19, "cause": "queue full"}


async def test_stopping_in_mid_publish_keeps_the_samples_for_the_next_run(working):
    clock = HandClock()
    bus, edge = await make(clock=clock)
    bus.mode = "closed"
    async with anyio.create_task_group() as group:
        group.start_soon(edge.run, lambda: None)
        edge.accept(batch(1))
        await anyio.sleep(0.02)
        bus.mode = "open"
        group.cancel_scope.cancel()
    assert await rows(bus) == [1.0]


async def test_rules_can_change_while_samples_flow(working):
    bus, edge = await make()
    edge.apply([Signal(handle=0, path="e/s/x", connection="mill", address=None, scale=10.0)])
    async with working(edge):
        edge.accept(batch(1))
        edge.apply([Signal(handle=0, path="e/s/x", connection="mill", address=None, scale=100.0)])
        edge.accept(batch(2))
    assert await rows(bus) == [10.0, 200.0]


async def test_events_go_to_the_bus(working):
    bus, edge = await make()
    event = Event(kind=Kind.CONNECTION_STATE, source="mill", time=1, recorded=1)
    async with working(edge):
        edge.tell(event)
    assert await stored(bus, "events.v1.>") == [event]
    assert isinstance(await bus.inner.publish(), Ack)


async def test_a_source_is_told_only_when_its_samples_are_stored(working):
    clock = HandClock()
    bus, edge = await make(clock=clock)
    bus.mode, told = "closed", []
    async with working(edge):
        edge.accept(batch(1), lambda: told.append(1))
        await anyio.sleep(0.02)
        assert told == []
        bus.mode = "open"
        await clock.advance(1)
        await anyio.sleep(0.02)
        assert told == [1]


async def test_what_the_sieve_leaves_out_is_told_at_once():
    _, edge = await make()
    edge.apply([Signal(handle=0, path="e/s/x", connection="mill", address=None, deadband=10.0)])
    told = []
    edge.accept(batch(1), lambda: told.append(1))
    edge.accept(batch(2), lambda: told.append(2))
    assert told == [2]


@pytest.fixture
def restless(monkeypatch):
    """After a publish the edge would rest for an hour."""
    monkeypatch.setattr(pipeline, "REST", 1e9)

    async def make_restless():
        bus, edge = await make()
        edge._flush = 3600.0
        return bus, edge

    return make_restless


async def told(bus, edge, n):
    """Publishes a sample that somebody waits for."""
    stored = anyio.Event()
    edge.accept(batch(n), stored.set)
    with anyio.fail_after(2):
        await stored.wait()


async def test_what_comes_to_a_rested_bus_goes_at_once(working, restless):
    bus, edge = await restless()
    async with working(edge):
        edge.accept(batch(1))
        await anyio.sleep(0.02)
        assert await rows(bus) == [1.0]


async def test_what_comes_after_a_publish_waits_for_company(working, restless):
    bus, edge = await restless()
    async with working(edge):
        await told(bus, edge, 1)
        for n in range(2, 10):
            edge.accept(batch(n))
            await anyio.sleep(0.002)
        assert await rows(bus) == [1.0]
    assert await rows(bus) == [float(n) for n in range(1, 10)]
    assert bus.calls == 2


async def test_somebody_who_waits_does_not_wait_for_company(working, restless):
    bus, edge = await restless()
    async with working(edge):
        await told(bus, edge, 1)
        edge.accept(batch(2))
        await told(bus, edge, 3)
    assert await rows(bus) == [1.0, 2.0, 3.0]


async def test_a_backlog_is_published_without_a_rest(working, restless):
    _, edge = await restless()
    for n in range(2 * pipeline.MESSAGES_PER_PUBLISH):
        edge.accept(batch(n, source=f"mill {n}"))
    async with working(edge):
        await anyio.sleep(0.2)
        assert edge.waiting == 0


class NarrowBus(AwayBus):
    """Takes no message of more than ``most`` bytes."""

    most = 2_000

    async def publish(self, *drafts):
        for draft in drafts:
            if len(encode(draft.body)) > self.most:
                raise Invalid("A message too large.", remedy="Split the batch.")
        return await super().publish(*drafts)


async def test_what_is_too_large_for_the_bus_goes_in_pieces_and_holds_up_nothing(working):
    bus, edge = await make()
    bus.__class__ = NarrowBus
    for n in range(1, 30):
        edge.accept(batch(n))
    texts = [(0, T0 + 100 + i, "x" * 500, 12) for i in range(10)]
    huge = [(0, T0 + 200, "y" * 5_000, 12), (0, T0 + 201, "z", 12)]
    edge.accept(Batch.of([*texts, *huge], source="mill", sequence=100, received=T0))
    edge.accept(batch(300, source="press"))
    async with working(edge):
        pass
    values = await rows(bus)
    assert values == [float(n) for n in range(1, 30)] + ["x" * 500] * 10 + [None, "z", 300.0]
    (event,) = await stored(bus, "events.v1.>")
    assert (event.kind, event.source, event.data["samples"]) == (Kind.DATA_REJECTED, "mill", 1)
    assert edge.waiting == 0


async def test_what_a_broker_awaits_is_dropped_last(working):
    bus, edge = await make(queue_rows=3)
    told = []
    edge.accept(batch(1), lambda: told.append(1))
    for n in range(2, 9):
        edge.accept(batch(n, source="press"))
    async with working(edge):
        pass
    assert told == [1]
    assert sorted(await rows(bus)) == [1.0, 7.0, 8.0]
