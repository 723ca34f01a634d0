"""MQTT 3.1.1 on the wire: packets and texts."""

from __future__ import annotations

import struct

from anyio.streams.buffered import BufferedByteReceiveStream

__all__ = ["packet", "receive", "text"]


def packet(kind: int, body: bytes) -> bytes:
    """Fixed header with the remaining length, seven bits a byte (section 2.2.3)."""
    size, digits = len(body), bytearray()
    while True:
        size, digit = divmod(size, 128)
        digits.append(digit | (0x80 if size else 0))
        if not size:
            return bytes((kind,)) + bytes(digits) + body


def text(words: str) -> bytes:
    """With its length in front (section 1.5.3)."""
    data = words.encode()
    return struct.pack(">H", len(data)) + data


async def receive(source: BufferedByteReceiveStream) -> tuple[int, bytes]:
    """The next packet: its first byte and what follows the length."""
    kind = (await source.receive_exactly(1))[0]
    size = 0
    for shift in (0, 7, 14, 21):
        digit = (await source.receive_exactly(1))[0]
        size |= (digit & 0x7F) << shift
        if digit < 0x80:
            break
    return kind, await source.receive_exactly(size) if size else b""
