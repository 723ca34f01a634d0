"""The whole chain: OPC UA, mapped, fsynced, in history. The load is a process of its own, Weft is what
``weft up`` runs, nothing is left out but the readers.

The cost is read from the kernel's account of the two processes, Weft and its nats-server, over a window that
begins when values flow; afterwards every value that the connector took is counted in the files of history.
"""

from __future__ import annotations

import json
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

from weft.app import folder
from weft.bench import proc
from weft.bench.plant import load, write_plant
from weft.history import Store
from weft.model.sources import HEALTH
from weft.runtime.settings import state_dir
from weft.web import Access

__all__ = ["run"]

ITEMS: Final = 20_000
RATE: Final = 200_000
WARM_UP: Final = 6.0
PATIENCE: Final = 60.0


async def run(seconds: float = 10.0) -> dict[str, Any]:
    """``weft`` and ``nats_server``: cores used and MB of resident memory (now and at most). ``per_second``
    values through the connector; ``taken`` and ``kept`` values in all, ``us_per_value`` CPU of Weft."""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as place:
        plant = Path(place) / "plant"
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
    nats = proc.child(weft, "nats-server")
    begun, cpu, values = time.monotonic(), (proc.cpu(weft), proc.cpu(nats)), await _taken(plant)
    await anyio.sleep(seconds)
    wall, through = time.monotonic() - begun, await _taken(plant) - values
    used = (proc.cpu(weft) - cpu[0], proc.cpu(nats) - cpu[1])
    return {
        "offered_per_second": RATE,
        "per_second": round(through / wall),
        "us_per_value": round(used[0] / through * 1e6, 3),
        "weft": {"cores": round(used[0] / wall, 3), **proc.memory(weft)},
        "nats_server": {"cores": round(used[1] / wall, 3), **proc.memory(nats)},
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
    """Samples of the field; Weft adds some of its own, about the health of its connections."""
    health = ", ".join(str(signal.handle) for signal in folder.load(plant).signals_of(HEALTH))
    query = f"select count(*) from sample where flags & 256 = 0 and signal not in ({health or -1})"  # noqa: S608  # numbers
    with Store(state_dir(plant) / "history", read_only=True) as store:
        return int((await store.sql(query)).column(0)[0].as_py())
