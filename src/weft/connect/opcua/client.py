"""The OPC UA connector."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import anyio
import msgspec

from weft.connect.api import Found, Link, Point
from weft.connect.opcua.browse import browse
from weft.connect.opcua.config import Address as OpcUaAddress
from weft.connect.opcua.config import Config as OpcUaConfig
from weft.connect.opcua.decode import Decoder
from weft.connect.opcua.faults import first_of
from weft.connect.opcua.handles import Handles
from weft.connect.opcua.items import Items
from weft.connect.opcua.session import Session, discover, session
from weft.connect.opcua.stack import ua
from weft.connect.opcua.subscription import Subscription

__all__ = ["OpcUa"]


class OpcUa:
    """Subscribes to nodes of one server; see README.md of this folder.

    A sample keeps the type that the server sends, whatever ``Point.type`` asks for: the connector never
    converts, so that nothing is lost before the edge decides.
    """

    Config: ClassVar[type[msgspec.Struct]] = OpcUaConfig
    Address: ClassVar[type[msgspec.Struct]] = OpcUaAddress

    RETRY_REFUSED: ClassVar[float] = 30.0

    def __init__(self, config: OpcUaConfig) -> None:
        self._config = config

    async def run(self, link: Link) -> None:
        try:
            async with session(self._config) as opened:
                await self._serve(opened, link)
        except BaseExceptionGroup as group:
            raise first_of(group) from group

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """Variables below the node ``start`` (default: the Objects folder without the Server object)."""
        async with session(self._config) as opened:
            with opened.explained():
                async for found in browse(opened, start):
                    yield found

    async def probe(self) -> str:
        """Name and product of the server, and the security it offers."""
        endpoints = await discover(self._config)
        return _summary(endpoints)

    async def _serve(self, opened: Session, link: Link) -> None:
        handles = Handles()
        subscription = Subscription(opened, link, Decoder(handles))
        with opened.explained():
            await subscription.open()
            product = await opened.product()
        items = Items(opened, subscription.id, handles, link)
        async with anyio.create_task_group() as tasks:
            for _ in range(self._config.publish_requests):
                tasks.start_soon(subscription.publish)
            tasks.start_soon(subscription.watch)
            tasks.start_soon(opened.keep_open)
            with opened.explained():
                await self._follow(items, link, product)

    async def _follow(self, items: Items, link: Link, product: str) -> None:
        """The signals, as the plant changes; what was refused is asked for again now and then."""
        seen: Sequence[Point] = link.points
        await items.follow(seen)
        while True:
            link.up(f"{product or 'OPC UA server'}: {len(items)} of {len(seen)} signals")
            with anyio.move_on_after(self.RETRY_REFUSED if items.refused else None) as waiting:
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
