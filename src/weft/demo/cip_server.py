"""An EtherNet/IP server: encapsulation, sessions, connections and routing around a controller (CIP volume 2).

``python -m weft.demo.cip_server PORT`` serves a small set of tags to try clients on.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Final

import anyio
from anyio.abc import SocketAttribute, SocketStream, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

from weft.demo.cip_services import Controller
from weft.demo.cip_tags import Tags

__all__ = ["CipServer"]

HEADER: Final = struct.Struct("<HHII8sI")  # command, length, session, status, context, options
LIST_SERVICES, LIST_IDENTITY, LIST_INTERFACES = 0x04, 0x63, 0x64
REGISTER, UNREGISTER, UNCONNECTED, CONNECTED = 0x65, 0x66, 0x6F, 0x70
NULL_ITEM, ADDRESS_ITEM, CONNECTED_ITEM, PLAIN_ITEM, IDENTITY_ITEM, SERVICES_ITEM = (
    0,
    0xA1,
    0xB1,
    0xB2,
    0x0C,
    0x100,
)
INVALID_COMMAND, BAD_DATA, BAD_SESSION = 0x01, 0x03, 0x64
FORWARD_OPEN, LARGE_FORWARD_OPEN, FORWARD_CLOSE, UNCONNECTED_SEND = 0x54, 0x5B, 0x4E, 0x52
MANAGER: Final = b"\x02\x20\x06\x24\x01"  # size of the path and the path: connection manager, instance 1
MOST: Final = 4096 + 256
MOST_CONNECTIONS: Final = 32
UNCONNECTED_ROOM: Final = 504
_GONE: Final = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)


class CipServer:
    """Serves one controller."""

    def __init__(self, controller: Controller) -> None:
        self.controller = controller
        self._sessions = 0

    async def run(self, port: int, *, task_status: TaskStatus[int] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; reports its port when it listens."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
        task_status.started(listener.extra(SocketAttribute.local_port))  # noqa: S610  # no Django here
        async with listener:
            await listener.serve(self._serve)

    async def _serve(self, stream: SocketStream) -> None:
        self._sessions += 1
        address = stream.extra(SocketAttribute.local_address)  # noqa: S610  # no Django here
        peer = _Peer(self.controller, self._sessions, address)
        async with stream:
            source = BufferedByteReceiveStream(stream)
            try:
                while True:
                    head = HEADER.unpack(await source.receive_exactly(HEADER.size))
                    if head[1] > MOST:
                        return  # no client of ours sends so much
                    answer = peer.answer(head, await source.receive_exactly(head[1]) if head[1] else b"")
                    if answer is None:
                        return
                    if answer:
                        await stream.send(answer)
            except _GONE:
                return


class _Peer:
    """One client: its session and its connections."""

    def __init__(self, controller: Controller, number: int, address: object) -> None:
        self._controller = controller
        self._number = number
        self._address = address
        self._session = 0
        self._opened = 0
        # our id -> (the client's id, bytes of an answer); the client's triad -> our id
        self._connections: dict[int, tuple[bytes, int]] = {}
        self._triads: dict[bytes, int] = {}

    def answer(self, head: tuple[int, int, int, int, bytes, int], body: bytes) -> bytes | None:
        """The frame to send, empty for none, None when the client has taken its leave."""
        command, _, session, _, context, _ = head
        if command == UNREGISTER:
            return None
        status, data = 0, b""
        try:
            if command == REGISTER:
                session = self._session = self._session or self._number
                data = body[:4]
            elif command == LIST_IDENTITY:
                data = _items((IDENTITY_ITEM, self._identity()))
            elif command == LIST_SERVICES:
                name = b"Communications".ljust(16, b"\0")
                data = _items((SERVICES_ITEM, struct.pack("<HH", 1, 0x20) + name))
            elif command == LIST_INTERFACES:
                data = _items()
            elif command not in {UNCONNECTED, CONNECTED}:
                status = INVALID_COMMAND
            elif session != self._session or not session:
                status = BAD_SESSION
            else:
                data = self._exchange(command, body)
        except (struct.error, IndexError, KeyError):
            status, data = BAD_DATA, b""
        return HEADER.pack(command, len(data), session, status, context, 0) + data

    def _exchange(self, command: int, body: bytes) -> bytes:
        """Of a message within a session. Raises KeyError for an unknown connection, struct.error, IndexError."""
        items = _parse(body[6:])
        if command == UNCONNECTED:
            return bytes(6) + _items((NULL_ITEM, b""), (PLAIN_ITEM, self._unconnected(items[PLAIN_ITEM])))
        (connection,) = struct.unpack("<I", items[ADDRESS_ITEM])
        theirs, room = self._connections[connection]
        content = items[CONNECTED_ITEM]
        reply = content[:2] + self._controller.answer(content[2:], room - 2)
        return bytes(6) + _items((ADDRESS_ITEM, theirs), (CONNECTED_ITEM, reply))

    def _unconnected(self, message: bytes) -> bytes:
        if message[1:6] == MANAGER:
            data = message[6:]
            if message[0] in {FORWARD_OPEN, LARGE_FORWARD_OPEN}:
                return self._open(message[0], data)
            if message[0] == FORWARD_CLOSE:
                return self._close(data)
            if message[0] == UNCONNECTED_SEND:
                (size,) = struct.unpack_from("<H", data, 2)
                return self._controller.answer(data[4 : 4 + size], UNCONNECTED_ROOM)
        return self._controller.answer(message, UNCONNECTED_ROOM)

    def _open(self, service: int, data: bytes) -> bytes:
        theirs, triad = data[6:10], data[10:18]
        large = service == LARGE_FORWARD_OPEN
        at = 22 + 4 + (4 if large else 2) + 4  # the parameters from target to originator
        parameters = struct.unpack_from("<I" if large else "<H", data, at)[0]
        room = parameters & (0xFFFF if large else 0x1FF)
        if triad in self._triads or len(self._connections) >= MOST_CONNECTIONS or room < 32:
            return bytes((service | 0x80, 0, 1, 1)) + struct.pack(
                "<H", 0x100 if triad in self._triads else 0x113
            )
        self._opened += 1
        ours = (self._number & 0xFFFF) << 16 | self._opened & 0xFFFF
        self._connections[ours] = (theirs, min(room, 4002))
        self._triads[triad] = ours
        intervals = data[22:26] + data[at - 4 : at]
        return (
            bytes((service | 0x80, 0, 0, 0)) + struct.pack("<I", ours) + theirs + triad + intervals + bytes(2)
        )

    def _close(self, data: bytes) -> bytes:
        triad = data[2:10]
        ours = self._triads.pop(triad, None)
        if ours is None:
            return bytes((FORWARD_CLOSE | 0x80, 0, 1, 1)) + struct.pack("<H", 0x107)
        del self._connections[ours]
        return bytes((FORWARD_CLOSE | 0x80, 0, 0, 0)) + triad + bytes(2)

    def _identity(self) -> bytes:
        host, port = self._address if isinstance(self._address, tuple) else ("127.0.0.1", 44818)
        where = struct.pack(">HH4s8x", socket.AF_INET, port, socket.inet_aton(host))
        return struct.pack("<H", 1) + where + self._controller.identity.encode() + b"\x03"


def _items(*items: tuple[int, bytes]) -> bytes:
    return struct.pack("<H", len(items)) + b"".join(
        struct.pack("<HH", kind, len(data)) + data for kind, data in items
    )


def _parse(data: bytes) -> dict[int, bytes]:
    (count,) = struct.unpack_from("<H", data)
    found: dict[int, bytes] = {}
    at = 2
    for _ in range(min(count, 8)):
        kind, size = struct.unpack_from("<HH", data, at)
        found[kind] = data[at + 4 : at + 4 + size]
        at += 4 + size
    return found


def sample() -> Controller:
    """Tags of every kind, to try clients on."""
    tags = Tags()
    tags.structure("Motor", [("Speed", "REAL", 0), ("Starts", "DINT", 0), ("Currents", "REAL", 3)])
    for name, type, value in (
        ("Running", "BOOL", True),
        ("Small", "SINT", -2),
        ("Level", "INT", -12),
        ("Count", "DINT", -123456),
        ("Total", "LINT", -(2**53) - 1),
        ("Temperature", "REAL", 21.5),
        ("Precise", "LREAL", 3.141592653589793),
        ("Recipe", "STRING", "000123"),
        ("Drive", "Motor", struct.pack("<fi3f", 1480.5, 7, 1.5, 2.5, 3.5)),
    ):
        tags.add(name, type, value)
    tags.add("Counts", "DINT", [i * i for i in range(1500)], dims=(1500,))
    tags.add("Table", "INT", list(range(12)), dims=(3, 4))
    tags.add("Flags", "DWORD", [0b1010, 1 << 31], dims=(2,))
    tags.add("Speed", "REAL", 99.5, program="Main")
    tags.add("Step", "DINT", 4, program="Main")
    controller = Controller(tags)
    controller.objects[0x04, 100, 3] = bytes(range(8))  # an assembly
    return controller


async def main(port: int) -> None:
    async with anyio.create_task_group() as group:
        sys.stdout.write(f"{await group.start(CipServer(sample()).run, port)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
