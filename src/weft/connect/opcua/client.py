"""What the connector does, on asyncua. Imported when the first line opens: asyncua takes half a second."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import anyio

from weft.connect.api import Found, Link, Point, Write
from weft.connect.opcua.browse import Page
from weft.connect.opcua.calls import call
from weft.connect.opcua.config import Config
from weft.connect.opcua.faults import first_of, has_no_subscriptions
from weft.connect.opcua.memory import Facts
from weft.connect.opcua.monitoring import Monitoring
from weft.connect.opcua.polling import Polling
from weft.connect.opcua.present import Clocks, Present, read_now
from weft.connect.opcua.profiles import profile_of
from weft.connect.opcua.seen import Seen
from weft.connect.opcua.session import Session, discover, session
from weft.connect.opcua.subscription import Renewal
from weft.connect.opcua.survey import survey
from weft.connect.opcua.writing import Writing
from weft.model import Batch
from weft.runtime import Retry, get_logger
from weft.ua.stack import ua

__all__ = ["Client"]

log = get_logger(__name__)

SHORT_LIVED: Final = 5.0  # s: two renewals within that are no accident


class Client:
    """One server. What it keeps from one run to the next lets the next one go on where the last one ended."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.clocks = Clocks()
        self._facts: Facts | None = None
        self._seen = Seen()
        self._monitoring: Monitoring | None = None
        self._session: Session | None = None
        self._writing: Writing | None = None

    async def run(self, link: Link) -> None:
        """Subscribes to the link's points until cancelled. Raises Retry or NeedsHuman."""
        if self._facts is None:
            self._facts = Facts.of(link.recall(), self._config)
        begun = link.clock.now()
        self._seen.learn(link.newest(), begun)
        present = Present(link, self._seen, begun, self.clocks)
        try:
            async with session(self._config, self._facts) as opened, anyio.create_task_group() as tasks:
                self._session, self._writing = opened, Writing(opened)
                tasks.start_soon(opened.keep_open)
                await self._serve(opened, link, present)
        except BaseExceptionGroup as group:
            raise first_of(group) from group
        finally:
            self._session = self._writing = None

    async def browse(self, start: str) -> AsyncIterator[Found]:
        async for page in survey(self._config, start):
            for found in page.found:
                yield found

    def survey(self, start: str, cursor: bytes) -> AsyncIterator[Page]:
        return survey(self._config, start, cursor)

    async def probe(self) -> str:
        return _summary(await discover(self._config))

    async def write(self, writes: Sequence[Write]) -> Sequence[int]:
        _, writing = self._running()
        return await writing.write(writes)

    async def read(self, points: Sequence[Point]) -> Batch:
        opened, _ = self._running()
        with opened.explained():
            return await read_now(opened, points, time.time_ns())

    async def call(self, target: str, method: str, arguments: Sequence[Any]) -> list[Any]:
        opened, writing = self._running()
        with opened.explained():
            return await call(opened, writing, target, method, arguments)

    def _running(self) -> tuple[Session, Writing]:
        if self._session is None or self._writing is None:
            raise Retry(f"The connection to {self._config.endpoint} is not up.")
        return self._session, self._writing

    async def _serve(self, opened: Session, link: Link, present: Present) -> None:
        """By subscription or by reading: as the plant says, else as the server's profile says, else whichever the
        server takes."""
        with opened.explained():
            opened.profile = profile = await profile_of(opened, self._config.profile)
        mode = self._config.mode
        if mode == "auto":
            too_many = 0 < profile.most_items < len(link.points)
            mode = "read" if too_many else profile.mode
        if mode == "subscribe":
            try:
                await self._subscribe(opened, link, present)
            except Retry as error:
                if self._config.mode != "auto" or not has_no_subscriptions(error.__cause__):
                    raise
                log.warning("read in batches instead", connection=link.name, because=str(error))
        facts = self._facts or Facts()
        await Polling(self._config, link, opened, profile, self._seen, facts).run(present)

    async def _subscribe(self, opened: Session, link: Link, present: Present) -> None:
        """One subscription after the other; more than one only when the server loses them."""
        facts = self._facts or Facts()
        made = -SHORT_LIVED
        while True:
            try:
                monitoring = await self._monitor(opened, link, facts)
                await monitoring.run(facts, present)
            except* Renewal as group:
                error = first_of(group)
                log.warning("subscription made anew", connection=link.name, because=str(error))
                if anyio.current_time() - made < SHORT_LIVED:
                    raise error from group
                made = anyio.current_time()
                await self._give_up(opened, facts)

    async def _monitor(self, opened: Session, link: Link, facts: Facts) -> Monitoring:
        """The one of before, where the line is the same; else that of an earlier process, or a new one."""
        with opened.explained():
            if self._monitoring is not None and self._monitoring.of(link):
                await self._monitoring.resume(opened)
            else:
                monitoring = Monitoring(self._config, link, opened, self._seen)
                await monitoring.begin(facts)
                self._monitoring = monitoring
            return self._monitoring

    async def _give_up(self, opened: Session, facts: Facts) -> None:
        if self._monitoring is not None:
            with opened.explained():  # a line that is lost keeps what it has
                await self._monitoring.subscription.delete()
        self._monitoring = None
        facts.forget_subscription()


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
