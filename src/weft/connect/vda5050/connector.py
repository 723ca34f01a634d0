"""The connector: one session with the broker, all carts of an interface."""

from __future__ import annotations

import hashlib
import platform
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import anyio

from weft.connect.api import Found, Link
from weft.connect.vda5050 import address
from weft.connect.vda5050.desk import Desk
from weft.connect.vda5050.fleet import Fleet
from weft.connect.vda5050.heard import filters, heard
from weft.connect.vda5050.listing import found
from weft.connect.vda5050.tower import Tower
from weft.mqtt.session import REFUSED, Session
from weft.runtime import NeedsHuman, Retry, WeftError
from weft.runtime.secret import resolve

__all__ = ["Vda5050"]

LISTEN: Final = 3.0  # s a browse listens
REMEMBER: Final = 5.0  # s between two writings of what is known
HIGH_PRESSURE: Final = 0.9


class Vda5050:
    """Reads carts and gives them orders (VDA 5050 2.0 and 2.1), as the master control does."""

    Config = address.Config
    Address = address.Address

    def __init__(self, config: address.Config) -> None:
        self._config = config
        self._fleet = Fleet()  # kept while the line comes and goes: what was lost in between shows
        self._tower: Tower | None = None

    async def run(self, link: Link) -> None:
        """Raises Retry when the broker is away, NeedsHuman when it refuses for good."""
        desk = Desk(link, self._fleet)
        headers = _numbers(link.recall().get("headers"))

        def remember() -> None:
            link.remember(desk.memory() | {"headers": headers})

        fault: WeftError | None = None
        async with self._session(self._client_id(link.name)) as session, anyio.create_task_group() as group:
            self._tower = Tower(self._config, self._fleet, session, link.clock, headers, remember)
            group.start_soon(_follow, link, desk)
            group.start_soon(_keep, desk, remember)
            try:
                await self._subscribe(session)
                link.up(
                    f"{self._config.interface}/{self._config.major} at {self._config.host}:{self._config.at}"
                )
                await self._read(link, desk, session)
            except WeftError as lost:
                fault = lost  # raised outside, where no exception group hides it
            finally:
                self._tower = None
                remember()
            group.cancel_scope.cancel()
        if fault is not None:
            raise fault

    async def _subscribe(self, session: Session) -> None:
        codes = await session.subscribe(filters(self._config))
        refused = [filter for filter, code in codes.items() if code >= REFUSED]
        if refused:
            raise NeedsHuman(
                f"The broker refuses the subscription to {refused[0]!r}.", remedy="Check its access list."
            )

    async def _read(self, link: Link, desk: Desk, session: Session) -> None:
        while True:
            messages = await session.receive()
            while link.pressure > HIGH_PRESSURE:
                await link.clock.sleep(0.05)  # not acknowledged and at last unread, the broker keeps the rest
            link.emit(desk.take(map(heard, messages)), partial(session.acknowledge, messages))

    @asynccontextmanager
    async def _session(self, client_id: str) -> AsyncIterator[Session]:
        config = self._config
        user, password = resolve(config.user, "user name"), resolve(config.password, "password")
        session = Session(config, client_id, user, password, clean=config.clean_session)
        try:
            await session.open()
            yield session
        finally:
            await session.close()

    def _client_id(self, connection: str) -> str:
        if self._config.client_id:
            return self._config.client_id
        digest = hashlib.sha256(f"{platform.node()}/{connection}/vda5050".encode()).hexdigest()
        return f"weftcarts{digest[:14]}"  # 23 characters: all that MQTT 3.1.1 promises

    # --- abilities ----------------------------------------------------------------------------------------

    async def call(self, target: str, method: str, arguments: Sequence[Any]) -> list[Any]:
        """``order`` and instant actions, see :class:`~weft.connect.vda5050.tower.Tower`."""
        if self._tower is None:
            raise Retry("The carts' broker is not connected.")
        return await self._tower.call(target, method, arguments)

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """The carts heard within three seconds whose ``manufacturer/serial number`` begins with ``start``."""
        fleet = Fleet()
        async with self._passing() as session:
            await self._subscribe(session)
            with anyio.move_on_after(LISTEN):
                while True:
                    messages = await session.receive()
                    session.acknowledge(messages)
                    _hear(fleet, messages)
        for id, cart in sorted(fleet.carts.items()):
            if id.startswith(start):
                for item in found(cart):
                    yield item

    async def probe(self) -> str:
        """Raises like ``run``."""
        fleet = Fleet()
        async with self._passing() as session:
            await self._subscribe(session)
            with anyio.move_on_after(0.5):
                while True:
                    _hear(fleet, await session.receive())
        online = sum(cart.online for cart in fleet.carts.values())
        where = f"{self._config.host}:{self._config.at}"
        return f"MQTT broker at {where} with {len(fleet.carts)} carts, {online} of them online"

    def _passing(self) -> Any:
        passing = Vda5050(_clean(self._config))
        return passing._session(f"weftlook{secrets.token_hex(6)}")  # its own kind


def _clean(config: address.Config) -> address.Config:
    import msgspec

    return msgspec.structs.replace(config, clean_session=True)


def _hear(fleet: Fleet, messages: Sequence[Any]) -> None:
    for one in map(heard, messages):
        cart = fleet.of(one.cart) if one is not None else None
        if cart is not None and one is not None:
            try:
                cart.take(one, 0)
            except ValueError:
                continue


def _numbers(remembered: Any) -> dict[str, int]:
    if not isinstance(remembered, dict):
        return {}
    return {str(key): value for key, value in remembered.items() if isinstance(value, int)}


async def _follow(link: Link, desk: Desk) -> None:
    while True:
        await link.changed(desk.points)
        desk.follow(link.points)


async def _keep(desk: Desk, remember: Any) -> None:
    """Writes down what is known when it has changed, now and then."""
    kept = desk.memory()
    while True:
        await anyio.sleep(REMEMBER)
        if desk.memory() != kept:
            kept = desk.memory()
            remember()
