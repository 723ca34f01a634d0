"""As much MQTT 3.1.1 as counting needs, over a bare socket: shares no code with what is counted."""

from __future__ import annotations

import asyncio

__all__ = ["Peer"]


def _text(text):
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(head, body):
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes([digit | (0x80 if size else 0)])
        if not size:
            return bytes([head]) + length + body


class Peer:
    """A kept session of QoS 1 (MQTT 3.1.1, 3.1.2.4). Raises OSError or EOFError when it ends."""

    def __init__(self, port, name):
        self._port, self._name = port, name
        self._number = 0
        self._writer = None

    async def open(self, *topics):
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        await self._send(0x10, _text("MQTT") + bytes([4, 0, 0, 60]) + _text(self._name))
        head, body = await self._receive()
        if head != 0x20 or body[1]:
            raise OSError(f"refused: {body!r}")
        if topics:
            wanted = b"".join(_text(topic) + b"\x01" for topic in topics)
            await self._send(0x82, b"\x00\x01" + wanted)

    def close(self):
        if self._writer is not None:
            self._writer.transport.abort()

    async def publish(self, *messages):
        """``(topic, payload)`` each; returns when the broker has acknowledged all."""
        waiting = set()
        for topic, payload in messages:
            self._number = self._number % 65535 + 1
            waiting.add(self._number)
            await self._send(0x32, _text(topic) + self._number.to_bytes(2, "big") + payload)
        while waiting:
            head, body = await self._receive()
            if head == 0x40:
                waiting.discard(int.from_bytes(body[:2], "big"))

    async def messages(self):
        """``(topic, payload)`` for ever; each is acknowledged when the next is asked for."""
        while True:
            head, body = await self._receive()
            if head & 0xF0 != 0x30:
                continue
            size = 2 + int.from_bytes(body[:2], "big")
            if head & 0x06:
                yield body[2:size].decode(), body[size + 2 :]
                await self._send(0x40, body[size : size + 2])
            else:
                yield body[2:size].decode(), body[size:]

    async def ping(self):
        await self._send(0xC0, b"")

    async def _send(self, head, body):
        self._writer.write(_packet(head, body))
        await self._writer.drain()

    async def _receive(self):
        head, size, shift = (await self._reader.readexactly(1))[0], 0, 0
        while True:
            digit = (await self._reader.readexactly(1))[0]
            size |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return head, await self._reader.readexactly(size)
