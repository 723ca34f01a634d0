"""Weft and its broker are killed and stopped while destinations flow: each cursor holds, and every value is counted."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import asynccontextmanager

import anyio
import pytest
from plant import chains
from plant.houses import FOR_EVER, Program, all_up, living, until
from plant.test_kills import stream_of
from servers.connect.mqtt.broker import running as mosquitto
from servers.connect.opcua.conftest import Peer

from weft.app import load
from weft.cli.remote import call
from weft.history.columns import from_table
from weft.model import Flag
from weft.runtime.settings import state_dir

pytestmark = pytest.mark.anyio

MADE_UP = Flag.SYNTHETIC | Flag.REPEATED
PATIENCE = 10 * 10**9  # ns in which what was sent is known to be safe
SLOWLY = "backlog_rate = 300.0\nbatch_rows = 50\n"
NAMES = [f"counter{i}" for i in range(3)]


@pytest.fixture
def field():
    peer = Peer().start()
    yield peer
    peer.kill()


def folders(tmp_path, field, broker):
    near = chains.write(
        tmp_path / "near",
        connections__field=chains.opcua(field.url, outage_budget=60),
        assets__line=chains.asset("line", "field", {name: chains.near(name) for name in NAMES}),
        destinations__spb=chains.edge(broker.port, 'primary_host = "weft"\nhold = 2.0\nkeepalive = 2\n'),
        destinations__uns=chains.mqtt(broker.port, "keepalive = 2\n", SLOWLY),
    )
    far = chains.write(
        tmp_path / "far",
        connections__near=chains.host(broker.port, "keepalive = 2\n"),
        assets__copy=chains.asset("copy", "near", {n: chains.far("weft.test.line", n) for n in NAMES}),
    )
    return near, far


async def nothing_waits(folder):
    """Both destinations are up and have sent all."""
    found = await anyio.to_thread.run_sync(call, state_dir(folder), "GET", "/api/v1/status")
    return all(one["state"] == "up" and not one["waiting"] for one in found["destinations"])


async def test_every_cursor_holds(tmp_path, field):
    """Nothing is missing at the far sides, live values overtake the backlog, and only what was on its way when
    something died may come twice: neither MQTT nor Sparkplug can tell."""
    async with mosquitto(tmp_path) as broker:
        near, far = folders(tmp_path, field, broker)
        weft = Program(near, tmp_path / "near.log")
        async with living(far) as house, audited(broker, tmp_path) as auditor:
            weft.start()
            try:
                await weft.answers()
                await until(lambda: all_up(house) and list(auditor.heard()))
                await field.tell("tick", 0.02, len(NAMES))
                ends = await storms(weft, broker)
                await field.tell("still")
                await anyio.sleep(1)
                await until(lambda: nothing_waits(near), 30, 0.5)
                weft.stop()
            finally:
                weft.kill()
            expected = await kept(near)
            heard = list(auditor.heard())
            spark = await until(lambda: complete(house, expected), 20, 0.5)
    mqtt = Counter((path.rpartition("/")[2], time, value) for path, time, value, _ in heard)
    assert not expected - set(mqtt)
    assert overtaken(heard) > 100
    for name, found in (("MQTT", mqtt), ("Sparkplug", spark)):
        twice = [one for one, times in found.items() if times > 1]
        print(f"{len(expected)} values, {len(twice)} more than once by {name}")
        assert all(any(0 < end - time < PATIENCE for end in ends) for _, time, _ in twice), name


@asynccontextmanager
async def audited(broker, folder):
    with chains.Auditor(broker.port, folder / "heard") as auditor:
        yield auditor


async def kept(folder):
    """What the stream of samples has of the field: every counter whole."""
    names = {signal.handle: signal.name for signal in load(folder).signals_of("field")}
    batch = await stream_of(folder)
    found = {(names[r.signal], r.time, r.value) for r in batch if r.signal in names and not r.flags & MADE_UP}
    for name in NAMES:
        values = {value for one, _, value in found if one == name}
        assert values == set(range(-1, max(values) + 1))
        assert len(values) > 300
    return found


async def complete(house, expected):
    """How often each came to the far plant, once all have."""
    paths = {signal.handle: signal.name for signal in house.plant().signals_of("near")}
    rows = from_table(await house.history.raw(list(paths), -FOR_EVER, FOR_EVER))
    found = Counter((paths[r.signal], r.time, r.value) for r in rows if not r.flags & MADE_UP)
    return None if expected - set(found) else found


def overtaken(heard):
    """How many values of the backlog came after a live one that is younger."""
    newest, count = 0, 0
    for _, at, _, historical in heard:
        count += historical and at < newest
        newest = newest if historical else max(newest, at)
    return count


async def storms(weft, broker):
    """Weft is killed and restarted, the broker goes away for long, then both at once. When something ended."""
    ends = []

    def end(what):
        ends.append(time.time_ns())
        what()

    await anyio.sleep(1.5)
    end(weft.kill)
    weft.start()
    await weft.answers()
    await anyio.sleep(1.5)
    end(broker.stop)
    await anyio.sleep(6)
    await broker.start()
    await anyio.sleep(3)
    end(weft.stop)
    weft.start()
    await weft.answers()
    await anyio.sleep(1.5)
    end(broker.stop)
    await anyio.sleep(1)
    end(weft.kill)
    weft.start()
    await weft.answers()
    await broker.start()
    await anyio.sleep(3)
    return ends
