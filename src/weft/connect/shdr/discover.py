"""Whether an MTConnect adapter answers: it speaks first, in lines that begin with a time or with ``* ``."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

from weft.connect.api import Place, Scope
from weft.connect.probing import dial, everywhere

__all__ = ["discover"]

PORTS: Final = (7878,)
FIRST: Final = re.compile(rb"(\* (PONG|[A-Za-z]+:)|\d{4}-\d\d-\d\dT[0-9:.]+Z?(@[\d.]+)?\||\|)")
PING: Final = b"* PING\r\n"


async def discover(scope: Scope) -> AsyncIterator[Place]:
    for place in await everywhere(scope.hosts, scope.ports or PORTS, _ask, seconds=scope.seconds):
        yield place


async def _ask(host: str, port: int) -> list[Place]:
    async with dial(host, port) as stream:
        await stream.send(PING)
        data = b""
        while b"\n" not in data and len(data) < 4096:
            data += await stream.receive(4096)
    if not FIRST.match(data):
        return []
    config = {"host": host, "port": port}
    return [Place(protocol="shdr", address=f"shdr://{host}:{port}", config=config, how="an adapter's line")]
