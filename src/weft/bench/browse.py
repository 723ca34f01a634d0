"""How long it takes to know what a server has: names, types, values and units of 100,000 variables, every tenth with a
unit, at a node-opcua server in a process of its own. asyncua's client is asked for the same of one folder of 1,000.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import anyio
from anyio.streams.text import TextReceiveStream
from asyncua.client.client import Client

from weft.bench import proc
from weft.bench.opcua import NODE_CLIENT, node_ready
from weft.connect.opcua import Config, OpcUa
from weft.ua.stack import ua

__all__ = ["run"]

NODES: Final = 100_000
FOLDER: Final = 1_000
SERVER: Final = NODE_CLIENT.with_name("many.js")
PATIENCE: Final = 180.0


async def run(seconds: float = 5.0) -> dict[str, Any]:
    """``seconds`` of wall clock and of CPU of each client, and the server's CPU; None without node-opcua. How long it
    takes is the result: ``seconds`` as given here is not used."""
    if not node_ready():
        return {"node-opcua's server": None}
    found: dict[str, Any] = {}
    async with _server() as (port, pid):
        for name, client, count in (
            ("weft, 100,000 nodes", "weft", NODES),
            ("weft, 1,000 nodes", "weft", FOLDER),
            ("asyncua, 1,000 nodes", "asyncua", FOLDER),
        ):
            found[name] = await _client(client, port, pid, count)
    ours, theirs = found["weft, 1,000 nodes"], found["asyncua, 1,000 nodes"]
    found["ratios"] = {
        "asyncua / weft, seconds": round(theirs["seconds"] / ours["seconds"], 1),
        "asyncua / weft, seconds of CPU": round(theirs["cpu_seconds"] / ours["cpu_seconds"], 1),
    }
    return found


async def _client(client: str, port: str, server: int, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "weft.bench.browse", client, "--port", port]
    before = proc.cpu(server)
    done = await anyio.run_process([*command, *(["--folder"] if count == FOLDER else [])], stderr=None)
    found = dict(json.loads(done.stdout.decode().splitlines()[-1]))
    assert found["variables"] == count, found
    return {**found, "server_cpu_seconds": round(proc.cpu(server) - before, 2)}


@asynccontextmanager
async def _server() -> AsyncIterator[tuple[str, int]]:
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        command = ["node", str(SERVER), "--folder", folder, "--count", str(NODES)]
        async with await anyio.open_process(command, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None
            try:
                text = ""
                with anyio.fail_after(PATIENCE):
                    async for piece in TextReceiveStream(process.stdout):
                        text += piece
                        if "port " in text:
                            break
                yield text.split("port ")[1].split()[0], process.pid
            finally:
                with suppress(ProcessLookupError):
                    process.terminate()


# --- the clients ------------------------------------------------------------------------------------------


async def _weft(port: int, *, folder: bool) -> dict[str, int]:
    config = Config(endpoint=f"opc.tcp://127.0.0.1:{port}", security="none", timeout=30.0)
    found = [item async for item in OpcUa(config).browse("Many/Folder0/*" if folder else "")]
    variables = [item for item in found if item.kind == "variable" and item.folder.startswith("Many")]
    return {"variables": len(variables), "units": sum(bool(item.unit) for item in variables)}


async def _asyncua(port: int, *, folder: bool) -> dict[str, int]:
    """With the calls for many nodes where it has them."""
    client: Any = Client(f"opc.tcp://127.0.0.1:{port}", timeout=30)
    async with client:
        parent = await _child(await _child(client.nodes.objects, "Many"), "Folder0")
        described = await parent.get_children_descriptions()
        nodes = [client.get_node(one.NodeId) for one in described if one.NodeClass == ua.NodeClass.Variable]
        await client.read_attributes(nodes, ua.AttributeIds.DataType)
        await client.read_attributes(nodes, ua.AttributeIds.Value)
        about = [await node.get_children_descriptions(refs=ua.ObjectIds.HasProperty) for node in nodes]
        told = [one for properties in about for one in properties]
        units = [client.get_node(one.NodeId) for one in told if one.BrowseName.Name == "EngineeringUnits"]
        await client.read_attributes(units, ua.AttributeIds.Value)
    return {"variables": len(nodes), "units": len(units)}


async def _child(parent: Any, name: str) -> Any:
    """By name, whatever its namespace."""
    for child in await parent.get_children():
        if (await child.read_browse_name()).Name == name:
            return child
    raise LookupError(name)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m weft.bench.browse")
    parser.add_argument("client", choices=["weft", "asyncua"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", action="store_true")
    told = parser.parse_args()
    logging.disable(logging.CRITICAL)
    wall, cpu = time.monotonic(), time.process_time()
    client = _weft if told.client == "weft" else _asyncua

    async def walk() -> dict[str, int]:
        return await client(told.port, folder=told.folder)

    found = anyio.run(walk)
    seconds = {
        "seconds": round(time.monotonic() - wall, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
    }
    print(json.dumps({**found, **seconds}))


if __name__ == "__main__":
    main()
