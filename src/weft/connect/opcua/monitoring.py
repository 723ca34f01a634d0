"""What is monitored on a server, beyond the life of a line: the subscription, its items and what has come of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import anyio
import anyio.to_thread

from weft.connect.api import Link, Point
from weft.connect.opcua.alarms import Alarms
from weft.connect.opcua.config import Config
from weft.connect.opcua.decode import Decoder
from weft.connect.opcua.handles import Handles
from weft.connect.opcua.history import History
from weft.connect.opcua.holes import Holes
from weft.connect.opcua.items import Items
from weft.connect.opcua.memory import Facts, pack, unpack
from weft.connect.opcua.present import Present
from weft.connect.opcua.seen import Seen
from weft.connect.opcua.session import Session
from weft.connect.opcua.subscription import Renewal, Subscription
from weft.runtime import get_logger

__all__ = ["Monitoring"]

log = get_logger(__name__)

RETRY_REFUSED: Final = 30.0


class Monitoring:
    """Made anew, or taken up from ``facts``, by :meth:`begin`; goes on over later sessions by :meth:`resume`."""

    def __init__(self, config: Config, link: Link, session: Session, seen: Seen) -> None:
        self._config = config
        self._link = link
        self._session = session
        self._seen = seen
        self._handles = Handles()
        self._history = History(session)
        self._holes = Holes(link, seen, self._history, self._alive)
        self._alarms = Alarms(link)
        self.subscription = Subscription(
            session,
            link,
            Decoder(self._handles, session.structures.known),
            seen=seen,
            before=self._holes.before,
            happened=self._alarms.happened,
            queues=self._queues,
        )
        self._items: Items

    def of(self, link: Link) -> bool:
        """Whether it hands over to this link."""
        return self._link is link

    async def begin(self, facts: Facts) -> None:
        """A subscription: the one that ``facts`` tell of, or a new one. Raises Renewal when that one is gone."""
        if not facts.subscription:
            await self.subscription.open()
            self._items = Items(self._session, self.subscription.id, self._handles, self._link)
            return
        self.subscription.adopt(facts.subscription, facts.silence)
        if not self._session.resumed:
            await self.subscription.transfer()
        self._items = Items(self._session, facts.subscription, self._handles, self._link)
        await self._items.adopt(_items(facts), self._link.points)
        self._alarms.adopt(facts.events)

    async def resume(self, session: Session) -> None:
        """Goes on over a session. Raises Renewal when the subscription did not outlive the last one."""
        self._session = session
        self.subscription.attach(session)
        self._items.attach(session)
        self._history.attach(session)
        if not session.resumed:
            await self.subscription.transfer()

    async def run(self, facts: Facts, present: Present) -> None:
        """Until the line is lost. Raises Retry, NeedsHuman or Renewal."""
        async with anyio.create_task_group() as tasks:
            for _ in range(self._config.publish_requests):
                tasks.start_soon(self.subscription.publish)
            tasks.start_soon(self.subscription.watch)
            tasks.start_soon(self._holes.write_down)
            tasks.start_soon(present.compare, self._session, lambda: self._link.points)
            with self._session.explained():
                await self._follow(facts, present)

    async def _follow(self, facts: Facts, present: Present) -> None:
        """The signals, as the plant changes; what was refused is asked for again now and then."""
        product = await self._session.product()
        seen: Sequence[Point] = self._link.points
        await self._items.follow(seen)
        await self._alarms.follow(self._session, self.subscription.id, self._config.events)
        await self._keep(facts)
        first = True
        while True:
            notes = "".join(f"; {note}" for note in self._session.notes)
            self._link.up(f"{product or 'OPC UA server'}: {len(self._items)} of {len(seen)} signals{notes}")
            if first:
                await present.confirm(self._session, self._served(seen))
                first = False
            with anyio.move_on_after(RETRY_REFUSED if self._items.refused else None) as waiting:
                await self._link.changed(seen)
            if waiting.cancelled_caught:
                await self._items.retry()
            else:
                seen = self._link.points
                await self._items.follow(seen)
            await self._keep(facts)

    def _served(self, points: Sequence[Point]) -> list[Point]:
        return [point for point in points if point not in self._items.refused]

    async def _keep(self, facts: Facts) -> None:
        """Everything that a fresh process needs, safe on disk."""
        facts.subscription, facts.silence = self.subscription.id, self.subscription.silence
        facts.items, facts.events = pack(self._items.facts()), self._alarms.facts()
        if not facts.items and len(self._items):
            facts.forget_subscription()  # too many to be remembered
        document = facts.document()
        if document != self._link.recall():
            await anyio.to_thread.run_sync(self._link.remember, document)

    def _queues(self) -> dict[int, int]:
        return self._items.queues()

    def _alive(self) -> None:
        self.subscription.alive()


def _items(facts: Facts) -> list[Any]:
    try:
        return list(unpack(facts.items))
    except ValueError as error:
        raise Renewal(f"What is remembered of the monitored items cannot be read: {error}.") from error
