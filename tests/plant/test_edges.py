"""A rule, a derived signal, checks, a swinging door: put into one running plant by its folder, and taken out again."""

from __future__ import annotations

import contextlib
import json
import math
import os
import pathlib
import signal
import subprocess
import sys

import anyio
import pytest
from asyncua import ua
from plant import chains
from plant.houses import FOR_EVER, Program, all_up, living, until
from plant.typed import descendants
from servers.connect.opcua.conftest import Peer

from weft.bus import NatsBus, NatsServer, after
from weft.history.columns import from_table
from weft.model import Flag
from weft.runtime.settings import state_dir

pytestmark = pytest.mark.anyio

METHOD = "nsu=urn:peer:plant;s=add"


@pytest.fixture
def field():
    peer = Peer(commands=True).start()
    yield peer
    peer.kill()


def plant(tmp_path, field, methods=""):
    return chains.write(
        tmp_path / "plant",
        connections__field=methods + chains.opcua(field.url),
        assets__line=chains.asset("line", "field", signals()),
    )


def signals(speed="", fan="", load="", more=None):
    """``more`` lines of the signals speed (counter0), fan (counter2) and load (a double)."""
    fixed = {
        "speed": chains.near("counter0", 'type = "Int64"\n' + speed),
        "fan": chains.near("counter2", fan),
    }
    return {**fixed, "load": chains.near("Double", load), **(more or {})}


class Field:
    """The field's variables, set and read by a client of its own."""

    def __init__(self, client, space):
        self._client, self._space = client, space

    async def set(self, name, value):
        kind = ua.VariantType.Double if isinstance(value, float) else ua.VariantType.Int64
        await self.node(name).write_value(value, kind)

    async def value(self, name):
        return await self.node(name).read_value()

    def node(self, name):
        return self._client.get_node(ua.NodeId(name, self._space))


async def variables(client):
    return Field(client, await client.get_namespace_index("urn:peer:plant"))


def last(house, name):
    found = house.plant().signals.get(f"weft/test/line/{name}")
    rows = list(house.history.snapshot([found.handle])) if found else []
    return rows[0] if rows else None


def value(house, name):
    found = last(house, name)
    return found.value if found else None


async def events(house, *kinds):
    found = []
    with anyio.move_on_after(1):
        async with house.bus.subscribe("events.v1.>", start=after(0)) as stream:
            while True:
                bodies = [message.body for message in await stream.next(100)]
                found += [event for event in bodies if event.kind in kinds]
    return found


async def weft(*words):
    command = [sys.executable, "-m", "weft.cli", *map(str, words)]
    run = lambda: subprocess.run(command, capture_output=True, text=True, timeout=60)  # noqa: E731  # one line
    return await anyio.to_thread.run_sync(run)


async def test_rules_of_the_edge_come_and_go_while_the_plant_runs(tmp_path, field):
    folder = plant(tmp_path, field)
    async with living(folder) as house, chains.client(field.url) as client:
        there = await variables(client)
        await until(lambda: all_up(house) and value(house, "speed") == -1)
        since = house.lines()[0].since
        sum_ = {"sum": 'derive = "{speed} + {fan}"\n'}
        checked = "limits = { minimum = 0.0, maximum = 10.0 }\n"
        text = chains.asset(
            "line", "field", signals("write = { maximum = 90.0 }", "write = { logic = true }", checked, sum_)
        )
        rule = 'when = "{line/speed} > 50"\nset = { "line/fan" = "{line/speed} + 1" }\nelse = { "line/fan" = 0 }\n'
        chains.write(folder, assets__line=text, logic__cool=rule)
        await until(lambda: value(house, "sum") == -2)
        await there.set("counter0", 60)
        await until(lambda: value(house, "sum") == 121)  # 60, and the 61 that the rule wrote
        assert await there.value("counter2") == 61
        await there.set("Double", 11.5)
        await until(lambda: value(house, "load") == 11.5)
        assert last(house, "load").status == 0x40940000  # UncertainEngineeringUnitsExceeded
        await there.set("Double", 9.5)
        await until(lambda: value(house, "load") == 9.5)
        assert last(house, "load").status == 0
        (folder / "logic" / "cool.toml").unlink()
        chains.write(folder, assets__line=chains.asset("line", "field", signals()))
        await until(lambda: "weft/test/line/sum" not in house.plant().signals)
        await there.set("counter0", 0)
        await there.set("Double", 99.0)
        await until(lambda: value(house, "speed") == 0 and value(house, "load") == 99.0)
        assert last(house, "load").status == 0
        assert await there.value("counter2") == 61, "a rule that is gone has written"
        assert house.lines()[0].since == since, "the line was opened again"
        assert not any(service.restarts for service in house.services())


