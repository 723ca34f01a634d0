"""Asking many addresses whether the other side of a protocol is there: bounded, and quiet about the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import anyio
from anyio.abc import SocketStream

from weft.connect.api import Place
from weft.runtime import WeftError

__all__ = ["Ask", "dial", "everywhere", "exactly"]

AT_ONCE: Final = 64

Ask: TypeAlias = Callable[[str, int], Awaitable[list[Place]]]


async def everywhere(hosts: Iterable[str], ports: Iterable[int], ask: Ask, *, seconds: float) -> list[Place]:
    """What ``ask`` finds at every host and port, in their order; at most 64 at a time, ``seconds`` each."""
    targets = [(host, port) for host in hosts for port in ports]
    found: dict[tuple[str, int], list[Place]] = {}
    limit = anyio.CapacityLimiter(AT_ONCE)

    async def one(host: str, port: int) -> None:
        async with limit:
            with anyio.move_on_after(seconds):
                try:
                    found[host, port] = await ask(host, port)
                except (OSError, WeftError, ValueError, anyio.EndOfStream, anyio.BrokenResourceError):
                    return  # not this protocol, or not today

    async with anyio.create_task_group() as group:
        for host, port in targets:
            group.start_soon(one, host, port)
    return [place for target in targets for place in found.get(target, [])]


@asynccontextmanager
async def dial(host: str, port: int) -> AsyncIterator[SocketStream]:
    """A TCP connection. Raises OSError."""
    stream = await anyio.connect_tcp(host, port, happy_eyeballs_delay=0.05)
    async with stream:
        yield stream


async def exactly(stream: SocketStream, size: int) -> bytes:
    """Raises EndOfStream when fewer come."""
    data = b""
    while len(data) < size:
        data += await stream.receive(size - len(data))
    return data
