"""No packet above a limit is read: gmqtt would buffer any size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["HARD_LIMIT", "bounded"]

OVERHEAD: Final = 2 * 65535 + 64  # bytes of a PUBLISH beside its payload
HARD_LIMIT: Final = (16 << 20) + OVERHEAD


def bounded(read: Callable[[bytes], int], client: Any, connection: Any) -> Callable[[bytes], int]:
    """gmqtt's packet reader, which hangs up instead of buffering a packet above HARD_LIMIT."""

    def read_bounded(data: bytes) -> int:
        parsed: int = read(data)
        if parsed >= 0:
            size = _announced(data[parsed : parsed + 5])
            if size > HARD_LIMIT:
                client.too_large(size)
                connection._transport.abort()  # noqa: SLF001  # close() would wait for the rest
                return -1
        return parsed

    return read_bounded


def _announced(head: bytes) -> int:
    """The remaining length of the packet that begins with ``head`` (MQTT 3.1.1, 2.2.3); 0 when unknown yet."""
    size = shift = 0
    for byte in head[1:5]:
        size |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return size
    return 0
