"""The whole chain: OPC UA, mapped, fsynced, in history. The load is a process of its own, Weft is what
``weft up`` runs, nothing is left out but the readers.

The cost is read from the kernel's account of the two processes, Weft and its nats-server, over a window that
begins when values flow; afterwards every value that the connector took is counted in the files of history.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
from anyio.abc import Process

from weft.bench.plant import load, write_plant
from weft.history import Store
from weft.runtime.settings import state_dir
from weft.web import Access

__all__ = ["run"]

ITEMS: Final = 20_000
RATE: Final = 200_000
WARM_UP: Final = 6.0
PATIENCE: Final = 60.0
TICKS: Final = os.sysconf("SC_CLK_TCK")


async def run(seconds: float = 10.0) -> dict[str, Any]:
    """``weft`` and ``nats_server``: cores used and MB of resident memory (now and at most). ``per_second``
    values through the connector; ``taken`` and ``kept`` values in all, ``us_per_value`` CPU of Weft."""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        plant = Path(folder) / "plant"
        async with load(ITEMS, RATE) as (port, field):
            write_plant(plant, port, ITEMS)
            async with _weft(plant) as weft:
                await _until_flowing(plant)
                await anyio.sleep(WARM_UP)
                found = await _measure(plant, weft.pid, seconds)
                field.send_signal(signal.SIGSTOP)  # silent, but not gone: no line is lost, nothing is added
                await anyio.sleep(1.0)
                taken = await _taken(plant)
        kept = await _kept(plant)
    return found | {"taken": taken, "kept": kept, "lost": taken - kept}


async def _measure(plant: Path, weft: int, seconds: float) -> dict[str, Any]:
    nats = _child(weft, "nats-server")
    begun, cpu, values = time.monotonic(), (_cpu(weft), _cpu(nats)), await _taken(plant)
    await anyio.sleep(seconds)
    wall, through = time.monotonic() - begun, await _taken(plant) - values
    used = (_cpu(weft) - cpu[0], _cpu(nats) - cpu[1])
    return {
        "offered_per_second": RATE,
        "per_second": round(through / wall),
        "us_per_value": round(used[0] / through * 1e6, 3),
        "weft": {"cores": round(used[0] / wall, 3), **_memory(weft)},
        "nats_server": {"cores": round(used[1] / wall, 3), **_memory(nats)},
    }


@asynccontextmanager
async def _weft(plant: Path) -> AsyncIterator[Process]:
    command = [sys.executable, "-m", "weft.cli", "up", "--plant", str(plant), "--port", "0"]
    log = (plant.parent / "weft.log").open("wb")
    async with await anyio.open_process(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def _until_flowing(plant: Path) -> None:
    with anyio.fail_after(PATIENCE):
        while not (plant / ".weft" / "access" / "address").exists() or not await _taken(plant):
            await anyio.sleep(0.1)


async def _taken(plant: Path) -> int:
    status = await anyio.to_thread.run_sync(_ask, plant, "GET", "/api/v1/status")
    return sum(line["samples"] for line in status["connections"])


def _ask(plant: Path, method: str, path: str) -> dict[str, Any]:
    access = Access(state_dir(plant))
    request = urllib.request.Request(  # noqa: S310  # the address is our own instance's
        access.address + path, method=method, headers={"Authorization": f"Bearer {access.token}"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # as above
        return dict(json.load(answer))


async def _kept(plant: Path) -> int:
    with Store(state_dir(plant) / "history", read_only=True) as store:
        return int(
            (await store.sql("select count(*) from sample where flags & 256 = 0")).column(0)[0].as_py()
        )


def _child(parent: int, name: str) -> int:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")
                command = (entry / "comm").read_text().strip()
            except OSError:
                continue
            if command == name and int(fields[2].split()[1]) == parent:
                return int(entry.name)
    raise LookupError(f"process {parent} has no child {name}")


def _cpu(pid: int) -> float:
    """Seconds of CPU, user and system, that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _memory(pid: int) -> dict[str, int]:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "mb": int(status["VmRSS"].split()[0]) // 1024,
        "mb_most": int(status["VmHWM"].split()[0]) // 1024,
    }
