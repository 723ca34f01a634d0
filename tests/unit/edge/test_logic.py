"""Local logic: when it acts, when it ceases, what it does without its inputs, and when it is stopped."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio
import pytest
from unit.edge.field import SITE, Field, signal, writable

from weft.edge.logic import Logic
from weft.model import Batch, Flag, Rule

pytestmark = pytest.mark.anyio

OPEN = writable(logic=True, readback=False)


class Hall(Field):
    """A field with rules over ``t`` (a temperature) and ``door``; ``fan`` and ``valve`` may be written."""

    def __init__(self, *rules, rails=OPEN, **options):
        super().__init__(
            signal("t", 1),
            signal("door", 2),
            signal("fan", 3, write=rails),
            signal("valve", 4, write=rails),
            **options,
        )
        self.logic = Logic(
            clock=self.clock, latest=self.latest, execute=self.commands.execute, tell=self.told.append
        )
        self.logic.apply({rule.name: rule for rule in rules}, self.signals)

    def hear(self, name, value, status=0, kind=11):
        super().hear(name, value, status, kind)
        self.logic.notice([self.signals[f"{SITE}/{name}"].handle])

    async def after(self, name, value, **fields):
        """What is written once a sample was heard."""
        self.hear(name, value, **fields)
        return await self.writes()

    async def writes(self):
        await anyio.wait_all_tasks_blocked()
        found, self.line.writes = [(p.rpartition("/")[2], v) for p, v in self.line.writes], []
        return found

    @property
    def states(self):
        return [e.data["state"] for e in self.told if e.kind == "weft.logic.state"]


@asynccontextmanager
async def working(*rules, **options):
    hall = Hall(*rules, **options)
    await hall.open()
    async with anyio.create_task_group() as group:
        group.start_soon(hall.logic.run, lambda: None)
        await anyio.wait_all_tasks_blocked()
        yield hall
        group.cancel_scope.cancel()


def rule(name="cool", **fields):
    return Rule(name=name, **{"when": "{e/s/t} > 80", "set": {f"{SITE}/fan": "{e/s/t} / 2"}, **fields})


async def test_it_acts_once_when_the_condition_begins_to_hold_and_once_when_it_ceases():
    async with working(rule(otherwise={f"{SITE}/fan": "0"})) as hall:
        assert await hall.after("t", 70.0) == []
        assert await hall.after("t", 90.0) == [("fan", 45.0)]
        assert await hall.after("t", 95.0) == []
        assert await hall.after("t", 60.0) == [("fan", 0)]
        assert await hall.after("t", 50.0) == []
        assert hall.states == ["active", "idle"]
        kinds = [(e.kind, e.data["actor"], e.data["via"]) for e in hall.told if "actor" in e.data]
        assert kinds == [("weft.command.requested", "logic/cool", "logic")] * 2
        (first, _) = [e.data["why"] for e in hall.told if "why" in e.data]
        assert first == "active: {e/s/t} > 80: t = 90.0"


async def test_only_after_it_held_for_a_while_without_a_break():
    async with working(rule(hold=5.0)) as hall:
        hall.hear("t", 90.0)
        await hall.clock.advance(4)
        assert await hall.after("t", 70.0) == []
        hall.hear("t", 90.0)
        await hall.clock.advance(4.9)
        assert await hall.writes() == []
        await hall.clock.advance(0.2)
        assert await hall.writes() == [("fan", 45.0)]


async def test_until_gives_hysteresis():
    async with working(rule(until="{e/s/t} < 75", otherwise={f"{SITE}/fan": "0"})) as hall:
        assert await hall.after("t", 81.0) == [("fan", 40.5)]
        assert await hall.after("t", 79.0) == []
        assert await hall.after("t", 82.0) == []
        assert await hall.after("t", 74.0) == [("fan", 0)]


async def test_while_it_is_active_it_writes_again_and_that_is_no_swinging():
    async with working(rule(every=2.0, per_minute=3)) as hall:
        assert await hall.after("t", 90.0) == [("fan", 45.0)]
        assert await hall.after("t", 92.0) == []
        for _ in range(10):
            await hall.clock.advance(2)
            assert await hall.writes() == [("fan", 46.0)]
        assert await hall.after("t", 20.0) == []
        await hall.clock.advance(10)
        assert await hall.writes() == []


async def test_without_good_inputs_it_does_not_act():
    async with working(rule(otherwise={f"{SITE}/fan": "0"})) as hall:
        assert await hall.after("t", 90.0, status=0x80310000) == []
        assert await hall.after("t", 90.0, status=0x40000000) == []
        assert await hall.after("t", 90.0) == [("fan", 45.0)]
        assert await hall.after("t", None, status=0x80310000, kind=0) == []
        assert await hall.after("t", float("nan")) == []
        assert hall.states == ["active"]


async def test_from_memory_it_does_not_act():
    async with working(rule()) as hall:
        hall.latest.take(Batch.of([(1, hall.clock.now(), 90.0, 11, 0, Flag.HISTORY)]))
        hall.logic.notice([1])
        assert await hall.writes() == []


async def test_the_watchdog_writes_what_is_safe_once():
    safe = rule(watchdog=5.0, safe={f"{SITE}/fan": "100", f"{SITE}/valve": "0"})
    async with working(safe) as hall:
        await hall.clock.advance(4)
        assert await hall.writes() == []
        await hall.clock.advance(2)
        assert await hall.writes() == [("fan", 100), ("valve", 0)]
        await hall.clock.advance(60)
        assert await hall.writes() == []
        assert await hall.after("t", 90.0) == [("fan", 45.0)]
        hall.hear("t", 90.0, status=0x80310000)
        await hall.clock.advance(4)
        hall.hear("t", 91.0)
        await hall.clock.advance(10)
        assert await hall.writes() == []
        assert hall.states == ["safe", "idle", "active"]


async def test_what_swings_too_often_is_halted_for_a_minute():
    swinging = rule(otherwise={f"{SITE}/fan": "0"}, per_minute=4, watchdog=9.0, safe={f"{SITE}/valve": "1"})
    async with working(swinging) as hall:
        written = []
        for value in [90.0, 10.0] * 6:
            written += await hall.after("t", value)
        assert written == [("fan", 45.0), ("fan", 0), ("fan", 45.0), ("fan", 0), ("valve", 1)]
        assert hall.states[-1] == "halted"
        await hall.clock.advance(59)
        assert await hall.after("t", 90.0) == []
        await hall.clock.advance(2)
        assert await hall.writes() == [("fan", 45.0)]


async def test_it_goes_through_the_same_guard():
    async with working(
        rule(set={f"{SITE}/fan": "{e/s/t} * 2"}), rails=writable(logic=True, maximum=100.0)
    ) as hall:
        assert await hall.after("t", 90.0) == []
        ((kind, data),) = await hall.events()
        assert (kind, data["status"], data["actor"]) == ("refused", "BadOutOfRange", "logic/cool")


async def test_what_local_logic_must_not_write_stays_as_it_is():
    async with working(rule(), rails=writable(readback=False)) as hall:
        assert await hall.after("t", 90.0) == []


async def test_what_could_not_be_sent_is_tried_again_while_it_still_holds():
    async with working(rule(), rails=writable(logic=True, readback=False, interval=3.0)) as hall:
        assert await hall.after("t", 90.0) == [("fan", 45.0)]
        await hall.after("t", 10.0)
        assert await hall.after("t", 84.0) == []
        await hall.clock.advance(4)
        assert await hall.writes() == [("fan", 42.0)]


async def test_it_needs_no_bus():
    async with working(rule()) as hall:
        hall.bus.closed = True
        assert await hall.after("t", 90.0) == [("fan", 45.0)]
        kinds = [event.kind for event in hall.told]
        assert kinds[1:] == ["weft.command.requested", "weft.command.done"]


async def test_a_changed_rule_starts_anew_and_an_unchanged_one_goes_on():
    one, two = rule("one"), rule("two", set={f"{SITE}/valve": "1"})
    async with working(one, two) as hall:
        assert sorted(await hall.after("t", 90.0)) == [("fan", 45.0), ("valve", 1)]
        changed = rule("two", set={f"{SITE}/valve": "2"})
        hall.logic.apply({"one": one, "two": changed}, hall.signals)
        assert await hall.writes() == [("valve", 2)]
        hall.logic.apply({"one": one, "two": rule("two", enabled=False)}, hall.signals)
        assert await hall.after("t", 10.0) == []
        assert await hall.after("t", 88.0) == [("fan", 44.0)]
