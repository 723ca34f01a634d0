"""The field as a whole: it comes back after a kill on the same way, and goes with its parent."""

import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from weft.demo import Field, FieldFailed
from weft.demo.truth import last_time, occurrences, read

pytestmark = pytest.mark.anyio


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def latest(truth, process):
    return last_time(truth, process) or 0


async def test_a_killed_machine_goes_on_where_it_would_have_been(field, tmp_path, replay, until):
    truth = tmp_path / "truth"
    with anyio.fail_after(90):
        async with field(speed=20.0, until=120.0) as f:
            f.release()
            end = f.start // 1_000_000 * 1_000_000 + 120_000_000_000
            for name in ("mill", "packing"):
                await until(lambda name=name: latest(truth, name) > f.start)
                before = f.pids[name]
                assert f.kill(name) == before
            await until(lambda: min(latest(truth, "mill"), latest(truth, "packing")) == end, 0.2)
            await f.up("mill", "washer", "meters", "broker")
            assert f.restarts["mill"] == f.restarts["packing"] == 1
            assert f.restarts["washer"] == f.restarts["meters"] == f.restarts["broker"] == 0
    rows = read(truth)
    assert not replay(4, f.start).differing(rows)
    factory = replay(4, f.start).factory
    factory.run_to(600)
    true = [(h.machine, h.kind, h.data) for h in factory.happenings() if h.machine in {"mill", "packing"}]
    told = [(o.machine, o.event, o.data) for o in occurrences(truth) if o.machine in {"mill", "packing"}]
    key = str
    assert sorted(told, key=key) == sorted(true, key=key)


async def test_a_killed_broker_and_modbus_device_come_back_on_their_ports(field, until):
    with anyio.fail_after(90):
        async with field() as f:
            ports, pids = f.ports, f.pids
            for name in ("broker", "washer"):
                f.kill(name)
                await until(lambda name=name: f.pids.get(name, pids[name]) != pids[name])
            await f.up("broker", "washer")
            assert f.ports == ports
            assert f.pids["mill"] == pids["mill"]
    assert not [pid for pid in f.pids.values() if alive(pid)]


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel to end children with their parent")
async def test_nobody_outlives_a_killed_parent(tmp_path, until):
    script = (
        "import anyio, sys\n"
        "from pathlib import Path\n"
        "from weft.demo import Field\n"
        "async def main():\n"
        "    async with Field(Path(sys.argv[1])) as field:\n"
        "        print(*field.pids.values(), flush=True)\n"
        "        await anyio.sleep_forever()\n"
        "anyio.run(main)\n"
    )
    with anyio.fail_after(90):
        async with await anyio.open_process(
            [sys.executable, "-c", script, str(tmp_path)], stderr=subprocess.DEVNULL
        ) as p:
            line = await BufferedByteReceiveStream(p.stdout).receive_until(b"\n", 1000)
            pids = [int(pid) for pid in line.split()]
            assert len(pids) == 5
            assert all(alive(pid) for pid in pids)
            os.kill(p.pid, signal.SIGKILL)
            await until(lambda: not any(alive(pid) for pid in pids))


async def test_a_server_that_cannot_start_is_told_with_its_last_words(tmp_path):
    blocked = tmp_path / "broker" / "broker.conf"
    blocked.mkdir(parents=True)  # the broker cannot write its configuration
    with anyio.fail_after(90), pytest.raises(FieldFailed, match=r"(?s)broker crashed .*IsADirectoryError"):
        async with Field(tmp_path):
            pass


async def test_an_error_inside_comes_out_as_it_is(tmp_path):
    with anyio.fail_after(90), pytest.raises(ZeroDivisionError):
        async with Field(tmp_path, wait=False):
            raise ZeroDivisionError


async def test_in_real_time_a_factory_that_was_held_catches_up_with_the_clock(tmp_path, until):
    with anyio.fail_after(90):
        async with Field(tmp_path / "field", truth=tmp_path / "truth", hold=True, processes=["mill"]) as f:
            held = latest(tmp_path / "truth", "mill")
            assert held == f.start // 1_000_000 * 1_000_000
            released = time.time_ns()
            f.release()
            await until(lambda: latest(tmp_path / "truth", "mill") >= released)
            assert latest(tmp_path / "truth", "mill") <= time.time_ns()
    steps = sorted({row.time for row in read(tmp_path / "truth")})
    assert all((b - a) % 200_000_000 == 0 for a, b in pairwise(steps)), (
        "always on the steps of the simulation"
    )
