"""The event stream: what changed, once, newest only; resuming; the end of a page's plant."""

import anyio
import msgspec
import pytest
from clocks import HandClock

from weft.console import live
from weft.console.live import Pulse, stream
from weft.console.testing import PaperHistory, PaperHouse, paper_plant
from weft.console.view import PlantView
from weft.model import Batch, ValueType, quality

pytestmark = pytest.mark.anyio

DOUBLE, STRING, NULL = ValueType.DOUBLE, ValueType.STRING, ValueType.NULL


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def house(clock):
    return PaperHouse(clock)


@pytest.fixture
def pulse(house):
    return Pulse(house)


def give(house, *rows):
    house.history.append(Batch.of(rows))


async def test_a_look_takes_what_changed(house, pulse, clock):
    give(house, (2, 1, 50.0, DOUBLE), (4, 1, 1.0, DOUBLE), (6, 1, "A", STRING))
    pulse.look()
    first = pulse.revision
    assert sorted(row[0] for row in pulse.since(0, [2, 4, 6])) == [2, 4, 6]
    await clock.advance(1)
    pulse.look()
    assert pulse.since(first, [2, 4, 6]) == []
    give(house, (2, 2, 95.0, DOUBLE), (6, 1, "B", STRING))
    await clock.advance(1)
    pulse.look()
    assert pulse.since(first, [2, 4, 6]) == [
        (2, "95.000", "high", "above 90", 0, 95.0),
        (6, "B", "ok", "good", 0, None),
    ]
    assert pulse.since(first, [4]) == []


async def test_looks_are_shared_and_rare(house, pulse, clock, monkeypatch):
    looks = []
    kept = PaperHistory.snapshot
    monkeypatch.setattr(PaperHistory, "snapshot", lambda self, signals=None: looks.append(1) or kept(self))
    for _ in range(50):
        pulse.look()
    assert len(looks) == 1
    await clock.advance(0.1)
    pulse.look()
    pulse.look()
    assert len(looks) == 2


async def test_bad_values_and_unknown_signals(house, pulse):
    give(house, (2, 5_000_000, None, NULL, quality.BAD_NO_COMMUNICATION), (99, 1, 1.0, DOUBLE),
         (4, 1, float("nan"), DOUBLE), (3, 1, float("inf"), DOUBLE))  # fmt: skip
    pulse.look()
    rows = {row[0]: row for row in pulse.since(0, [2, 3, 4, 99])}
    assert rows[2] == (2, "—", "bad", "no communication", 5, None)
    assert 99 not in rows
    assert rows[4][5] is None
    assert rows[3][5] is None
    assert msgspec.json.decode(msgspec.json.encode(list(rows.values())))


async def test_a_new_plant_forgets_the_old_ones_values(house, pulse, clock):
    give(house, (2, 1, 50.0, DOUBLE))
    pulse.look()
    house.described = paper_plant()
    await clock.advance(1)
    pulse.look()
    assert [row[0] for row in pulse.since(0, [2])] == [2]


def parsed(chunk):
    fields = dict(line.split(": ", 1) for line in chunk.decode().strip().splitlines())
    data = msgspec.json.decode(fields["data"]) if "data" in fields else None
    return fields.get("event", "retry"), data, fields.get("id", "")


class Listener:
    """Reads a stream in the background while a test turns the clock."""

    def __init__(self, events):
        self._events = events
        self.got = []
        self.ended = False

    async def run(self):
        async for chunk in self._events:
            self.got.append(parsed(chunk))
        self.ended = True

    def of(self, kind):
        return [data for event, data, _ in self.got if event == kind]


async def listen(group, pulse, **parts):
    view = PlantView.of(pulse.house.plant())
    listener = Listener(stream(pulse, view, parts.pop("handles", view.handles), **parts))
    group.start_soon(listener.run)
    await anyio.wait_all_tasks_blocked()
    return listener


@pytest.fixture
async def group():
    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            yield group
            group.cancel_scope.cancel()


async def test_a_stream_tells_changes_once_and_the_newest_only(house, pulse, clock, group):
    give(house, (2, 1, 1.0, DOUBLE))
    listener = await listen(group, pulse)
    give(house, (2, 2, 2.0, DOUBLE))
    give(house, (2, 3, 3.0, DOUBLE))
    await clock.advance(0.5)
    texts = [row[1] for data in listener.of("values") for row in data["rows"]]
    assert texts == ["1.0000", "3.0000"]


async def test_at_most_ten_messages_of_values_a_second(house, pulse, clock, group):
    listener = await listen(group, pulse)
    for _ in range(100):
        house.step()
        await clock.advance(0.01)
    assert len(listener.of("values")) <= 11


async def test_a_stream_beats_and_tells_of_assets(house, pulse, clock, group):
    house.step()
    listener = await listen(group, pulse)
    await clock.advance(5)
    assert 5 <= len(listener.of("beat")) <= 6
    assert len(listener.of("assets")) == 1, "nothing changed, nothing is said again"
    give(house, (16, clock.now(), None, NULL, quality.BAD_NOT_CONNECTED))
    await clock.advance(1.5)
    changed = listener.of("assets")[1]
    view = PlantView.of(house.plant())
    assert {row[0] for row in changed} == {a.key for a in view.tree if a.name in ("energy", "compressor")}
    assert {row[1] for row in changed} == {"bad"}


async def test_reconnecting_resumes_after_what_was_seen(house, pulse, clock, group):
    house.step()
    listener = await listen(group, pulse)
    last = next(id for event, _, id in listener.got if event == "values")
    again = await listen(group, pulse, last_id=last)
    assert again.of("values") == []
    give(house, (2, clock.now() + 1, 7.0, DOUBLE))
    await clock.advance(0.2)
    assert [row[0] for row in again.of("values")[0]["rows"]] == [2]


@pytest.mark.parametrize("last", ["", "other-5", "nonsense", "-", "x-y"])
async def test_without_a_known_place_everything_is_told(house, pulse, group, last):
    house.step()
    listener = await listen(group, pulse, last_id=last)
    assert len(listener.of("values")[0]["rows"]) == 17


async def test_a_changed_folder_asks_for_a_new_page(house, pulse, clock, group):
    listener = await listen(group, pulse)
    house.described = paper_plant()
    await clock.advance(0.2)
    assert listener.got[-1][0] == "plant"
    assert listener.ended


async def test_a_stream_ends_now_and_then(house, pulse, clock, group, monkeypatch):
    monkeypatch.setattr(live, "LIFE", 3.0)
    listener = await listen(group, pulse)
    await clock.advance(4)
    assert listener.got[-1][0] == "again"
    assert listener.ended


async def test_pieces_are_sent_when_they_change(house, pulse, clock, group):
    html = {"connections": "<b>1</b>"}

    async def parts():
        for item in html.items():
            yield item

    listener = await listen(group, pulse, parts=parts)
    await clock.advance(3)
    assert listener.of("part") == [{"id": "connections", "html": "<b>1</b>"}]
    html["connections"] = "<b>2\n</b>"
    await clock.advance(1.5)
    assert listener.of("part")[-1]["html"] == "<b>2\n</b>"
