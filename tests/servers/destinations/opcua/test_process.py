"""The server's process: limited, watched, started anew, and gone with its parent."""

import os
import pathlib
import signal
import subprocess
import sys

import anyio
import pytest
from asyncua import Client

from weft.destinations.opcua import OpcUaServer
from weft.runtime import NeedsHuman, Retry

pytestmark = pytest.mark.anyio

LOAD = "ns=2;s=Acme/Ulm/Milling/Mill 1/Load"


def alive(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


def said_of(pid, what):
    return pathlib.Path(f"/proc/{pid}/{what}").read_text()


def open_house(kit, **more):
    return kit.config(users={}, anonymous=True, insecure=True, **more)


async def ends_with(kit, plant, config, act):
    """The server is started, ``act`` is done to it, and what ``run`` raised is given."""
    plant.folder.mkdir(exist_ok=True)
    server, raised = OpcUaServer(config), []

    async def run():
        try:
            await server.run(plant)
        except (Retry, NeedsHuman) as error:
            raised.append(error)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            if act is not None:
                await plant.until(lambda: plant.ups)
                act(server.pid)
    return raised[0]


async def test_killed_it_is_to_be_started_again_and_shows_what_is_new(kit, tmp_path):
    plant, config = kit.plant(tmp_path / "feed"), open_house(kit)
    error = await ends_with(kit, plant, config, lambda pid: os.kill(pid, signal.SIGKILL))
    assert isinstance(error, Retry)
    plant.newest[0] = (0, kit.T + 1, 6.5, 11)
    plant.ups.clear()
    async with kit.serving(plant, config) as server, Client(server.url) as client:
        assert await client.get_node(LOAD).read_value() == 6.5


async def test_hung_it_is_ended(kit, tmp_path):
    pids = []

    def stop(pid):
        pids.append(pid)
        os.kill(pid, signal.SIGSTOP)

    error = await ends_with(kit, kit.plant(tmp_path / "feed"), open_house(kit, heartbeat=0.3), stop)
    assert isinstance(error, Retry)
    assert "not answered" in error.message
    assert not alive(pids[0])


async def test_an_address_that_is_taken_is_for_a_person(kit, tmp_path):
    async with kit.serving(kit.plant(tmp_path / "one"), open_house(kit)) as server:
        config = open_house(kit, port=server.port)
        error = await ends_with(kit, kit.plant(tmp_path / "two"), config, None)
        assert isinstance(error, NeedsHuman)
        assert str(server.port) in error.message


async def test_a_secret_that_is_not_there_is_for_a_person(kit, tmp_path):
    config = kit.config(users={"mes": {"password": "env:WEFT_NOT_SET"}})
    error = await ends_with(kit, kit.plant(tmp_path / "feed"), config, None)
    assert isinstance(error, NeedsHuman)
    assert "WEFT_NOT_SET" in error.message


async def test_it_has_its_limits_and_keeps_no_secret_where_others_look(kit, tmp_path):
    config = kit.config(max_memory_mb=700, nice=3)
    async with kit.serving(kit.plant(tmp_path / "feed"), config) as server:
        assert f"Max address space         {700 << 20}" in said_of(server.pid, "limits")
        assert os.getpriority(os.PRIO_PROCESS, server.pid) == 3
        assert kit.PASSWORD not in said_of(server.pid, "cmdline") + said_of(server.pid, "environ")
        assert (tmp_path / "feed" / "pki" / "own" / "key.pem").stat().st_mode & 0o077 == 0


async def test_it_ends_when_its_parent_is_killed(kit, tmp_path):
    script = f"""
import sys, anyio, pathlib
sys.path.insert(0, {str(pathlib.Path(__file__).parents[3])!r})
from servers.destinations.opcua.conftest import Kit
async def main():
    plant = Kit.plant(pathlib.Path({str(tmp_path / "feed")!r}))
    async with Kit.serving(plant, Kit.config(users={{}}, anonymous=True, insecure=True)) as server:
        print("pid", server.pid, flush=True)
        await anyio.sleep_forever()
anyio.run(main)
"""
    parent = started(script)
    try:
        said = await anyio.to_thread.run_sync(_pid, parent)
        parent.kill()
        with anyio.fail_after(10):
            while alive(said):  # noqa: ASYNC110  # not our child: nobody tells us
                await anyio.sleep(0.02)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()


def started(script):
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)


def _pid(parent):
    for line in parent.stdout:
        if line.startswith("pid"):
            return int(line.split()[1])
    raise AssertionError("it did not come up")
