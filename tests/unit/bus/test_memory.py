"""What only the memory bus can be asked: its clock is ours."""

import subprocess
import sys

import anyio
import pytest

from weft.bus import Draft, MemoryBus, Promise, Stream, after, since

pytestmark = pytest.mark.anyio

SECOND = 1_000_000_000


class Hand:
    """A clock that is turned by hand."""

    def __init__(self):
        self.time = 1_000 * SECOND

    def now(self):
        return self.time

    def monotonic(self):
        return self.time / SECOND

    async def sleep(self, seconds):
        self.time += int(seconds * SECOND)


async def read_now(subscription, most=100):
    with anyio.fail_after(1):
        return await subscription.next(most)


async def test_messages_grow_too_old():
    clock = Hand()
    bus = MemoryBus(clock)
    await bus.declare(Stream(name="s", subjects=("s.>",), max_age=10))
    for i in range(4):
        await bus.publish(Draft("s.a", b"%d" % i))
        await clock.sleep(4)
    assert [(s.first, s.last, s.messages) for s in await bus.streams()] == [(3, 4, 2)]
    async with bus.subscribe("s.a", start=after(0)) as subscription:
        assert [m.sequence for m in await read_now(subscription)] == [3, 4]
    await clock.sleep(100)
    assert await bus.last("s.a") is None
    await bus.publish(Draft("s.a", b"new"))
    assert (await bus.last("s.a")).sequence == 5


async def test_ids_are_forgotten_after_the_window():
    clock = Hand()
    bus = MemoryBus(clock)
    await bus.declare(Stream(name="s", subjects=("s.>",), duplicate_window=60))
    await bus.publish(Draft("s.a", b"", "1"))
    await clock.sleep(59)
    assert (await bus.publish(Draft("s.a", b"", "1"))).duplicate
    await clock.sleep(1)
    again = await bus.publish(Draft("s.a", b"", "1"))
    assert (again.sequence, again.duplicate) == (2, False)


async def test_since_a_time():
    clock = Hand()
    bus = MemoryBus(clock)
    await bus.declare(Stream(name="s", subjects=("s.>",)))
    for _ in range(3):
        await bus.publish(Draft("s.a", b""))
        await clock.sleep(10)
    for time, first in ((0, 1), (1_000, 1), (1_001, 2), (1_010, 2), (1_020, 3)):
        async with bus.subscribe("s.a", start=since(time * SECOND)) as subscription:
            assert (await read_now(subscription))[0].sequence == first
    async with bus.subscribe("s.a", start=since(1_021 * SECOND)) as subscription:
        await bus.publish(Draft("s.a", b""))
        assert (await read_now(subscription))[0].sequence == 4


async def test_it_promises_nothing():
    bus = MemoryBus()
    await bus.declare(Stream(name="s", subjects=("s.>",), promise=Promise.POWER))
    assert [state.promise for state in await bus.streams()] == [Promise.NONE]


def test_the_vocabulary_does_not_import_the_client():
    code = "import sys, weft.bus; sys.exit('nats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0


def test_late_names():
    import weft.bus

    for name in weft.bus.__all__:
        assert getattr(weft.bus, name) is not None
    with pytest.raises(AttributeError):
        _ = weft.bus.nonsense
