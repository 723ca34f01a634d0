"""From a value's source time to whoever subscribes to it: 10,000 signals ten times a second.

The field is an OPC UA server in a process of its own, Weft is what ``weft up`` runs: lines, edge, bus, history, page.
One subscriber listens in Weft's process, another in a process of its own over NATS, and that one also reads what is
stored, as a destination does. All clocks are this machine's.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import anyio
import numpy as np
import numpy.typing as npt
from anyio.abc import Process

from weft.app import House, bus_address, bus_server, load, state_of
from weft.bench import plant as bench_plant
from weft.bus import NEW, Bus, NatsBus, Start
from weft.bus.api import LIVE
from weft.model import Batch, Flag
from weft.runtime import Retry

__all__ = ["run"]

SIGNALS: Final = 10_000
RATE: Final = 100_000
WARM_UP: Final = 3.0
PATIENCE: Final = 60.0
CASES: Final = {"1 connection": 1, "20 connections, not in step": 20}
OURS: Final = np.uint16(Flag.SYNTHETIC | Flag.RECEIVE_TIME)


class Delays:
    """What a subscriber measures: ms from source time to its hands, and to the gateway's."""

    def __init__(self) -> None:
        self.begun = 0.0
        self._whole: list[npt.NDArray[np.int64]] = []
        self._field: list[npt.NDArray[np.int64]] = []

    async def follow(self, bus: Bus, start: Start) -> None:
        async with bus.subscribe("uns.v1.>", start=start) as values:
            while True:
                for message in await values.next(100):
                    if isinstance(message.body, Batch):
                        self._take(message.body, time.time_ns())

    def report(self) -> dict[str, Any]:
        whole, field = np.concatenate(self._whole) / 1e6, np.concatenate(self._field) / 1e6
        return {
            "ms_p50": round(float(np.percentile(whole, 50)), 2),
            "ms_p99": round(float(np.percentile(whole, 99)), 2),
            "ms_most": round(float(whole.max()), 2),
            "of_it_to_the_gateway_ms_p50": round(float(np.percentile(field, 50)), 2),
            "of_it_to_the_gateway_ms_p99": round(float(np.percentile(field, 99)), 2),
            "samples": len(whole),
        }

    def _take(self, batch: Batch, now: int) -> None:
        field = (batch.flags & OURS) == 0
        if not batch.source.startswith("load") or not field.any():
            return
        self.begun = self.begun or time.monotonic()
        if time.monotonic() - self.begun > WARM_UP:
            self._whole.append(now - batch.time[field])
            self._field.append(batch.received - batch.time[field])


async def run(seconds: float = 10.0) -> dict[str, Any]:
    """Of each case, for the subscriber in Weft's process and the two in another: ``ms_p50``, ``ms_p99``,
    ``ms_most``, and what of it passed before Weft had the value; ``cores`` that Weft used."""
    return {name: await _case(connections, seconds) for name, connections in CASES.items()}


async def _case(connections: int, seconds: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        plant = Path(folder) / "plant"
        async with bench_plant.load(SIGNALS // connections, RATE // connections, spread=True) as (port, _):
            bench_plant.write_plant(plant, port, SIGNALS, connections)
            async with _role("weft", plant, seconds) as weft, _role("watch", plant, seconds) as watcher:
                with anyio.fail_after(2 * PATIENCE + seconds):
                    await watcher.wait()
                    await weft.wait()
        for name in ROLES:
            found |= _read(plant, name)
    return found


@asynccontextmanager
async def _role(name: str, plant: Path, seconds: float) -> AsyncIterator[Process]:
    command = [sys.executable, "-m", "weft.bench.latency", name, str(plant), "--seconds", str(seconds)]
    log = (plant.parent / f"{name}.log").open("wb")
    async with await anyio.open_process(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.terminate()


def _read(plant: Path, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads(_result(plant, name).read_text()))
    except FileNotFoundError as error:
        log = (plant.parent / f"{name}.log").read_text(errors="replace").strip()[-2_000:]
        raise Retry(f"The process {name!r} of the benchmark ended without a result:\n{log}") from error


def _result(plant: Path, name: str) -> Path:
    return plant.parent / f"{name}.json"


# --- the two processes ------------------------------------------------------------------------------------


async def _weft(folder: Path, seconds: float) -> dict[str, Any]:
    house = House(folder, web={"port": 0})
    live, up = Delays(), anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(house.run, lambda _: up.set())
        await up.wait()
        group.start_soon(live.follow, house.bus, LIVE)
        await _until_warm(live)
        cpu, wall = time.process_time(), time.monotonic()
        await anyio.sleep(seconds)
        cores = (time.process_time() - cpu) / (time.monotonic() - wall)
        report = {"cores": round(cores, 3), "same_process": live.report()}
        await anyio.sleep(WARM_UP)  # the other subscriber began later
        group.cancel_scope.cancel()
    return report


async def _watch(folder: Path, seconds: float) -> dict[str, Any]:
    with anyio.fail_after(PATIENCE):
        while not (folder / ".weft" / "access" / "address").exists():
            await anyio.sleep(0.1)
    settings, state = load(folder).settings, state_of(folder)
    live, stored = Delays(), Delays()
    async with (
        NatsBus.connect(bus_address(settings, bus_server(settings, state))) as bus,
        anyio.create_task_group() as group,
    ):
        group.start_soon(live.follow, bus, LIVE)
        group.start_soon(stored.follow, bus, NEW)
        await _until_warm(stored)
        await anyio.sleep(seconds)
        group.cancel_scope.cancel()
    return {"other_process": live.report(), "stored": stored.report()}


async def _until_warm(delays: Delays) -> None:
    with anyio.fail_after(PATIENCE):
        while not delays.begun:
            await anyio.sleep(0.1)
    await anyio.sleep(WARM_UP)


ROLES: Final = {"weft": _weft, "watch": _watch}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m weft.bench.latency")
    parser.add_argument("role", choices=list(ROLES))
    parser.add_argument("plant", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    told = parser.parse_args()
    logging.disable(logging.CRITICAL)
    found = anyio.run(ROLES[told.role], told.plant, told.seconds)
    _result(told.plant, told.role).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
