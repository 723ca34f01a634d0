"""tshark as the judge of our frames: a proxy records what goes through it, and tshark reads the recording.

Nothing is listened to on an interface, so it needs no rights: what passed is written as the frames of one TCP
connection to the port that the protocol usually has.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import struct
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute, SocketStream

PROGRAM = shutil.which("tshark")
LARGEST = 16_000  # bytes of one segment
_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)

Layers = dict[str, Any]


class Recording:
    """What went through a proxy: (connection, from the client?, bytes), as it came."""

    def __init__(self, target: int, usual: int) -> None:
        self.port = 0
        self.passed: list[tuple[int, bool, bytes]] = []
        self._target = target
        self._usual = usual
        self._connections = 0

    async def handle(self, client: SocketStream) -> None:
        self._connections += 1
        number = self._connections
        try:
            server = await anyio.connect_tcp("127.0.0.1", self._target)
        except OSError:  # not there yet: the caller is hung up on
            await client.aclose()
            return
        async with client, server, anyio.create_task_group() as group:
            group.start_soon(self._pass, server, client, number, False, group.cancel_scope)
            await self._pass(client, server, number, True, group.cancel_scope)

    async def _pass(
        self, source: ByteStream, sink: ByteStream, number: int, own: bool, scope: anyio.CancelScope
    ) -> None:
        try:
            while True:
                data = await source.receive()
                self.passed.append((number, own, data))
                await sink.send(data)
        except _GONE:
            scope.cancel()

    def frames(self) -> Iterator[bytes]:
        """Ethernet frames, 10.0.0.1 being the client and 10.0.0.2 the server."""
        sent: dict[tuple[int, bool], int] = {}
        for number, own, data in self.passed:
            ports = (50_000 + number, self._usual)
            for at in range(0, len(data), LARGEST):
                part = data[at : at + LARGEST]
                place = sent.get((number, own), 1)
                heard = sent.get((number, not own), 1)
                sent[number, own] = place + len(part)
                yield tcp(part, ports if own else ports[::-1], place, heard, own=own)

    def judged(
        self, folder: pathlib.Path, *options: str, pardoned: Callable[[Layers], bool] = lambda _: False
    ) -> list[Layers]:
        """What tshark reads in it; skips the test when there is none. A frame that it calls malformed fails, unless
        it is ``pardoned``."""
        return read(self.frames(), folder / "recording.pcap", *options, pardoned=pardoned)


@asynccontextmanager
async def recording(target: int, usual: int) -> AsyncIterator[Recording]:
    """A proxy before ``target``, a port of this machine; ``usual`` is the port by which tshark knows the protocol."""
    proxy = Recording(target, usual)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    proxy.port = listener.extra(SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, proxy.handle)
        yield proxy
        group.cancel_scope.cancel()


def tcp(data: bytes, ports: tuple[int, int], place: int, heard: int, *, own: bool) -> bytes:
    """One segment in IPv4 in Ethernet, without checksums."""
    segment = struct.pack("!HHIIBBHHH", *ports, place, heard, 5 << 4, 0x18, 65535, 0, 0) + data
    hosts = (b"\x0a\0\0\1", b"\x0a\0\0\2")
    source, target = hosts if own else hosts[::-1]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0x4000, 64, 6, 0, source, target)
    return b"\2" + bytes(5) + b"\2" + bytes(4) + b"\1" + b"\x08\0" + head + segment


def capture(frames: Iterable[bytes]) -> bytes:
    """A pcap file of Ethernet frames, a microsecond apart."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for number, frame in enumerate(frames):
        parts += [struct.pack("<IIII", 1_700_000_000, number, len(frame), len(frame)), frame]
    return b"".join(parts)


def read(
    frames: Iterable[bytes],
    path: pathlib.Path,
    *options: str,
    pardoned: Callable[[Layers], bool] = lambda _: False,
) -> list[Layers]:
    """The layers of each frame. Skips the test without tshark; fails it for a malformed frame that is not
    ``pardoned``."""
    path.write_bytes(capture(frames))
    layers = dissected(path, *options)
    for number, frame in enumerate(layers, 1):
        assert pardoned(frame) or not faults(frame), f"frame {number}: {faults(frame)}"
    return layers


def dissected(path: pathlib.Path, *options: str) -> list[Layers]:
    """The layers of each frame of a capture, malformed or not. Skips the test without tshark."""
    if PROGRAM is None:
        pytest.skip("tshark is not installed (Debian package tshark)")
    command: Sequence[str] = [PROGRAM, "-r", str(path), "-T", "json", "--no-duplicate-keys", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [packet["_source"]["layers"] for packet in json.loads(done.stdout or "[]")]


def faults(layers: Any) -> list[str]:
    """What tshark says is malformed in them."""
    return [str(value)[:300] for key, value in walk(layers) if key.startswith("_ws.malformed")]


def values(layers: Any, field: str) -> list[str]:
    """All values of a field, in their order."""
    found: list[str] = []
    for key, value in walk(layers):
        if key == field:
            found += value if isinstance(value, list) else [value]
    return found


def walk(layers: Any) -> Iterator[tuple[str, Any]]:
    """Everything in them, as (name, value), from the outside in and in order."""
    if isinstance(layers, dict):
        for key, value in layers.items():
            yield key, value
            yield from walk(value)
    elif isinstance(layers, list):
        for value in layers:
            yield from walk(value)


def frames_of(recorded: bytes) -> Iterator[bytes]:
    """The frames of a pcap file."""
    end = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}[recorded[:4]]
    at = 24
    while at + 16 <= len(recorded):
        (size,) = struct.unpack_from(f"{end}I", recorded, at + 8)
        yield recorded[at + 16 : at + 16 + size]
        at += 16 + size
