"""A lease: one holder at a time, and confirmed times of several that never overlap."""

import itertools
import random

import anyio
import anyio.lowlevel
import pytest
from clocks import HandClock

from weft.bus import Lease, MemoryBus
from weft.runtime import Retry

pytestmark = pytest.mark.anyio

SECOND = 1_000_000_000


class QuickClock(HandClock):
    """Turned often: whoever wakes gets a few rounds of the loop, which is all that a bus in memory needs."""

    async def advance(self, seconds):
        until = self._now + round(seconds * 1e9)
        await self._settle()
        while due := [s for s in self._sleepers if s[0] <= until]:
            first = min(due, key=lambda s: s[0])
            self._sleepers.remove(first)
            self._now = max(self._now, first[0])
            first[1].set()
            await self._settle()
        self._now = until

    async def _settle(self):
        for _ in range(20):
            await anyio.lowlevel.checkpoint()


class Away(MemoryBus):
    """A bus that cannot be reached while ``away``; ``deaf``: it does what it is told, and the answer is lost."""

    def __init__(self, shared):
        super().__init__()
        self.shared, self.away, self.deaf = shared, False, False

    async def note(self, name):
        if self.away:
            raise Retry("away")
        return await self.shared.note(name)

    async def write_note(self, name, body, *, revision=None):
        if self.away:
            raise Retry("away")
        written = await self.shared.write_note(name, body, revision=revision)
        if self.deaf:
            raise Retry("no answer")
        return written


class Gateway:
    def __init__(self, name, shared, clock, own=None):
        self.turns = []
        self.link = Away(shared)
        self.own = own or MemoryBus(clock)
        self.clock = clock
        self.lease = Lease(self.link, self.own, "hall1", name, clock=clock, turned=self.turned)

    async def turned(self, active, reason):
        self.turns.append((active, reason))

    async def run(self):
        with anyio.CancelScope() as self.scope:
            await self.lease.run()

    def kill(self):
        """It does nothing more, not even on its way out."""
        self.link.away = True
        self.scope.cancel()


@pytest.fixture
def clock():
    return QuickClock()


@pytest.fixture
def shared(clock):
    return MemoryBus(clock)


