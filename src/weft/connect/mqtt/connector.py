"""The connector: one session with a broker, followed through changes of its signals."""

from __future__ import annotations

import hashlib
import platform
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import anyio

from weft.connect.api import Found, Link, Place, Scope, Write
from weft.connect.mqtt import address
from weft.connect.mqtt.listing import Listing
from weft.connect.mqtt.outlet import write
from weft.connect.mqtt.router import Router
from weft.connect.tally import Tally
from weft.model.quality import BAD_CONFIGURATION_ERROR
from weft.mqtt.session import REFUSED, Session
from weft.runtime import Clock, Retry, SystemClock, WeftError
from weft.runtime.secret import resolve

__all__ = ["Mqtt"]

LISTEN: Final = 3.0  # s a browse listens
HIGH_PRESSURE: Final = 0.9


class Mqtt:
    """Reads topics of a broker. With QoS 1 and a kept session nothing published while Weft was away is lost."""

    Config = address.Config
    Address = address.Address

    def __init__(self, config: address.Config) -> None:
        self._config = config
        self._live: Session | None = None
        self._clock: Clock = SystemClock()
        self._ended = 0  # when the last session did, ns

    async def run(self, link: Link) -> None:
        """Raises Retry when the broker is away, NeedsHuman when it refuses for good."""
        router = Router(link.points, link.refuse, Tally(link.name), self._config.max_payload)
        fault: WeftError | None = None
        client_id, clean = self._client_id(link.name), self._config.clean_session
        async with self._session(client_id, clean=clean) as session, anyio.create_task_group() as group:
            group.start_soon(_follow, link, router, session, partial(self._tell_missed, link, session))
            self._live, self._clock = session, link.clock
            try:
                await self._read(link, router, session)
            except WeftError as lost:
                fault = lost  # raised outside, where no exception group hides it
            finally:
                self._live, self._ended = None, link.clock.now()
            group.cancel_scope.cancel()
        if fault is not None:
            raise fault

    async def _read(self, link: Link, router: Router, session: Session) -> None:
        while True:
            messages = await session.receive()
            while link.pressure > HIGH_PRESSURE:
                # Not acknowledged and at last unread, the broker keeps the rest.
                await link.clock.sleep(0.05)
            # Acknowledged once stored: what a crash takes before that, the broker sends again.
            link.emit(router.read(messages, link.clock.now()), partial(session.acknowledge, messages))

    def _tell_missed(self, link: Link, session: Session) -> None:
        """What was published while we were away is lost when the broker has not kept it for us: it may have been
        killed, have been told not to, or have forgotten us meanwhile."""
        if session.present and self._config.qos and not self._config.clean_session:
            return
        known = (max(link.newest().values(), default=0), self._ended)
        first = min((time for time in known if time), default=0)
        if first:
            now = link.clock.now()
            link.gap(min(first, now), now, "the broker has not kept what was published meanwhile")

    @asynccontextmanager
    async def _session(self, client_id: str, *, clean: bool) -> AsyncIterator[Session]:
        config = self._config
        user, password = resolve(config.user, "user name"), resolve(config.password, "password")
        session = Session(config, client_id, user, password, clean=clean)
        try:
            await session.open()
            yield session
        finally:
            await session.close()

    def _client_id(self, connection: str) -> str:
        """The same at every start, another on every machine: a session is kept under it."""
        if self._config.client_id:
            return self._config.client_id
        digest = hashlib.sha256(f"{platform.node()}/{connection}".encode()).hexdigest()[:8]
        name = "".join(char for char in connection if char.isascii() and char.isalnum())
        return f"weft{name[:11]}{digest}"  # 23 characters: all that MQTT 3.1.1 promises

    # --- abilities ----------------------------------------------------------------------------------------

    async def write(self, writes: Sequence[Write]) -> Sequence[int]:
        """Publishes; done is what the broker has acknowledged. Raises Retry while there is no session."""
        if self._live is None:
            raise Retry("The broker is not connected.")
        return await write(self._live, writes, self._clock.now(), self._config.qos, self._config.timeout)

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """What is published within three seconds on topics of the filter ``start`` (all by default), retained
        messages first; JSON payloads value by value."""
        listing = Listing()
        async with self._session(self._passing_id(), clean=True) as session:
            await session.subscribe([start or "#"])
            with anyio.move_on_after(LISTEN):
                while not listing.full:
                    messages = await session.receive()
                    session.acknowledge(messages)
                    for message in messages:
                        listing.add(message)
        for item in listing.items():
            yield item

    @classmethod
    def discover(cls, scope: Scope) -> AsyncIterator[Place]:
        """As :class:`~weft.connect.Discovers`."""
        from weft.connect.mqtt.discover import discover

        return discover(scope)

    async def probe(self) -> str:
        """Raises like ``run``."""
        async with self._session(self._passing_id(), clean=True):
            return self._greeting()

    def _passing_id(self) -> str:
        return f"weftlook{secrets.token_hex(6)}"

    def _greeting(self) -> str:
        config = self._config
        secure = ", TLS" if config.secure else ""
        return f"MQTT {config.version} broker at {config.host}:{config.at}{secure}"


async def _follow(link: Link, router: Router, session: Session, subscribed_first: Callable[[], None]) -> None:
    """Keeps the subscriptions as the points want them. First the new, then without the old ones: a message
    that comes in between is taken, not missed. ``subscribed_first`` is told of the first time."""
    subscribed: set[str] = set()
    first = True
    kept = "session kept" if session.present else "new session"
    while True:
        wanted = router.filters
        try:
            codes = await session.subscribe(wanted - subscribed)
            await session.unsubscribe(subscribed - wanted)
        except WeftError:
            return  # the reader has it too and raises it
        for filter, code in codes.items():
            if code >= REFUSED:
                for point in router.points_of(filter):
                    reason = f"The broker refuses the subscription to {filter!r} (code {code})."
                    link.refuse(point, BAD_CONFIGURATION_ERROR, reason)
        subscribed = wanted
        if first:
            subscribed_first()
            first = False
        link.up(f"{len(wanted)} subscriptions, {kept}")
        await link.changed(router.points)
        router.follow(link.points)
