"""Simulated time and the clock on the wall."""

import time

import anyio
import pytest

from weft.demo.factory import Factory
from weft.demo.machine import STEP_NS
from weft.demo.timeline import Timeline, fast_forward, play

pytestmark = pytest.mark.anyio
SECOND = 1_000_000_000
START = 1_700_000_000_000_000_000


def test_steps_follow_the_wall_by_speed():
    timeline = Timeline(START + 999_999, 5 * SECOND, speed=10.0)
    assert timeline.time_of(0) == START, "devices show whole milliseconds"
    assert timeline.step_at(0) == 0, "not yet begun"
    assert timeline.step_at(5 * SECOND) == 0
    assert timeline.step_at(6 * SECOND) == 50
    assert timeline.time_of(50) == START + 10 * SECOND


def test_it_ends_and_stays():
    timeline = Timeline(START, 0, last=7)
    assert timeline.step_at(99 * SECOND) == 7
    assert timeline.ended(7)
    assert not timeline.ended(6)
    assert timeline.after(5, 5) == 7, "the last step is shown even between two periods"
    assert timeline.after(3, 2) == 4


async def test_time_stands_until_the_gate_opens(tmp_path):
    gate = tmp_path / "gate"
    timeline = Timeline(START, gate=gate)
    assert timeline.step_at(time.time_ns()) == 0
    async with anyio.create_task_group() as tasks:
        opened = []

        async def wait():
            opened.append(await timeline.opened())

        tasks.start_soon(wait)
        await anyio.lowlevel.checkpoint()
        assert not opened
        gate.write_text("123")
    assert opened == [123]
    assert timeline.step_at(123 + STEP_NS) == 1


async def test_every_period_is_shown_once_and_in_order():
    factory, shown = Factory(), []

    async def show():
        shown.append(factory.clock)

    timeline = Timeline(START, time.time_ns(), speed=1000.0, last=23)
    await play(factory, timeline, 5, show)
    assert shown == [0, 5, 10, 15, 20, 23]


async def test_a_late_starter_is_where_it_would_have_been():
    factory, shown = Factory(), []

    async def show():
        shown.append(factory.clock)

    timeline = Timeline(START, time.time_ns() - 3600 * SECOND, speed=1000.0, last=25_000)
    await play(factory, timeline, 5, show)
    assert shown == [25_000]
    alone = Factory()
    await fast_forward(alone, 25_000)
    assert alone.balance() == factory.balance()


@pytest.mark.parametrize("wrong", [{"origin": 0, "speed": 0.0}, {"origin": None}])
def test_impossible_timelines(wrong):
    with pytest.raises(ValueError):
        Timeline(START, **wrong)
