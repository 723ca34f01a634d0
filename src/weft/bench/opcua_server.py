"""What a change costs Weft's own OPC UA server, beside asyncua's, with nobody listening and with 1,000 items watched.

Each server is a process of its own, as is the client that watches. Ours is the destination as Weft runs it: samples
come as batches from the process that feeds it, and what that spends on them counts, too. asyncua's writes the values
itself, by its fastest way (``Server.write_attribute_value``), so nothing is added for its feeding.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import anyio
import numpy as np
from anyio.abc import Process
from asyncua.server.server import Server

from weft.bench import proc
from weft.bench.opcua import Counter
from weft.connect import Point
from weft.connect.opcua import Address, OpcUa
from weft.connect.opcua import Config as ClientConfig
from weft.destinations import Delivery
from weft.destinations.opcua import Config, OpcUaServer
from weft.model import Asset, Batch, Call, Command, Level, Outcome, Signal, ValueType
from weft.runtime import Clock, SystemClock
from weft.ua.stack import ua

__all__ = ["run"]

ITEMS: Final = 2_000
RATE: Final = 20_000
WATCHED: Final = 1_000
STEP: Final = 0.1
WARM_UP: Final = 1.0
PATIENCE: Final = 60.0
HOME: Final = "bench/load/area/line/machine"


class Plant:
    """The feed of our server: all signals change at each step, ``rate`` times a second; 0: as fast as it takes
    them."""

    def __init__(self, folder: Path, rate: int) -> None:
        self.name, self.folder = "opcua", folder
        self.clock: Clock = SystemClock()
        self.changes = 0
        self.upped = anyio.Event()
        self.signals: Sequence[Signal] = [
            Signal(handle=i, path=f"{HOME}/s{i}", connection="c", address=None, type=ValueType.DOUBLE)
            for i in range(ITEMS)
        ]
        parts = HOME.split("/")
        self.assets: Mapping[str, Asset] = {
            path: Asset(path=path, level=level)
            for path, level in (("/".join(parts[: n + 1]), level) for n, level in enumerate(list(Level)[:5]))
        }
        self._handles = np.arange(ITEMS)
        self._pace = rate / ITEMS
        self._due = 0.0

    async def changed(self, seen: Sequence[Signal]) -> None:
        await anyio.sleep_forever()

    def snapshot(self) -> Batch:
        return self._step()

    async def take(self) -> Delivery:
        if self._pace:
            self._due = max(self._due + 1 / self._pace, anyio.current_time() - 1.0)
            await anyio.sleep(max(self._due - anyio.current_time(), 0))
        return Delivery(self._step(), live=True, id="")

    async def settle(self, delivery: Delivery) -> None:
        self.changes += len(delivery.batch)

    def up(self, detail: str = "") -> None:
        self.upped.set()

    def recall(self) -> dict[str, Any]:
        return {}

    def remember(self, data: dict[str, Any]) -> None:
        return None

    async def command(self, command: Command) -> Outcome:
        return Outcome(id=command.id)

    async def call(self, call: Call) -> Outcome:
        return Outcome(id=call.id)

    def _step(self) -> Batch:
        now = time.time_ns()
        return Batch.doubles(self._handles, np.full(ITEMS, now), np.full(ITEMS, float(now)))


# --- the processes ----------------------------------------------------------------------------------------


async def _ours(folder: Path, rate: int) -> None:
    """Our server and its feed; tells how many changes it took and what both processes spent."""
    server = OpcUaServer(Config(anonymous=True, insecure=True, port=0))
    plant = Plant(folder, rate)
    async with anyio.create_task_group() as group:
        group.start_soon(server.run, plant)
        await plant.upped.wait()
        print(
            json.dumps({"url": f"opc.tcp://127.0.0.1:{server.port}", "node": f"ns=2;s={HOME}/s"}), flush=True
        )
        while True:
            await anyio.sleep(STEP)
            spent = proc.cpu(server.pid) + time.process_time()
            _tell({"changes": plant.changes, "cpu": spent, **proc.memory(server.pid)})


async def _asyncua(folder: Path, rate: int) -> None:
    server: Any = Server()
    await server.init()
    server.set_endpoint("opc.tcp://127.0.0.1:0")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    machine = await server.nodes.objects.add_object(2, "machine")
    ids = []
    for i in range(ITEMS):
        node = await machine.add_variable(ua.NodeId(f"{HOME}/s{i}", 2), f"s{i}", 0.0)
        ids.append(node.nodeid)
    async with server:
        url = f"opc.tcp://127.0.0.1:{server.bserver.port}"
        print(json.dumps({"url": url, "node": f"ns=2;s={HOME}/s"}), flush=True)
        changes, due = 0, anyio.current_time()
        while True:
            due = max(due + ITEMS / rate, anyio.current_time() - 1.0)
            await anyio.sleep(max(due - anyio.current_time(), 0))
            now = datetime.now(UTC).replace(tzinfo=None)
            value = ua.DataValue(ua.Variant(now.timestamp(), ua.VariantType.Double), SourceTimestamp=now)
            for id in ids:
                await server.write_attribute_value(id, value)
            changes += ITEMS
            _tell({"changes": changes, "cpu": time.process_time(), **proc.memory(os.getpid())})


def _tell(said: dict[str, float]) -> None:
    print(json.dumps({**said, "at": time.monotonic()}), flush=True)


async def _watch(url: str, node: str) -> None:
    """A client of 1,000 items that counts; ours, since it costs the other processes the least."""
    points = [Point(i, f"p/{i}", Address(node=f"{node}{i}")) for i in range(WATCHED)]
    link = Counter(points)
    config = ClientConfig(endpoint=url, security="none", publishing_interval=0.1)
    async with anyio.create_task_group() as group:
        group.start_soon(OpcUa(config).run, link)
        while True:
            await anyio.sleep(STEP)
            _tell({"values": link.values})


# --- the measurement --------------------------------------------------------------------------------------


async def run(seconds: float = 5.0) -> dict[str, Any]:
    """``us_per_change`` CPU of each server at 20,000 changes/s, with no item watched and with 1,000 that change ten
    times a second, and how many times ours asyncua's is; then ours as fast as it takes changes."""
    found: dict[str, Any] = {}
    for watched in (0, WATCHED):
        case: dict[str, Any] = {who: await _one(who, RATE, watched, seconds) for who in ("weft", "asyncua")}
        case["asyncua / weft"] = round(case["asyncua"]["us_per_change"] / case["weft"]["us_per_change"], 1)
        case["weft at full speed"] = await _one("weft", 0, watched, seconds)
        found[f"{watched:,} items watched"] = case
    return found


