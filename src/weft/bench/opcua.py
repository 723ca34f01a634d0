"""What a value costs each OPC UA client: CPU µs of its whole process, load and client in processes of their own.

``python -m weft.bench.opcua serve --port 0 --items 20000 --rate 200000`` is the load alone (see
:mod:`weft.bench.opcua_load`); it prints its port.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio
from asyncua.client.client import Client

from weft.bench.opcua_load import TYPES, serve
from weft.connect import Point, Recorder
from weft.connect.opcua import Address, Config, OpcUa
from weft.model import Batch

__all__ = ["NODE_CLIENT", "Counter", "node_ready", "run", "serve"]

NODE_CLIENT: Final = Path(__file__).parents[3] / "tests" / "peers" / "node-opcua" / "client.js"
SELF: Final = (sys.executable, "-m", "weft.bench.opcua")


class Counter(Recorder):
    """Counts instead of keeping."""

    values = 0

    def emit(self, batch: Batch, stored: Callable[[], None] | None = None) -> None:
        self.values += len(batch)
        if stored is not None:
            stored()
        self._tell()


class Cost:
    """CPU of this process from :meth:`begin` to :meth:`report`."""

    def __init__(self) -> None:
        self._cpu = self._wall = 0.0
        self._values = 0

    def begin(self, values: int) -> None:
        self._values, self._wall, self._cpu = values, time.monotonic(), time.process_time()

    def report(self, values: int) -> dict[str, float]:
        counted, wall = values - self._values, time.monotonic() - self._wall
        cpu = time.process_time() - self._cpu
        return {
            "values": counted,
            "per_second": round(counted / wall),
            "us_per_value": round(cpu / max(counted, 1) * 1e6, 3),
            "cores": round(cpu / wall, 4),
            "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }


async def measure_weft(port: int, items: int, seconds: float) -> dict[str, float]:
    """Our connector up to ``emit``."""
    points = [Point(i, f"p/{i}", Address(node=f"ns=2;s=load{i}")) for i in range(items)]
    link, cost = Counter(points), Cost()
    config = Config(
        endpoint=f"opc.tcp://127.0.0.1:{port}", security="none", publishing_interval=0.1, timeout=30.0
    )
    async with anyio.create_task_group() as group:
        group.start_soon(OpcUa(config).run, link)
        await link.until(lambda: link.values > 0, 60)
        await anyio.sleep(1.0)
        cost.begin(link.values)
        await anyio.sleep(seconds)
        report = cost.report(link.values)
        group.cancel_scope.cancel()
    return report


class Handler:
    """asyncua's way: called for each value."""

    def __init__(self) -> None:
        self.values = 0
        self.first = anyio.Event()

    def datachange_notification(self, node: Any, value: Any, data: Any) -> None:
        self.values += 1
        self.first.set()


async def measure_asyncua(port: int, items: int, seconds: float) -> dict[str, float]:
    """asyncua's subscription handler, as its documentation shows it."""
    handler, cost = Handler(), Cost()
    client: Any = Client(f"opc.tcp://127.0.0.1:{port}", timeout=30)
    async with client:
        subscription = await client.create_subscription(100, handler)
        nodes = [client.get_node(f"ns=2;s=load{i}") for i in range(items)]
        for at in range(0, items, 500):
            await subscription.subscribe_data_change(nodes[at : at + 500], queuesize=10)
        await handler.first.wait()
        await anyio.sleep(1.0)
        cost.begin(handler.values)
        await anyio.sleep(seconds)
        return cost.report(handler.values)


async def run(seconds: float = 5.0) -> dict[str, Any]:
    """CPU µs per value of each client, and the ratios: load and client in processes of their own, the same
    load for all (2,000 items, 20,000/s), then ours alone at 20,000 items and 200,000/s. A peer that is not
    installed is None."""
    peers = {
        "weft": [*SELF, "measure", "weft"],
        "asyncua": [*SELF, "measure", "asyncua"],
        "node-opcua": ["node", str(NODE_CLIENT)] if node_ready() else [],
    }
    found: dict[str, Any] = {
        name: await _one(command, 2_000, 20_000, seconds) for name, command in peers.items()
    }
    found["weft at 200,000/s"] = await _one(peers["weft"], 20_000, 200_000, seconds)
    ours = found["weft"]["us_per_value"]
    ratios = {
        f"{name} / weft": round(found[name]["us_per_value"] / ours, 1)
        for name in ("asyncua", "node-opcua")
        if found[name]
    }
    return {"clients": found, "ratios": ratios}


def node_ready() -> bool:
    """Whether the peer from npm is there."""
    return shutil.which("node") is not None and (NODE_CLIENT.parent / "node_modules").is_dir()


async def _one(command: list[str], items: int, rate: int, seconds: float) -> dict[str, Any] | None:
    if not command:
        return None
    load = [*SELF, "serve", "--items", str(items), "--rate", str(rate)]
    async with await anyio.open_process(load, stderr=None) as server:
        try:
            assert server.stdout is not None
            port = (await server.stdout.receive()).decode().strip()
            options = ["--port", port, "--items", str(items), "--seconds", str(seconds)]
            done = await anyio.run_process([*command, *options], stderr=None)
            return dict(json.loads(done.stdout.decode().splitlines()[-1]))
        finally:
            server.send_signal(signal.SIGTERM)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m weft.bench.opcua")
    parser.add_argument("what", choices=["serve", "measure", "run"])
    parser.add_argument("client", nargs="?", choices=["weft", "asyncua"])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=200_000.0)
    parser.add_argument("--types", choices=list(TYPES), default="mixed")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--spread", action="store_true")
    parser.add_argument("--seconds", type=float, default=5.0)
    told = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if told.what == "serve":
        asyncio.run(serve(told.port, told.items, told.rate, told.types, told.steps, spread=told.spread))
    elif told.what == "run":
        print(json.dumps(asyncio.run(run(told.seconds)), indent=2))
    else:
        client = measure_asyncua if told.client == "asyncua" else measure_weft
        print(json.dumps(asyncio.run(client(told.port, told.items, told.seconds))))


if __name__ == "__main__":
    main()
