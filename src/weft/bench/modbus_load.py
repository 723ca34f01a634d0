"""Modbus TCP devices for :mod:`weft.bench.modbus`: one port each, in a process of their own.

``python -m weft.bench.modbus_load --devices 500 --dead 0.05 --delay 0.005`` prints the ports as one line of JSON:
``{"live": […], "silent": […], "refused": […]}``. A live device answers every read after ``delay`` seconds with its
own count of questions in each register; a silent one takes connections and says nothing; where a refused one should
be, nobody listens.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import struct
from typing import Final

__all__ = ["main"]

_HEADER: Final = struct.Struct(">HHHBBHH")


class Device(asyncio.Protocol):
    """One connection to a device."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._count = 0
        self._rest = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while len(self._rest) >= _HEADER.size:
            transaction, _, _, unit, function, _, count = _HEADER.unpack_from(self._rest)
            self._rest = self._rest[_HEADER.size :]
            self._count = (self._count + 1) & 0xFFFF
            body = bytes((unit, function, count * 2)) + self._count.to_bytes(2, "big") * count
            answer = struct.pack(">HHH", transaction, 0, len(body)) + body
            asyncio.get_running_loop().call_later(self._delay, self._send, answer)

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(devices: int, dead: float, delay: float) -> None:
    loop = asyncio.get_running_loop()
    gone = round(devices * dead)
    ports: dict[str, list[int]] = {"live": [], "silent": [], "refused": []}
    for _ in range(devices - gone):
        server = await loop.create_server(lambda: Device(delay), "127.0.0.1", 0)
        ports["live"].append(server.sockets[0].getsockname()[1])
    holders = []
    for number in range(gone):
        if number % 2:
            server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
            ports["silent"].append(server.sockets[0].getsockname()[1])
            continue
        holder = socket.socket()  # bound, so that nobody else gets the port, and never listening
        holder.bind(("127.0.0.1", 0))
        holders.append(holder)
        ports["refused"].append(holder.getsockname()[1])
    print(json.dumps(ports), flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m weft.bench.modbus_load")
    parser.add_argument("--devices", type=int, default=500)
    parser.add_argument("--dead", type=float, default=0.05)
    parser.add_argument("--delay", type=float, default=0.005)
    told = parser.parse_args()
    asyncio.run(serve(told.devices, told.dead, told.delay))


if __name__ == "__main__":
    main()
