"""An MQTT 3.1.1 client for those who also listen: subscriptions, a last will, and a session that comes back."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from weft.demo.mqtt_wire import packet, receive, text
from weft.demo.mqtt_writer import Refused

__all__ = ["Message", "MqttLink"]

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, DISCONNECT = (
    0x10, 0x20, 0x30, 0x40, 0x82, 0x90, 0xC0, 0xE0,
)  # fmt: skip
KEEP_ALIVE: Final = 20
PATIENCE: Final = 10.0  # s for the broker to answer
RETRY: Final = 0.3
_LOST: Final = (
    OSError,
    TimeoutError,
    anyio.EndOfStream,
    anyio.IncompleteRead,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)


class Message(NamedTuple):
    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


class _Leave(Exception):
    """The session is ended by ourselves."""


class MqttLink:
    """``will`` is asked for at each connecting; ``begin`` is called when the session is there and subscribed,
    ``hear`` with each message. Both may send."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        client: str,
        user: str = "",
        password: str = "",
        topics: Sequence[str] = (),
        will: Callable[[], Message],
        begin: Callable[[], Awaitable[None]],
        hear: Callable[[str, bytes], Awaitable[None]],
    ) -> None:
        self._address = (host, port)
        self._login = (client, user, password)
        self._topics = topics
        self._will, self._begin, self._hear = will, begin, hear
        self._stream: SocketStream | None = None
        self._packet = 0
        self._leave = anyio.Event()

    @property
    def connected(self) -> bool:
        return self._stream is not None

    async def run(self) -> None:
        """Until cancelled. Raises Refused."""
        while True:
            try:
                async with await anyio.connect_tcp(*self._address) as stream:
                    await self._session(stream)
            except* (*_LOST, _Leave):
                pass
            finally:
                self._stream = None
            await anyio.sleep(RETRY)

    async def send(self, message: Message) -> bool:
        """Whether it could be sent; QoS 1 asks for an acknowledgement and does not wait for it."""
        if self._stream is None:
            return False
        body = text(message.topic)
        if message.qos:
            self._packet = self._packet % 0xFFFF + 1
            body += struct.pack(">H", self._packet)
        kind = PUBLISH | message.qos << 1 | message.retain
        try:
            await self._stream.send(packet(kind, body + message.payload))
        except _LOST:
            return False
        return True

    def leave(self) -> None:
        """Ends the session with a good-bye; another one begins soon."""
        self._leave.set()

    async def _session(self, stream: SocketStream) -> None:
        source = BufferedByteReceiveStream(stream)
        await stream.send(self._connect())
        with anyio.fail_after(PATIENCE):
            kind, answer = await receive(source)
            if kind != CONNACK or len(answer) != 2 or answer[1]:
                raise Refused(f"the broker answered {kind:#x} {answer.hex()} to CONNECT")
            if self._topics:
                topics = b"".join(text(topic) + b"\x01" for topic in self._topics)
                await stream.send(packet(SUBSCRIBE, struct.pack(">H", 1) + topics))
                early = [await receive(source)]
                while early[-1][0] != SUBACK:  # what is retained may come before the acknowledgement
                    early.append(await receive(source))
        self._stream, self._leave = stream, anyio.Event()
        await self._begin()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._ping, stream)
            tasks.start_soon(self._leaves, stream)
            for kind, body in early[:-1] if self._topics else ():
                await self._take(stream, kind, body)
            while True:
                with anyio.fail_after(KEEP_ALIVE + PATIENCE):
                    kind, body = await receive(source)
                await self._take(stream, kind, body)

    async def _take(self, stream: SocketStream, kind: int, body: bytes) -> None:
        if kind & 0xF0 != PUBLISH:
            return
        size = int.from_bytes(body[:2], "big")
        topic, rest = body[2 : 2 + size].decode(), body[2 + size :]
        if kind & 0x06:
            await stream.send(packet(PUBACK, rest[:2]))
            rest = rest[2:]
        await self._hear(topic, rest)

    async def _ping(self, stream: SocketStream) -> None:
        while True:
            await anyio.sleep(KEEP_ALIVE / 2)
            await stream.send(packet(PINGREQ, b""))

    async def _leaves(self, stream: SocketStream) -> None:
        await self._leave.wait()
        await stream.send(packet(DISCONNECT, b""))
        raise _Leave

    def _connect(self) -> bytes:
        client, user, password = self._login
        will = self._will()
        flags = 0x06 | will.qos << 3 | will.retain << 5 | (0xC0 if user else 0)  # clean session, with a will
        body = text("MQTT") + struct.pack(">BBH", 4, flags, KEEP_ALIVE) + text(client) + text(will.topic)
        body += struct.pack(">H", len(will.payload)) + will.payload
        return packet(CONNECT, body + (text(user) + text(password) if user else b""))
