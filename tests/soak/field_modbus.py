"""A Modbus TCP device that counts its answers: ``python field_modbus.py PORT LEDGER``; SIGUSR1: it goes away.

Registers 0-3: its clock (uint64, ms), 4-5: the counter. Each answer has the next value, and is in the ledger.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import signal
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from soak.ledger import Ledger

HEADER = struct.Struct(">HHHBBHH")


class Device:
    def __init__(self, ledger):
        self._ledger = ledger
        self._last = 0
        self._open = set()

    async def serve(self, reader, writer):
        self._open.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                number, _, _, unit, function, start, count = HEADER.unpack(await reader.readexactly(12))
                data = self._memory()[start * 2 : (start + count) * 2]
                body = bytes((unit, function, len(data))) + data
                writer.write(struct.pack(">HHH", number, 0, len(body)) + body)
                await writer.drain()
        self._open.discard(writer)
        writer.close()

    def _memory(self):
        """Its time goes up with each answer: no two have the same."""
        self._last = max(self._last + 1, time.time_ns() // 10**6)
        value = self._ledger.next("m0")
        self._ledger.say(("m0", value, self._last * 10**6))
        return struct.pack(">QI", self._last, value)

    def leave(self):
        for writer in self._open:
            writer.transport.abort()


async def main(port, path):
    device, over = Device(Ledger(pathlib.Path(path))), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, over.set)
    server = await asyncio.start_server(device.serve, "127.0.0.1", port)
    await over.wait()
    server.close()
    device.leave()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
