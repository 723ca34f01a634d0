"""A small MQTT 3.1.1 writer: QoS 1, in order, nothing forgotten while the broker is away."""

from __future__ import annotations

import struct
from collections import deque
from typing import Final

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from weft.demo.mqtt_wire import packet, receive, text

__all__ = ["MqttWriter", "Refused"]

CONNECT, CONNACK, PUBLISH, PUBACK, PINGREQ = 0x10, 0x20, 0x32, 0x40, 0xC0
DUP: Final = 0x08
KEEP_ALIVE: Final = 20
PATIENCE: Final = 10.0  # s for the broker to answer
RETRY: Final = 0.3
LIMIT: Final = 100_000  # messages kept while the broker is away; then the oldest go
_LOST: Final = (
    OSError,
    TimeoutError,
    anyio.EndOfStream,
    anyio.IncompleteRead,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)


class Refused(Exception):
    """The broker does not want this client: code of MQTT 3.1.1, table 3.1."""


class MqttWriter:
    """Publishes in order. After a break everything that was not acknowledged is sent again, so that the broker
    gets each message at least once."""

    def __init__(self, host: str, port: int, *, client: str, user: str = "", password: str = "") -> None:
        self._address = (host, port)
        self._connect = _connect(client, user, password)
        self._waiting: deque[tuple[int, bytes]] = deque()  # not acknowledged: packet id, packet
        self._sent = 0  # how many of them this connection has sent
        self._packet = 0
        self._news = anyio.Event()
        self.connected = anyio.Event()

    @property
    def open(self) -> int:
        """Messages that the broker has not acknowledged."""
        return len(self._waiting)

    def publish(self, topic: str, payload: bytes) -> None:
        self._packet = self._packet % 0xFFFF + 1
        body = text(topic) + struct.pack(">H", self._packet) + payload
        self._waiting.append((self._packet, packet(PUBLISH, body)))
        if len(self._waiting) > LIMIT:
            self._waiting.popleft()
            self._sent = max(0, self._sent - 1)
        self._news.set()

    async def run(self) -> None:
        """Until cancelled. Raises Refused."""
        while True:
            try:
                async with await anyio.connect_tcp(*self._address) as stream:
                    await self._session(stream)
            except* _LOST:
                pass
            await anyio.sleep(RETRY)

    async def _session(self, stream: SocketStream) -> None:
        source = BufferedByteReceiveStream(stream)
        await stream.send(self._connect)
        with anyio.fail_after(PATIENCE):
            kind, body = await receive(source)
        if kind & 0xF0 != CONNACK or len(body) != 2 or body[1]:
            raise Refused(f"the broker answered {kind:#x} {body.hex()} to CONNECT")
        self._sent = 0
        self.connected.set()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._receive_all, source)
            again = len(self._waiting)
            while True:
                await self._send_all(stream, again)
                again = 0
                with anyio.move_on_after(KEEP_ALIVE / 2) as quiet:
                    await self._news.wait()
                if quiet.cancelled_caught:
                    await stream.send(packet(PINGREQ, b""))

    async def _send_all(self, stream: SocketStream, again: int) -> None:
        self._news = anyio.Event()
        while self._sent < len(self._waiting):
            packet = self._waiting[self._sent][1]
            if self._sent < again:
                packet = bytes((packet[0] | DUP,)) + packet[1:]
            self._sent += 1
            await stream.send(packet)

    async def _receive_all(self, source: BufferedByteReceiveStream) -> None:
        while True:
            with anyio.fail_after(KEEP_ALIVE + PATIENCE):
                kind, body = await receive(source)
            if kind & 0xF0 == PUBACK and len(body) == 2:
                self._acknowledge(int.from_bytes(body, "big"))

    def _acknowledge(self, packet: int) -> None:
        if self._waiting and self._waiting[0][0] == packet:
            self._waiting.popleft()
            self._sent = max(0, self._sent - 1)
            return
        for i, (number, _) in enumerate(self._waiting):
            if number == packet and i < self._sent:
                del self._waiting[i]
                self._sent -= 1
                return


def _connect(client: str, user: str, password: str) -> bytes:
    flags = 0x02 | (0xC0 if user else 0)  # clean session; user name and password
    body = text("MQTT") + struct.pack(">BBH", 4, flags, KEEP_ALIVE) + text(client)
    return packet(CONNECT, body + (text(user) + text(password) if user else b""))
