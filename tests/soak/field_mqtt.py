"""Counters as JSON on a broker: ``python field_mqtt.py PORT LEDGER TICK COUNT``; SIGUSR1: count no more.

In the ledger is what the broker has acknowledged. What it has not, is published again, the very same.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from soak.ledger import Ledger
from soak.wire import Peer


async def main(port, path, tick, count):
    ledger, over = Ledger(pathlib.Path(path)), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, over.set)
    names = [f"q{i}" for i in range(count)]
    rows, peer = [], None
    while not over.is_set() or rows:
        try:
            if peer is None:
                peer = Peer(port, "soak-field")
                await peer.open()
            now = time.time_ns()
            rows = rows or [(name, ledger.next(name), now) for name in names]
            said = [(f"soak/{n}", json.dumps({"v": v, "t": t}).encode()) for n, v, t in rows]
            await asyncio.wait_for(peer.publish(*said), 120)
        except (OSError, EOFError, TimeoutError):
            peer = None
            await asyncio.sleep(0.1)
        else:
            ledger.say(*rows)
            rows = []
            await asyncio.sleep(tick)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])))
