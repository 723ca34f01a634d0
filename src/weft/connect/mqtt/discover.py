"""Whether a broker answers, and whether Sparkplug is spoken on it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any, Final

import anyio
import msgspec

from weft.connect.api import Place, Scope
from weft.connect.probing import everywhere
from weft.mqtt.broker import Broker
from weft.mqtt.session import Session
from weft.runtime import NeedsHuman

__all__ = ["discover"]

PORTS: Final = (1883, 8883)
SPARKPLUG: Final = "spBv1.0/"


async def discover(scope: Scope) -> AsyncIterator[Place]:
    async def ask(host: str, port: int) -> list[Place]:
        return await _ask(host, port, scope.seconds / 2)

    for place in await everywhere(scope.hosts, scope.ports or PORTS, ask, seconds=scope.seconds):
        yield place


async def _ask(host: str, port: int, seconds: float) -> list[Place]:
    secure = port % 1000 == 883 and port != 1883
    config: dict[str, Any] = {"host": host, "port": port, **({"tls": True} if secure else {})}
    place = Place(
        protocol="mqtt",
        address=f"mqtt{'s' if secure else ''}://{host}:{port}",
        config=config,
        how="a broker's answer",
    )
    session = Session(Broker(**config), f"weftlook{secrets.token_hex(6)}", "", "", clean=True)
    try:
        await session.open()
        return [place, *await _sparkplug(session, config, seconds)]
    except NeedsHuman as refused:  # somebody is there and wants to know who asks
        return [msgspec.structs.replace(place, title=refused.message)]
    finally:
        session.abort()  # nobody waits for a good-bye


async def _sparkplug(session: Session, config: dict[str, Any], seconds: float) -> list[Place]:
    """Edge nodes that say anything while we listen: as many as there are groups."""
    await session.subscribe([f"{SPARKPLUG}#"])
    nodes: dict[str, set[str]] = {}
    with anyio.move_on_after(seconds):
        while True:
            messages = await session.receive()
            session.acknowledge(messages)
            for message in messages:
                parts = message.topic.split("/")
                if len(parts) >= 4:
                    nodes.setdefault(parts[1], set()).add(parts[3])
    address = f"mqtt://{config['host']}:{config['port']}"
    return [
        Place(
            protocol="sparkplug",
            address=address,
            config={**config, "groups": [group]},
            title=f"group {group}: {', '.join(sorted(edges)[:5])}",
            how="Sparkplug messages",
        )
        for group, edges in sorted(nodes.items())
    ]
