"""What local logic does while the bus is away outlives a restart, and reaches the bus once."""

import anyio
import pytest

from weft.bus import Stream, after
from weft.bus.memory import MemoryBus
from weft.edge import diary as module
from weft.edge.diary import Diary
from weft.model import Event
from weft.runtime import Retry, SystemClock

pytestmark = pytest.mark.anyio


def event(number):
    return Event(
        kind="weft.command.requested",
        source="p/fan",
        time=number,
        recorded=number,
        data={"n": number},
        id=f"{number}/x",
    )


class Away:
    def __init__(self):
        self.now = True

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(module, "LOOK", 0.01)


async def given(diary, bus):
    """What the stream of events has once the diary is empty."""
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(diary.run, bus, SystemClock(), lambda: None)
            while diary.holds:  # noqa: ASYNC110  # another task empties it
                await anyio.sleep(0.01)
            group.cancel_scope.cancel()
    async with bus.subscribe("events.v1.>", start=after(0)) as stream:
        return [message.body for message in await stream.next(100)]


async def stream_of_events():
    bus = MemoryBus(SystemClock())
    await bus.declare(Stream(name="events", subjects=("events.v1.>",)))
    return bus


async def test_it_is_given_in_order_after_a_restart_and_forgotten(tmp_path):
    away = Away()
    diary = Diary(tmp_path / "state" / "diary", away=away)
    for number in range(1, 4):
        assert await diary.write(event(number))
    assert (tmp_path / "state" / "diary").stat().st_mode & 0o077 == 0
    again = Diary(tmp_path / "state" / "diary", away=away)
    assert again.holds
    assert await again.write(event(4))
    away.now = False
    assert await given(again, await stream_of_events()) == [event(n) for n in range(1, 5)]
    assert not (tmp_path / "state" / "diary").exists()
    assert not await again.write(event(5)), "the bus is there"


async def test_what_a_power_cut_has_torn_hides_nothing(tmp_path):
    away, file = Away(), tmp_path / "diary"
    diary = Diary(file, away=away)
    await diary.write(event(1))
    await diary.write(event(2))
    file.write_bytes(file.read_bytes()[:-3])
    again = Diary(file, away=away)
    await again.write(event(3))
    away.now = False
    assert await given(again, await stream_of_events()) == [event(1), event(3)]


async def test_nothing_is_forgotten_while_the_bus_refuses(tmp_path):
    away = Away()
    diary = Diary(tmp_path / "diary", away=away)
    await diary.write(event(1))
    away.now = False
    bus = await stream_of_events()
    publish, tried = bus.publish, []

    async def refuse(*drafts):
        tried.append(len(drafts))
        if len(tried) < 3:
            raise Retry("busy")
        return await publish(*drafts)

    bus.publish = refuse
    assert await given(diary, bus) == [event(1)]
    assert tried == [1, 1, 1]


async def test_it_does_not_grow_without_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 300)
    diary = Diary(tmp_path / "diary", away=Away())
    written = [await diary.write(event(n)) for n in range(10)]
    assert written[0]
    assert not written[-1]
    assert (tmp_path / "diary").stat().st_size <= 310
