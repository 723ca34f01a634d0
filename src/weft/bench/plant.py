"""The plant of a benchmark: one machine of many signals, over one connection or several, and its load beside it."""

from __future__ import annotations

import csv
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import Process

__all__ = ["load", "write_plant"]


def write_plant(plant: Path, port: int, items: int, connections: int = 1) -> None:
    """Half of the signals are scaled, so that mapping has something to do."""
    for name in ("assets", "connections", "signals"):
        (plant / name).mkdir(parents=True)
    (plant / "plant.toml").write_text('[plant]\nname = "Load"\nenterprise = "bench"\nsite = "load"\n')
    assets = []
    for i in range(connections):
        assets.append(f'["area/line/machine{i}"]\nconnection = "load{i}"\n')
        (plant / "connections" / f"load{i}.toml").write_text(
            f'[opcua]\nendpoint = "opc.tcp://127.0.0.1:{port}"\nsecurity = "none"\n'
            "publishing_interval = 0.1\ntimeout = 30.0\n"
        )
    (plant / "assets" / "area.toml").write_text("\n".join(assets))
    with (plant / "signals" / "load.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["asset", "name", "scale", "address.node"])
        for i in range(items):
            machine = f"area/line/machine{i % connections}"
            writer.writerow([machine, f"s{i}", "0.1" if i % 2 else "", f"ns=2;s=load{i}"])


@asynccontextmanager
async def load(items: int, rate: int, *, spread: bool = False) -> AsyncIterator[tuple[int, Process]]:
    """The port of an OPC UA server in a process of its own; ``rate`` changes a second of a client that monitors
    ``items``. ``spread``: several clients get theirs one after the other, not all at once."""
    command = [sys.executable, "-m", "weft.bench.opcua", "serve", "--types", "doubles"]
    command += ["--items", str(items), "--rate", str(rate), *(["--spread"] if spread else [])]
    async with await anyio.open_process(command, stderr=None) as process:
        assert process.stdout is not None
        try:
            yield int((await process.stdout.receive()).decode().strip()), process
        finally:
            process.send_signal(signal.SIGKILL)
