"""EtherNet/IP devices say who they are (ListIdentity, CIP Vol. 2, 2-4.2), without a session."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from typing import Final

from weft.connect.api import Place, Scope
from weft.connect.probing import dial, everywhere, exactly

__all__ = ["discover"]

PORTS: Final = (44818,)
LIST_IDENTITY: Final = 0x63
HEADER: Final = struct.Struct("<HHII8sI")
IDENTITY: Final = 0x0C  # item type
_BEFORE: Final = struct.Struct("<HHH")  # item count, type, length


async def discover(scope: Scope) -> AsyncIterator[Place]:
    for place in await everywhere(scope.hosts, scope.ports or PORTS, _ask, seconds=scope.seconds):
        yield place


async def _ask(host: str, port: int) -> list[Place]:
    async with dial(host, port) as stream:
        await stream.send(HEADER.pack(LIST_IDENTITY, 0, 0, 0, b"weft\0\0\0\0", 0))
        command, size, _, status, _, _ = HEADER.unpack(await exactly(stream, HEADER.size))
        if command != LIST_IDENTITY or status or size > 4096:
            return []
        body = await exactly(stream, size)
    name = _name(body)
    if name is None:
        return []
    config = {"host": host, **({"port": port} if port != PORTS[0] else {})}
    return [
        Place(
            protocol="ethernetip",
            address=f"enip://{host}:{port}",
            config=config,
            title=name,
            how="its identity",
        )
    ]


def _name(body: bytes) -> str | None:
    """The product's name of the first item; None when it is no identity."""
    if len(body) < _BEFORE.size or _BEFORE.unpack_from(body)[1] != IDENTITY:
        return None
    # Protocol version 2, socket address 16, vendor 2, type 2, code 2, revision 2, status 2, serial 4: then the name.
    at = _BEFORE.size + 2 + 16 + 14
    if at >= len(body):
        return ""
    return body[at + 1 : at + 1 + body[at]].decode("ascii", "replace")
