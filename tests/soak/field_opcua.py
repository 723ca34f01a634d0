"""Counters of an asyncua server: ``python field_opcua.py PORT LEDGER TICK COUNT``; SIGUSR1: count no more."""

from __future__ import annotations

import asyncio
import logging
import pathlib
import signal
import sys
import time
from datetime import UTC, datetime

from asyncua import Server, ua

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from soak.ledger import Ledger

URI = "urn:soak:counters"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def main(port, path, tick, count):
    ledger, over = Ledger(pathlib.Path(path)), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, over.set)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = await server.register_namespace(URI)
    names = [f"c{i}" for i in range(count)]
    nodes = [
        await server.nodes.objects.add_variable(ua.NodeId(name, space), name, 0, ua.VariantType.Int64)
        for name in names
    ]
    async with server:
        while not over.is_set():
            now = time.time_ns() // 1000
            rows = [(name, ledger.next(name), now * 1000) for name in names]
            ledger.say(*rows)
            stamp = EPOCH + (datetime.fromtimestamp(now // 10**6, UTC) - EPOCH)
            stamp = stamp.replace(microsecond=now % 10**6)
            for node, (_, value, _) in zip(nodes, rows, strict=True):
                variant = ua.Variant(value, ua.VariantType.Int64)
                await node.write_value(ua.DataValue(variant, SourceTimestamp=stamp, ServerTimestamp=stamp))
            await asyncio.sleep(tick)
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
