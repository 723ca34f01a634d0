"""MQTT packets of a client (3.1.1 and 5.0), as a proxy sees them, to a recording's entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from weft.sparkplug.tck.recording import Entry
from weft.sparkplug.wire import BadPayload

__all__ = ["ClientStream"]

LONGEST: Final = 16 << 20
CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14
_SESSION_EXPIRY: Final = 0x11
# Sizes of MQTT 5.0's properties: a number is bytes, "s" a text, "p" a pair of texts, "v" a varint.
_SIZES: Final[dict[int, int | str]] = {
    0x01: 1, 0x02: 4, 0x03: "s", 0x08: "s", 0x09: "s", 0x0B: "v", 0x11: 4, 0x15: "s", 0x16: "s", 0x17: 1, 0x18: 4,
    0x19: 1, 0x1F: "s", 0x21: 2, 0x22: 2, 0x23: 2, 0x26: "p", 0x27: 4,
}  # fmt: skip


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.pos = 0

    def number(self, size: int) -> int:
        return int.from_bytes(self.octets(size), "big")

    def octets(self, size: int) -> bytes:
        end = self.pos + size
        if end > len(self.data):
            raise BadPayload("a packet that ends too early")
        found, self.pos = self.data[self.pos : end], end
        return found

    def field(self) -> bytes:
        return self.octets(self.number(2))

    def text(self) -> str:
        return self.field().decode(errors="replace")

    def varint(self) -> int:
        result = shift = 0
        while shift < 28:
            byte = self.number(1)
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7
        raise BadPayload("a length of more than four bytes")

    def properties(self) -> dict[int, int]:
        """Those that are numbers."""
        end = self.varint() + self.pos
        found: dict[int, int] = {}
        while self.pos < end:
            kind = self.number(1)
            size = _SIZES.get(kind)
            if size is None:
                raise BadPayload(f"property {kind}")
            if isinstance(size, int):
                found[kind] = self.number(size)
            elif size == "v":
                self.varint()
            else:
                for _ in range(2 if size == "p" else 1):
                    self.field()
        return found

    @property
    def rest(self) -> bytes:
        return self.data[self.pos :]


class ClientStream:
    """The bytes of one client's connection. Raises BadPayload for what is not MQTT."""

    def __init__(self) -> None:
        self.client = ""
        self._version = 4
        self._begun = False
        self._buffer = b""

    def feed(self, data: bytes, time: int) -> Iterator[Entry]:
        """The entries of packets that are complete now."""
        self._buffer += data
        while (packet := self._next()) is not None:
            entry = self._entry(*packet, time)
            if entry is not None:
                yield entry

    def _next(self) -> tuple[int, bytes] | None:
        size = shift = 0
        for i, byte in enumerate(self._buffer[1:5], 2):
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                if size > LONGEST:
                    raise BadPayload(f"a packet of {size:,} bytes")
                if len(self._buffer) < i + size:
                    return None
                head, body = self._buffer[0], self._buffer[i : i + size]
                self._buffer = self._buffer[i + size :]
                return head, body
        if shift >= 28:
            raise BadPayload("a length of more than four bytes")
        return None

    def _entry(self, head: int, body: bytes, time: int) -> Entry | None:
        kind, cursor = head >> 4, _Cursor(body)
        if kind == CONNECT:
            self._begun = True
            return self._connect(cursor, time)
        if not self._begun:
            raise BadPayload("does not begin with a CONNECT")
        if kind == PUBLISH:
            return self._publish(head, cursor, time)
        if kind == SUBSCRIBE:
            return self._subscribe(cursor, time)
        if kind == DISCONNECT:
            return Entry(time=time, kind="disconnect", client=self.client, reason=body[0] if body else 0)
        return None

    def _connect(self, cursor: _Cursor, time: int) -> Entry:
        if cursor.field() != b"MQTT":
            raise BadPayload("not MQTT")
        self._version = cursor.number(1)
        flags = cursor.number(1)
        cursor.number(2)
        expiry = cursor.properties().get(_SESSION_EXPIRY, 0) if self._version == 5 else 0
        self.client = cursor.text()
        topic, payload = "", b""
        if flags & 0x04:
            if self._version == 5:
                cursor.properties()
            topic, payload = cursor.text(), cursor.field()
        return Entry(
            time=time, kind="connect", client=self.client, topic=topic, payload=payload, qos=flags >> 3 & 3,
            retain=bool(flags & 0x20), clean=bool(flags & 0x02), version=self._version, expiry=expiry,
        )  # fmt: skip

    def _publish(self, head: int, cursor: _Cursor, time: int) -> Entry:
        topic = cursor.text()
        qos = head >> 1 & 3
        if qos:
            cursor.number(2)
        if self._version == 5:
            cursor.properties()
        return Entry(
            time=time, client=self.client, topic=topic, payload=cursor.rest, qos=qos, retain=bool(head & 1)
        )

    def _subscribe(self, cursor: _Cursor, time: int) -> Entry:
        cursor.number(2)
        if self._version == 5:
            cursor.properties()
        filters, levels = [], []
        while cursor.rest:
            filters.append(cursor.text())
            levels.append(cursor.number(1) & 3)
        return Entry(
            time=time,
            kind="subscribe",
            client=self.client,
            filters=tuple(filters),
            qos=min(levels, default=0),
        )
