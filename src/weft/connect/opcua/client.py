"""What the connector does, on asyncua. Imported when the first line opens: asyncua takes half a second."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import anyio

from weft.connect.api import Found, Link, Point
from weft.connect.opcua import browse as walk
from weft.connect.opcua.config import Config
from weft.connect.opcua.decode import Decoder
from weft.connect.opcua.faults import first_of
from weft.connect.opcua.handles import Handles
from weft.connect.opcua.items import Items
from weft.connect.opcua.session import Session, discover, session
from weft.connect.opcua.subscription import Subscription
from weft.ua.stack import ua

__all__ = ["browse", "probe", "run"]

RETRY_REFUSED: Final = 30.0


async def run(config: Config, link: Link) -> None:
    """Subscribes to the link's points until cancelled."""
    try:
        async with session(config) as opened:
            await _serve(opened, config, link)
    except BaseExceptionGroup as group:
        raise first_of(group) from group


async def browse(config: Config, start: str) -> AsyncIterator[Found]:
    async with session(config) as opened:
        with opened.explained():
            async for found in walk.browse(opened, start):
                yield found


async def probe(config: Config) -> str:
    return _summary(await discover(config))


async def _serve(opened: Session, config: Config, link: Link) -> None:
    handles = Handles()
    subscription = Subscription(opened, link, Decoder(handles))
    with opened.explained():
        await subscription.open()
        product = await opened.product()
    items = Items(opened, subscription.id, handles, link)
    async with anyio.create_task_group() as tasks:
        for _ in range(config.publish_requests):
            tasks.start_soon(subscription.publish)
        tasks.start_soon(subscription.watch)
        tasks.start_soon(opened.keep_open)
        with opened.explained():
            await _follow(items, link, product)


async def _follow(items: Items, link: Link, product: str) -> None:
    """The signals, as the plant changes; what was refused is asked for again now and then."""
    seen: Sequence[Point] = link.points
    await items.follow(seen)
    while True:
        link.up(f"{product or 'OPC UA server'}: {len(items)} of {len(seen)} signals")
        with anyio.move_on_after(RETRY_REFUSED if items.refused else None) as waiting:
            await link.changed(seen)
        if waiting.cancelled_caught:
            await items.retry()
        else:
            seen = link.points
            await items.follow(seen)


def _summary(endpoints: list[Any]) -> str:
    if not endpoints:
        return "an OPC UA server that offers nothing"
    server = endpoints[0].Server
    name = server.ApplicationName.Text or server.ApplicationUri or "OPC UA server"
    offers = {
        "none"
        if endpoint.SecurityMode == ua.MessageSecurityMode.None_
        else f"{(endpoint.SecurityPolicyUri or '').rpartition('#')[2]}/{endpoint.SecurityMode.name}"
        for endpoint in endpoints
    }
    logins = {token.TokenType.name for endpoint in endpoints for token in endpoint.UserIdentityTokens or []}
    product = f" ({server.ProductUri})" if server.ProductUri else ""
    text = (
        f"{name}{product}; security {', '.join(sorted(offers))}; login {', '.join(sorted(logins)) or 'none'}"
    )
    return text[:500]
