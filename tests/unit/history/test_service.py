"""The service: what the stream carries is kept once, acknowledged only when it is safe."""

import anyio
import numpy as np
import pytest

from weft.bus import Draft, MemoryBus, Stream
from weft.history import Store, run
from weft.history.columns import from_table
from weft.model import Batch, Event, Kind
from weft.runtime.settings import HistorySettings

pytestmark = pytest.mark.anyio

T0 = 1_795_000_000_000_000_000
SUBJECT = "uns.v1.p.s._raw.mill"
SAMPLES = Stream(name="samples", subjects=("uns.v1.>",))
PATIENT = HistorySettings(seal_seconds=3_600.0)


def batch(i, n=100):
    return Batch.doubles(np.ones(n), T0 + i * n + np.arange(n), np.full(n, i), source="mill", sequence=i)


@pytest.fixture
async def bus():
    bus = MemoryBus()
    await bus.declare(SAMPLES)
    return bus


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history"


@pytest.fixture(autouse=True)
async def _in_time():
    with anyio.fail_after(30):
        yield


async def rows(store):
    return from_table(await store.raw([1], 0, 2**63 - 1)).values()


async def until(condition):
    while not condition():  # noqa: ASYNC110  # the store has no events to wait for
        await anyio.sleep(0.005)


class Running:
    """The service in a task group of its own."""

    def __init__(self, bus, store, **more):
        self.events = []
        self._call = lambda ready: run(bus, store, ready, tell=self.events.append, **more)

    async def __aenter__(self):
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        ready = anyio.Event()
        self._group.start_soon(self._call, ready.set)
        await ready.wait()
        return self

    async def __aexit__(self, *error):
        self._group.cancel_scope.cancel()
        return await self._group.__aexit__(*error)


async def test_stopping_seals_and_the_next_start_replays_only_what_is_missing(bus, path):
    with Store(path) as store:
        async with Running(bus, store, settings=PATIENT):
            for i in range(3):
                await bus.publish(Draft(SUBJECT, batch(i)))
            await until(lambda: store.taken == 3)
            assert store.sealed == 0
        assert store.sealed == 3
    await bus.publish(Draft(SUBJECT, batch(3)))
    with Store(path) as store:
        async with Running(bus, store, settings=PATIENT):
            await until(lambda: store.taken == 4)
            assert store.waiting == 100
            assert await rows(store) == [float(i) for i in range(4) for _ in range(100)]


async def test_a_crash_before_sealing_loses_nothing(bus, path):
    store = Store(path)
    await bus.publish(Draft(SUBJECT, batch(0)))
    store.append(batch(0), 1)
    store.close()  # as a crash would: nothing is sealed
    with Store(path) as store:
        async with Running(bus, store, settings=PATIENT):
            await until(lambda: store.taken == 1)
        assert len(await rows(store)) == 100


async def test_rows_and_age_seal(bus, path):
    with Store(path) as store:
        settings = HistorySettings(seal_rows=250, seal_seconds=3_600.0)
        async with Running(bus, store, settings=settings):
            for i in range(3):
                await bus.publish(Draft(SUBJECT, batch(i)))
            await until(lambda: store.sealed == 3)
        async with Running(bus, store, settings=HistorySettings(seal_seconds=0.05)):
            await bus.publish(Draft(SUBJECT, batch(3)))
            await until(lambda: store.sealed == 4)


async def test_a_durable_name_acknowledges_only_what_is_sealed(bus, path):
    async def next_after(name):
        async with bus.subscribe("uns.v1.>", durable=name) as subscription:
            return (await subscription.next())[0].sequence

    with Store(path) as store:
        async with Running(bus, store, settings=PATIENT, durable="history"):
            await bus.publish(Draft(SUBJECT, batch(0)))
            await until(lambda: store.taken == 1)
        await bus.publish(Draft(SUBJECT, batch(1)))
        assert await next_after("history") == 2


async def test_what_the_stream_no_longer_has_is_an_explicit_gap(bus, path):
    for i in range(5):
        await bus.publish(Draft(SUBJECT, batch(i)))
    await bus.declare(Stream(name="samples", subjects=("uns.v1.>",), max_bytes=6_000))
    await bus.publish(Draft(SUBJECT, batch(5)))
    first = (await bus.streams())[0].first
    assert first > 1
    with Store(path) as store:
        async with Running(bus, store, settings=PATIENT) as running:
            await until(lambda: store.taken == 6)
        (gap,) = running.events
        assert gap.kind == Kind.DATA_GAP
        assert (gap.data["first_sequence"], gap.data["last_sequence"]) == (1, first - 1)
        async with Running(bus, store, settings=PATIENT) as running:
            pass
        assert running.events == []


async def test_a_stream_made_anew_is_followed(bus, path):
    with Store(path) as store:
        async with Running(bus, store, settings=PATIENT):
            for i in range(3):
                await bus.publish(Draft(SUBJECT, batch(i)))
            await until(lambda: store.taken == 3)
        fresh = MemoryBus()
        await fresh.declare(SAMPLES)
        await fresh.publish(Draft(SUBJECT, batch(7)))
        async with Running(fresh, store, settings=PATIENT):
            await until(lambda: store.waiting == 100)
        assert store.sealed == 1
        assert len(await rows(store)) == 400


async def test_what_is_no_batch_is_passed_over(bus, path):
    with Store(path) as store:
        async with Running(bus, store, settings=PATIENT):
            event = Event(kind=Kind.DATA_GAP, source="x", time=T0, recorded=T0)
            for body in (b"junk", event, batch(1)):
                await bus.publish(Draft(SUBJECT, body))
            await until(lambda: store.taken == 3)
        assert store.sealed == 3
        assert len(await rows(store)) == 100


async def test_a_full_disk_stops_only_ingest_and_recovers(bus, path, monkeypatch):
    full = True
    monkeypatch.setattr("weft.history.service._RETRY", (0.01, 0.02))
    write = Store._write

    def refuse(self, frozen):
        if full:
            raise OSError(28, "No space left on device")
        return write(self, frozen)

    monkeypatch.setattr(Store, "_write", refuse)
    with Store(path) as store:
        settings = HistorySettings(seal_rows=200, seal_seconds=0.05)
        async with Running(bus, store, settings=settings):
            for i in range(40):
                await bus.publish(Draft(SUBJECT, batch(i)))
            await until(lambda: store.waiting >= 600)
            assert len(await rows(store)) >= 600
            await anyio.sleep(0.1)
            assert store.waiting <= 700
            full = False
            await until(lambda: store.sealed == 40)
        assert len(await rows(store)) == 4_000


async def test_a_damaged_segment_is_told(bus, path):
    with Store(path) as store:
        store.append(batch(0), 1)
        await store.seal()
        (path / "segments" / store.segments[0].file).write_bytes(b"PAR1")
        assert await rows(store) == []
        await bus.publish(Draft(SUBJECT, batch(0)), Draft(SUBJECT, batch(1)))
        async with Running(bus, store, settings=PATIENT) as running:
            await until(lambda: store.taken == 2)
        assert [event.kind for event in running.events] == [Kind.DATA_GAP]