async def test_one_is_active_and_the_other_follows_when_it_dies(clock, shared):
    a, b = Gateway("a", shared, clock), Gateway("b", shared, clock)
    async with anyio.create_task_group() as group:
        group.start_soon(a.run)
        await clock.advance(1)
        group.start_soon(b.run)
        await clock.advance(2)
        assert (a.lease.active, b.lease.active) == (True, False)
        assert a.turns == [(True, "nobody was active")]
        assert b.turns == [(False, "a is active")]
        died = clock.now()
        a.kill()
        await clock.advance(4)
        assert b.lease.active
        assert b.turns[-1] == (True, "a was silent")
        assert a.lease.confirms(died - SECOND // 2)
        assert died - SECOND <= b.lease.vacant <= died
        group.cancel_scope.cancel()


async def test_given_back_it_is_taken_at_once(clock, shared):
    a, b = Gateway("a", shared, clock), Gateway("b", shared, clock)
    async with anyio.create_task_group() as group:
        group.start_soon(a.run)
        await clock.advance(1)
        group.start_soon(b.run)
        await clock.advance(1)
        a.scope.cancel()
        await anyio.sleep(0.5)
        await clock.advance(0.6)
        assert b.lease.active
        assert a.turns[-1] == (False, "stopped")
        group.cancel_scope.cancel()


async def test_who_comes_back_stands_by_and_learns_what_was_its_own(clock, shared):
    a, b = Gateway("a", shared, clock), Gateway("b", shared, clock)
    async with anyio.create_task_group() as group:
        group.start_soon(a.run)
        await clock.advance(1)
        group.start_soon(b.run)
        await clock.advance(1)
        mine = clock.now()
        a.link.away = True  # cut off; it goes on, but nothing of it is confirmed
        await clock.advance(2)
        assert a.lease.active
        assert a.lease.confirms(mine) is True
        assert a.lease.confirms(mine + 4 * SECOND) is None
        await clock.advance(4)
        assert b.lease.active
        a.link.away = False
        await clock.advance(1)
        assert not a.lease.active
        assert a.turns[-1] == (False, "b took over")
        assert a.lease.confirms(mine) is True
        assert a.lease.confirms(mine + 4 * SECOND) is False
        assert b.lease.confirms(mine + 4 * SECOND) is True
        group.cancel_scope.cancel()


async def test_cut_off_from_each_other_by_the_bus_alone_nobody_takes_over(clock, shared):
    a, b = Gateway("a", shared, clock), Gateway("b", shared, clock)
    async with anyio.create_task_group() as group:
        group.start_soon(a.run)
        await clock.advance(1)
        group.start_soon(b.run)
        await clock.advance(1)
        a.link.away = b.link.away = True
        meanwhile = clock.now() + 30 * SECOND
        await clock.advance(60)
        assert (a.lease.active, b.lease.active) == (True, False)
        a.link.away = False
        await clock.advance(1)
        b.link.away = False
        await clock.advance(1)
        assert (a.lease.active, b.lease.active) == (True, False)
        assert a.lease.confirms(meanwhile) is True, "nobody came between"
        group.cancel_scope.cancel()


async def test_a_lost_answer_does_not_depose(clock, shared):
    a = Gateway("a", shared, clock)
    async with anyio.create_task_group() as group:
        a.link.deaf = True
        group.start_soon(a.run)
        await clock.advance(2)
        assert not a.lease.active
        a.link.deaf = False
        await clock.advance(1)
        assert a.lease.active
        a.link.deaf = True
        await clock.advance(1)
        a.link.deaf = False
        await clock.advance(2)
        assert a.lease.active
        assert a.turns == [(True, "nobody was active")]
        assert a.lease.confirms(clock.now())
        group.cancel_scope.cancel()


async def test_a_life_after_a_crash_goes_on_at_once_unless_another_was_faster(clock, shared):
    own = MemoryBus(clock)
    first = Gateway("a", shared, clock, own)
    async with anyio.create_task_group() as group:
        group.start_soon(first.run)
        await clock.advance(1)
        before = clock.now()
        first.kill()
        await clock.advance(1)
        second = Gateway("a", shared, clock, own)
        group.start_soon(second.run)
        await clock.advance(0.5)
        assert second.lease.active
        assert second.lease.confirms(before)
        second.kill()
        b = Gateway("b", shared, clock)
        group.start_soon(b.run)
        await clock.advance(4)
        assert b.lease.active
        between = clock.now()
        third = Gateway("a", shared, clock, own)
        group.start_soon(third.run)
        await clock.advance(1)
        assert not third.lease.active
        assert third.lease.confirms(before) is True
        assert third.lease.confirms(between) is False
        group.cancel_scope.cancel()


@pytest.mark.parametrize("seed", range(8))
async def test_confirmed_times_never_overlap(clock, shared, seed):
    dice = random.Random(seed)
    gateways = [Gateway(name, shared, clock) for name in "abc"]
    async with anyio.create_task_group() as group:
        for gateway in gateways:
            group.start_soon(gateway.run)
        for _ in range(25):
            gateway = dice.choice(gateways)
            setattr(gateway.link, dice.choice(["away", "deaf"]), dice.random() < 0.5)
            await clock.advance(dice.choice([0.3, 1.0, 3.5]))
        for gateway in gateways:
            gateway.link.away = gateway.link.deaf = False
        await clock.advance(10)
        assert sum(gateway.lease.active for gateway in gateways) == 1
        terms = sorted((t.start, t.until) for g in gateways for t in g.lease._terms)
        for (_, end), (start, _) in itertools.pairwise(terms):
            assert end < start
        group.cancel_scope.cancel()
