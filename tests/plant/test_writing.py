"""From the command line to the machine and back: a write, a refusal, a rule that acts, a clock that is seen."""

from __future__ import annotations

import json
import subprocess
import sys

import anyio
import pytest
from plant.houses import all_up, living, until
from servers.connect.opcua.conftest import Peer

from weft.bus import after

pytestmark = pytest.mark.anyio

ASSETS = """
["line"]
connection = "peer"
["line".signals.speed]
type = "Int64"
address = { node = "nsu=urn:peer:plant;s=counter0" }
write = { minimum = -10.0, maximum = 100.0, interlock = "{door} < 5" }
["line".signals.door]
address = { node = "nsu=urn:peer:plant;s=counter1" }
["line".signals.fan]
type = "Int64"
address = { node = "nsu=urn:peer:plant;s=counter2" }
write = { logic = true }
["line".signals.sum]
derive = "{speed} + {door}"
"""
RULE = 'when = "{line/speed} > 50"\nset = { "line/fan" = "{line/speed} + 1" }\n'


@pytest.fixture
def server():
    peer = Peer().start()
    yield peer
    peer.kill()


def folder_of(folder, url):
    files = {
        "plant.toml": '[plant]\nname = "Way"\nenterprise = "weft"\nsite = "test"\n',
        "connections/peer.toml": f'[opcua]\nendpoint = "{url}"\nsecurity = "none"\npublishing_interval = 0.05\n',
        "assets/line.toml": ASSETS,
        "logic/cool.toml": RULE,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


async def weft(*words):
    command = [sys.executable, "-m", "weft.cli", *map(str, words)]
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(command, capture_output=True, text=True, timeout=60)
    )
    return done.returncode, json.loads(done.stdout)


def value(house, name):
    handle = house.plant().signals[f"weft/test/{name}"].handle
    found = house.history.snapshot([handle])
    return found.value(0) if len(found) else None


async def test_a_command_reaches_the_machine_and_a_rule_follows(tmp_path, server):
    folder = folder_of(tmp_path / "plant", server.url)
    async with living(folder) as house:
        await until(lambda: all_up(house), 30)
        await until(lambda: value(house, "line/sum") == -2)
        ask = ("--plant", folder, "--json", "--reason", "test")
        assert (await weft("write", "line/speed", "60", "--dry-run", *ask))[1]["done"]
        code, answer = await weft("write", "line/speed", "60", *ask)
        assert (code, answer["status"], answer["value"]) == (0, "Good", 60)
        await until(lambda: value(house, "line/fan") == 61)
        await until(lambda: value(house, "line/sum") == 59)
        code, answer = await weft("write", "line/speed", "101", *ask)
        assert (code, answer["status"]) == (1, "BadOutOfRange")
        await server.tell("count", 2, 1, 7)
        await until(lambda: value(house, "line/door") == 7)
        code, answer = await weft("write", "line/speed", "1", *ask)
        assert (code, answer["status"]) == (1, "BadInvalidState")
        code, answer = await weft("write", "line/fan", "-1", *ask)
        assert (code, answer["status"]) == (0, "Good")
        actors = [data["actor"] for kind, data in await events(house) if kind.endswith("requested")]
        assert actors == ["local", "logic/cool", "local"]
        host = "weft/test/_weft/host/clock-synchronized"
        assert host in house.plant().signals
        await until(lambda: value(house, "_weft/host/clock-synchronized") is not None)


async def events(house):
    found = []
    with anyio.move_on_after(1):
        async with house.bus.subscribe("events.v1.weft.command.>", start=after(0)) as stream:
            while True:
                found += [(message.body.kind, message.body.data) for message in await stream.next(100)]
    return found