async def test_a_swinging_door_is_hung_and_taken_off_while_values_flow(tmp_path, field):
    """While it hangs, few values are kept, and every one that is left out lies within the deviation of the line."""
    folder = plant(tmp_path, field)
    async with living(folder) as house, chains.client(field.url) as client:
        there = await variables(client)
        await until(lambda: all_up(house) and value(house, "load") == 0)
        wave = [5 + 4 * math.sin(i / 20) for i in range(400)]
        told = await waved(there, wave[:100])
        chains.write(
            folder, assets__line=chains.asset("line", "field", signals(load="deviation = 0.2\nsilence = 2\n"))
        )
        await until(lambda: house.plant().signals["weft/test/line/load"].deviation == 0.2)
        thinned = await waved(there, wave[100:300])
        chains.write(folder, assets__line=chains.asset("line", "field", signals()))
        await until(lambda: not house.plant().signals["weft/test/line/load"].deviation)
        after_ = await waved(there, wave[300:])
        kept = await until(lambda: ended(house, after_[-1]))
    assert set(told) <= set(kept)
    assert set(after_) <= set(kept)
    inside = [pair for pair in kept if thinned[0][0] <= pair[0] <= thinned[-1][0]]
    assert 4 <= len(inside) < 60
    for time, number in thinned:
        assert abs(interpolated(kept, time) - number) <= 0.2 + 1e-9


async def waved(there, values):
    """Writes the values one after the other; ``[(time, value)]`` as the field has them."""
    told = []
    for number in values:
        await there.set("Double", number)
        found = await there.node("Double").read_data_value()
        told.append((round(found.SourceTimestamp.timestamp() * 1e6) * 1000, number))
        await anyio.sleep(0.005)
    return told


async def ended(house, final):
    """What is kept of the load, once the last one is there."""
    handle = house.plant().signals["weft/test/line/load"].handle
    rows = from_table(await house.history.raw([handle], -FOR_EVER, FOR_EVER))
    kept = [(row.time, row.value) for row in rows if not row.flags & Flag.SYNTHETIC]
    return kept if final in kept else None


def interpolated(kept, time):
    before = max(pair for pair in kept if pair[0] <= time)
    behind = min((pair for pair in kept if pair[0] >= time), default=before)
    if before == behind:
        return before[1]
    return before[1] + (behind[1] - before[1]) * (time - before[0]) / (behind[0] - before[0])