async def _one(who: str, rate: int, watched: int, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        async with _role(who, "--folder", folder, "--rate", str(rate)) as server:
            place = await server.next()
            if not watched:
                return await _measure(server, seconds)
            async with _role("watch", "--url", place["url"], "--node", place["node"]) as client:
                while not (await client.next())["values"]:
                    pass
                await anyio.sleep(WARM_UP)
                before = await client.next()
                found = await _measure(server, seconds)
                after = await client.next()
        heard = (after["values"] - before["values"]) / (after["at"] - before["at"])
        return {**found, "notifications_per_second": round(heard)}


async def _measure(server: Said, seconds: float) -> dict[str, float]:
    await anyio.sleep(WARM_UP)
    before = await server.next()
    await anyio.sleep(seconds)
    after = await server.next()
    changes, cpu, span = (after[name] - before[name] for name in ("changes", "cpu", "at"))
    return {
        "per_second": round(changes / span),
        "us_per_change": round(cpu / max(changes, 1) * 1e6, 3),
        "cores": round(cpu / span, 3),
        "mb": after["mb"],
    }


class Said:
    """What a process says, line by line of JSON; who asks hears what comes next."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._newest: dict[str, Any] = {}
        self._news = anyio.Event()

    async def follow(self) -> None:
        text = ""
        assert self.process.stdout is not None
        async for data in self.process.stdout:
            *lines, text = (text + data.decode()).split("\n")
            for line in lines:
                if line.startswith("{"):
                    self._newest = json.loads(line)
                    self._news.set()
                    self._news = anyio.Event()

    async def next(self) -> dict[str, Any]:
        with anyio.fail_after(PATIENCE):
            await self._news.wait()
        return self._newest


@asynccontextmanager
async def _role(*options: str) -> AsyncIterator[Said]:
    command = [sys.executable, "-m", "weft.bench.opcua_server", *options]
    async with await anyio.open_process(command, stderr=subprocess.DEVNULL) as process:
        said = Said(process)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(said.follow)
                yield said
                group.cancel_scope.cancel()
        finally:
            with suppress(ProcessLookupError):
                process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m weft.bench.opcua_server")
    parser.add_argument("role", choices=["weft", "asyncua", "watch"])
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--url", default="")
    parser.add_argument("--node", default="")
    told = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if told.role == "watch":
        anyio.run(_watch, told.url, told.node)
    else:
        anyio.run(_ours if told.role == "weft" else _asyncua, told.folder, told.rate)


if __name__ == "__main__":
    main()
