"""Commands and local logic over a real bus: intents that outlive Weft, requests from other programs, a bus that dies."""

from __future__ import annotations

import json
import os
import signal as signal_number
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest
from unit.edge.field import SITE, Field, signal, writable

from weft.app.commands import BusDoor
from weft.bus import NatsBus, NatsServer, Stream
from weft.edge import Edge, Logic, doors
from weft.model import Asset, Batch, Kind, Level, Rule, quality
from weft.runtime import NotFound, SystemClock

pytestmark = pytest.mark.anyio

EVENTS = Stream(name="events", subjects=("events.v1.>",))


@asynccontextmanager
async def running(tmp_path):
    with anyio.fail_after(40):
        async with NatsServer(tmp_path / "bus") as server, NatsBus.connect(server.address) as bus:
            await bus.declare(EVENTS)
            yield server, bus


def field(bus, **options):
    made = Field(
        signal("x", 1, write=writable(logic=True)),
        signal("t", 2),
        bus=bus,
        clock=SystemClock(),
        policy=doors(("test", "bus", "logic")),
        **options,
    )
    assets = {path: Asset(path=path, level=Level.SITE) for path in ("e", SITE)}
    made.plant = msgspec.structs.replace(made.plant, assets=assets)
    return made


async def test_a_command_of_before_a_restart_is_known_by_its_intent(tmp_path):
    async with running(tmp_path) as (server, bus):
        before = field(bus)
        first = await before.write("x", 5.0, id="one")
        assert first.status == 0
        async with NatsBus.connect(server.address) as other:
            after = field(other)
            again = await after.write("x", 5.0, id="one")
            assert (again.status, again.reason, again.value) == (first.status, first.reason, first.value)
            assert after.line.writes == []
        kinds = [kind for kind, _ in await before.events()]
        assert kinds == ["requested", "done"]


async def test_without_the_bus_nothing_is_sent(tmp_path, monkeypatch):
    monkeypatch.setattr("weft.edge.record.PATIENCE", 0.3)
    with anyio.fail_after(40):
        async with NatsServer(tmp_path / "bus") as server, NatsBus.connect(server.address) as bus:
            await bus.declare(EVENTS)
            made = field(bus)
            assert (await made.write("x", 5.0)).status == 0
            os.kill(server.pid, signal_number.SIGKILL)
            outcome = await made.write("x", 6.0)
            assert quality.status_name(outcome.status) == "BadResourceUnavailable"
            assert [value for _, value in made.line.writes] == [5.0]
            assert [event.kind for event in made.told] == [Kind.COMMAND_REFUSED]


async def test_other_programs_ask_over_the_bus(tmp_path):
    async with running(tmp_path) as (server, bus), NatsBus.connect(server.address) as program:
        made = field(bus)
        async with anyio.create_task_group() as group:
            door = BusDoor(bus, made.commands, lambda: made.plant)
            await group.start(_serving, door)
            body = {"signal": f"{SITE}/x", "value": 7, "actor": "planner", "via": "http"}
            answer = json.loads(await program.request("cmd.v1.write.e.s", json.dumps(body).encode()))
            assert (answer["done"], answer["status"], answer["value"]) == (True, "Good", 7.0)
            for wrong in (b"{", b"[]", b'{"signal": 1}', b"\xff", b'{"signal": "' + b"x" * 70_000 + b'"}'):
                refused = json.loads(await program.request("cmd.v1.write.e.s", wrong))
                assert refused["status"] == "BadInvalidArgument"
            call = {"connection": "plc", "target": "robot", "method": "start", "actor": "planner"}
            called = json.loads(await program.request("cmd.v1.call.e.s", json.dumps(call).encode()))
            assert (called["done"], called["value"]) == (True, [42])
            group.cancel_scope.cancel()
        events = await made.events()
        assert {data["via"] for _, data in events} == {"bus"}
        with pytest.raises(NotFound):
            await program.request("cmd.v1.write.e.s", b"{}")


async def _serving(door, *, task_status):
    await door.run(task_status.started)


async def test_a_rule_acts_and_its_events_reach_the_bus(tmp_path):
    async with running(tmp_path) as (_, bus):
        await bus.declare(Stream(name="samples", subjects=("uns.v1.>",)))
        made = field(bus)
        edge = Edge(bus, clock=SystemClock(), home=lambda _: SITE, flush_seconds=0.01)
        made.commands._fresh._latest = made.latest = edge.treatment.latest
        made.commands._record._tell = edge.tell
        logic = Logic(
            clock=SystemClock(), latest=edge.treatment.latest, execute=made.commands.execute, tell=edge.tell
        )
        rule = Rule(name="r", when=f"{{{SITE}/t}} > 3", set={f"{SITE}/x": f"{{{SITE}/t}} * 2"})
        logic.apply({"r": rule}, made.signals)
        edge.treatment.notice = logic.notice
        edge.apply(list(made.signals.values()), logic.watched)
        wanted = {Kind.LOGIC_STATE, Kind.COMMAND_REQUESTED, Kind.COMMAND_DONE}
        async with (
            bus.subscribe("events.v1.>") as events,
            bus.subscribe("uns.v1.>") as samples,
            anyio.create_task_group() as group,
        ):
            group.start_soon(edge.run, lambda: None)
            group.start_soon(logic.run, lambda: None)
            now = SystemClock().now()
            edge.accept(Batch.doubles([2], [now], [4.0], source="plc", sequence=1, received=now))
            while wanted:
                wanted -= {message.body.kind for message in await events.next(100)}
            (sample,) = await samples.next()
            assert sample.body.values() == [4.0]
            group.cancel_scope.cancel()
        assert made.line.writes == [(f"{SITE}/x", 8.0)]
