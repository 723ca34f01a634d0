"""Services start, crash, restart and stop in order, and leave nothing behind."""

import asyncio
import random

import anyio
import anyio.lowlevel
import pytest
from clocks import HandClock

from weft.runtime import Backoff, Service, State, Supervisor

pytestmark = pytest.mark.anyio


class Crash(Exception):
    pass


async def test_two_hundred_services_start_crash_restart_and_stop_in_order():
    clock, events, crashes = HandClock(), [], {}
    dice = random.Random(7)
    before = len(asyncio.all_tasks())

    def make(floor, i):
        name = f"{floor}-{i}"
        crashes[name] = dice.choice([0, 0, 1, 2, 5])

        async def run(ready):
            events.append(("start", floor, name))
            try:
                ready()
                if crashes[name]:
                    crashes[name] -= 1
                    raise Crash(name)
                await anyio.sleep_forever()
            finally:
                events.append(("stop", floor, name))

        return Service(name, run)

    names = ["bus", "history", "edge", "lines"]
    floors = [(floor, [make(floor, i) for i in range(50)]) for floor in names]
    supervisor = Supervisor(clock)
    async with supervisor.running(floors):
        for _ in range(60):
            await clock.advance(1.0)
        assert all(service.state is State.RUNNING for service in supervisor.services)
        assert not any(crashes.values())
        assert sum(s.restarts for s in supervisor.services) > 100
        first_start = {}
        for i, (what, floor, _) in enumerate(events):
            if what == "start":
                first_start.setdefault(floor, i)
        assert sorted(first_start, key=first_start.get) == names
        events.clear()
    assert [floor for _, floor, _ in events] == [n for n in reversed(names) for _ in range(50)]
    assert all(service.state is State.STOPPED for service in supervisor.services)
    assert len(asyncio.all_tasks()) == before


async def test_a_floor_waits_for_the_one_below():
    clock, order = HandClock(), []

    async def slow(ready):
        await clock.sleep(5)
        order.append("below is ready")
        ready()
        await anyio.sleep_forever()

    async def above(ready):
        order.append("above starts")
        ready()
        await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(clock.advance, 6)
        async with Supervisor(clock).running(
            [("below", [Service("slow", slow)]), ("above", [Service("fast", above)])]
        ):
            pass
    assert order == ["below is ready", "above starts"]


async def test_restarts_wait_longer_each_time_and_calm_down():
    clock, starts, work = HandClock(), [], [0.0, 0.0, 0.0, 60.0, 0.0]

    async def run(ready):
        starts.append(clock.monotonic())
        ready()
        await clock.sleep(work[len(starts) - 1] if len(starts) <= len(work) else 1e9)
        raise Crash

    service = Service("s", run, Backoff(first=1.0, most=4.0, calm=30.0))
    async with Supervisor(clock).running([("f", [service])]):
        for _ in range(300):
            await clock.advance(0.5)
    pauses = [b - a - w for a, b, w in zip(starts, starts[1:], work, strict=False)]
    bounds = [(0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (0.5, 1.0), (1.0, 2.0)]
    assert len(pauses) == 5
    assert all(low <= pause <= high for pause, (low, high) in zip(pauses, bounds, strict=True))


async def test_services_come_and_go_while_others_run():
    clock, log = HandClock(), []

    def make(name):
        async def run(ready):
            log.append(f"{name} up")
            ready()
            try:
                await anyio.sleep_forever()
            finally:
                log.append(f"{name} down")

        return Service(name, run)

    supervisor = Supervisor(clock)
    async with supervisor.running([("lines", [make("a")])]):
        floor = supervisor.floors["lines"]
        floor.add(make("b"))
        await floor.ready()
        with pytest.raises(ValueError, match="there already"):
            floor.add(make("b"))
        await floor.remove("a")
        await floor.remove("never was")
        assert log == ["a up", "b up", "a down"]
    assert log[-1] == "b down"


async def test_a_service_that_returns_is_done_and_not_restarted():
    runs = []

    async def run(ready):
        runs.append(1)

    service = Service("once", run)
    async with Supervisor(HandClock()).running([("f", [service])]):
        assert service.state is State.STOPPED
    assert runs == [1]


async def test_a_crash_in_a_group_is_described_by_its_cause():
    clock = HandClock()

    async def run(ready):
        ready()
        async with anyio.create_task_group():
            raise Crash("the pump is gone")

    service = Service("s", run)
    async with Supervisor(clock).running([("f", [service])]):
        await anyio.wait_all_tasks_blocked()
        assert service.state is State.WAITING
        assert service.failure == "Crash: the pump is gone"


async def test_a_cancellation_from_outside_stops_in_order_too():
    clock, order = HandClock(), []

    def make(name, cleaning):
        async def run(ready):
            ready()
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    for _ in range(cleaning):
                        await anyio.lowlevel.checkpoint()
                order.append(name)

        return Service(name, run)

    async def house():
        async with (
            Supervisor(clock).running([("low", [make("low", 1)]), ("middle", [make("middle", 20)])]),
            Supervisor(clock).running([("high", [make("high", 40)])]),
        ):
            await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(house)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert order == ["high", "middle", "low"]


async def test_a_start_that_is_given_up_stops_what_had_started():
    stopped = []

    async def below(ready):
        ready()
        try:
            await anyio.sleep_forever()
        finally:
            stopped.append("below")

    async def never(ready):
        await anyio.sleep_forever()

    with anyio.move_on_after(0.05):
        async with Supervisor().running([("a", [Service("below", below)]), ("b", [Service("never", never)])]):
            raise AssertionError("must not be up")
    assert stopped == ["below"]
