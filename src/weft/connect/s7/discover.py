"""Whether an S7 controller answers: it confirms an ISO connection (RFC 1006, ISO 8073) to rack 0 and one of the slots
where CPUs sit. Nothing is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from weft.connect.api import Place, Scope
from weft.connect.probing import dial, everywhere, exactly

__all__ = ["discover"]

PORTS: Final = (102,)
SLOTS: Final = (1, 2, 0)  # 1200 and 1500, 300, soft PLCs
CONFIRMED: Final = 0xD0
OP: Final = 2  # connection type


async def discover(scope: Scope) -> AsyncIterator[Place]:
    for place in await everywhere(scope.hosts, scope.ports or PORTS, _ask, seconds=scope.seconds):
        yield place


async def _ask(host: str, port: int) -> list[Place]:
    for slot in SLOTS:
        if await _confirms(host, port, slot):
            config = {"host": host, "rack": 0, "slot": slot, **({"port": port} if port != PORTS[0] else {})}
            return [
                Place(
                    protocol="s7",
                    address=f"s7://{host}:{port}",
                    config=config,
                    title=f"rack 0, slot {slot}",
                    how="an S7 connection",
                )
            ]
    return []


async def _confirms(host: str, port: int, slot: int) -> bool:
    request = (
        bytes.fromhex("0300001611e00000000100c1020100c202") + bytes([OP, slot]) + bytes.fromhex("c0010a")
    )
    async with dial(host, port) as stream:
        await stream.send(request)
        head = await exactly(stream, 6)
    return head[:2] == b"\x03\x00" and head[5] == CONFIRMED