async def test_writing_and_calling_from_the_command_line(tmp_path, field):
    """What is refused is said in words; a dry run sends nothing and writes nothing down."""
    folder = plant(tmp_path, field)
    async with living(folder) as house, chains.client(field.url) as client:
        there = await variables(client)
        await until(lambda: all_up(house) and value(house, "speed") == -1)
        at = ("--plant", folder)
        refused = await weft("write", "line/speed", "5", *at)
        assert (refused.returncode, "must not be written" in refused.stderr + refused.stdout) == (1, True)
        guarded = signals("write = { minimum = 0.0, maximum = 90.0, step = 50.0 }\n")
        methods = f'methods = ["{await parent(client)}/{METHOD}"]\n'
        chains.write(folder, assets__line=chains.asset("line", "field", guarded))
        chains.write(folder, connections__field=methods + chains.opcua(field.url))
        await until(lambda: house.plant().connections["field"].methods and all_up(house))
        dry = await weft("write", "line/speed", "5", "--dry-run", "--json", *at)
        assert (dry.returncode, json.loads(dry.stdout)["done"]) == (0, True)
        assert await there.value("counter0") == -1
        for words, reason in (
            ("5.5", "whole number"),
            ("91", "above 90"),
            ("80", "largest step"),
            ("no", "number"),
        ):
            said = await weft("write", "line/speed", words, *at)
            assert said.returncode == 1
            assert reason in said.stdout + said.stderr, said
        done = await weft("write", "line/speed", "5", "--reason", "warm-up", *at)
        assert done.returncode == 0, done
        assert await there.value("counter0") == 5
        called = await weft("call", "field", await parent(client), METHOD, "2", "3", "--json", *at)
        assert called.returncode == 0, called
        assert json.loads(called.stdout)["value"][0] == 5
        other = await weft("call", "field", await parent(client), "nsu=urn:peer:plant;s=refuse", *at)
        assert other.returncode == 1
        assert "not among the methods" in other.stdout + other.stderr
        found = await events(house, *(f"weft.command.{kind}" for kind in ("requested", "done", "refused")))
    assert [event.kind.rpartition(".")[2] for event in found] == (
        ["refused"] * 5 + ["requested", "done"] * 2 + ["refused"]
    )
    assert found[5].data["why"] == "warm-up"


async def parent(client):
    [node] = [
        n
        for n in await client.nodes.objects.get_children()
        if (await n.read_browse_name()).Name == "Commands"
    ]
    return f"nsu=urn:peer:plant;{node.nodeid.to_string().partition(';')[2]}"


async def test_what_a_rule_did_without_the_bus_is_written_down_after_a_kill(tmp_path, field):
    """The bus is held down, a rule goes on acting, Weft is killed; afterwards every intent is in the stream."""
    rails = signals("write = { maximum = 90.0 }", "write = { logic = true }")
    folder = plant(tmp_path, field)
    rule = (
        'when = "{line/speed} > 50"\nset = { "line/fan" = "{line/speed} + 1" }\nelse = { "line/fan" = 0 }\n'
    )
    chains.write(folder, assets__line=chains.asset("line", "field", rails), logic__cool=rule)
    program = Program(folder, tmp_path / "log")
    async with chains.client(field.url) as client:
        there = await variables(client)
        program.start()
        try:
            await program.answers()
            await there.set("counter0", 60)
            await reaches(there, 61)
            await anyio.sleep(0.5)  # what is done while the bus is there takes its way
            async with anyio.create_task_group() as group:
                group.start_soon(held_down, program)
                await until(lambda: not buses(program))
                await anyio.sleep(0.3)  # the lost connection is noticed
                for speed, fan in ((0, 0), (70, 71), (1, 0), (80, 81)):
                    await there.set("counter0", speed)
                    await reaches(there, fan)
                program.kill()
                group.cancel_scope.cancel()
            assert (folder / ".weft" / "diary").exists()
            program.start()
            await program.answers()
            await until(lambda: not (folder / ".weft" / "diary").exists())
        finally:
            program.kill()
    found = [event.data["value"] for event in await requested(folder)]
    assert [value for value in found if value != 0] == [61, 71, 81]
    assert found.count(0) >= 2


async def reaches(there, wanted):
    async def there_is():
        return await there.value("counter2") == wanted

    await until(there_is, 10)


def buses(program):
    return [
        pid for pid in descendants(program.process.pid)
        if b"nats-server" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    ]  # fmt: skip


async def held_down(program):
    """Kills the bus again and again."""
    while True:
        with contextlib.suppress(OSError):
            for pid in buses(program):
                os.kill(pid, signal.SIGKILL)
        await anyio.sleep(0.02)


async def requested(folder):
    async with NatsServer(state_dir(folder) / "bus") as server, NatsBus.connect(server.address) as bus:
        with anyio.move_on_after(2):
            found = []
            async with bus.subscribe("events.v1.weft.command.requested.>", start=after(0)) as stream:
                while True:
                    found += [message.body for message in await stream.next(100)]
    return found
