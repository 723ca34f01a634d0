"""Who watches which signal. New samples reach only the items that monitor them; one clock serves all
subscriptions."""

from __future__ import annotations

import time
from typing import Final

import anyio
import anyio.lowlevel

from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.item import Item
from weft.destinations.opcua.publishing import PublishRequest, Subscription, Timing, publish_header
from weft.destinations.opcua.session import Session
from weft.destinations.opcua.values import Sample, Values, samples
from weft.destinations.opcua.variable import Variable
from weft.model import Batch

__all__ = ["Watch"]

_AT_ONCE: Final = 500  # samples offered before others have their turn
_MOST_QUEUED: Final = 1_000_000
_IDLE: Final = 60.0
_NO_DIAGNOSTICS: Final = b"\xff\xff\xff\xff"


class Watch:
    """``items`` counts the monitored items of all sessions; ``room`` is what their queues together may still
    hold."""

    def __init__(self, values: Values, most_subscriptions: int, most_items: int) -> None:
        self.values = values
        self.items = 0
        self.room = _MOST_QUEUED
        self.subscriptions: dict[int, Subscription] = {}
        self._most_subscriptions = most_subscriptions
        self._most_items = most_items
        self._by_slot: dict[int, list[Item]] = {}
        self._last_id = 0
        self._news = anyio.Event()

    async def run(self) -> None:
        """The clock of all subscriptions."""
        while True:
            now = time.monotonic()
            for subscription in list(self.subscriptions.values()):
                if subscription.due <= now and not subscription.ended:
                    subscription.tick(now)
                    await anyio.lowlevel.checkpoint()
            due = min((one.due for one in self.subscriptions.values()), default=now + _IDLE)
            with anyio.move_on_after(max(due - time.monotonic(), 0)):
                await self._news.wait()
                self._news = anyio.Event()

    async def take(self, batch: Batch) -> None:
        """New samples. Stored at once; those that somebody watches are offered in portions."""
        now = time.time_ns()
        watched, slots = self.values.store(batch, now)
        for at in range(0, len(watched), _AT_ONCE):
            piece = watched.take(slice(at, at + _AT_ONCE))
            moment = time.monotonic()
            for slot, sample in zip(slots[at : at + _AT_ONCE].tolist(), samples(piece, now), strict=True):
                for item in self._by_slot.get(slot, ()):
                    item.offer(sample, moment)
            await anyio.lowlevel.checkpoint()

    def gone(self, variable: Variable) -> None:
        """A signal is no longer there: its items say so from now on."""
        last = Sample(b"", int(code.BadNodeIdUnknown), None, time.time_ns(), float("nan"))
        for item in self._by_slot.pop(variable.slot, ()):
            item.variable = None
            item.read = lambda: last
            item.offer(last, time.monotonic())

    def subscribe(self, session: Session, timing: Timing, *, enabled: bool) -> Subscription:
        """Raises Refused."""
        if len(self.subscriptions) >= self._most_subscriptions:
            raise Refused(code.BadTooManySubscriptions, f"{self._most_subscriptions} subscriptions")
        self._last_id += 1
        subscription = Subscription(self._last_id, session, timing, self, enabled=enabled)
        self.subscriptions[subscription.id] = session.subscriptions[subscription.id] = subscription
        self._news.set()
        return subscription

    def add(self, item: Item) -> None:
        """Raises Refused."""
        if self.items >= self._most_items:
            raise Refused(code.BadTooManyMonitoredItems, f"{self._most_items} items")
        self.items += 1
        self.room -= item.wanted.queue
        item.subscription.items[item.id] = item
        if item.variable is None:
            item.subscription.polled.add(item)
        else:
            self._by_slot.setdefault(item.variable.slot, []).append(item)
            self.values.watched[item.variable.slot] = True

    def remove(self, item: Item) -> None:
        self.items -= 1
        self.room += item.wanted.queue
        subscription = item.subscription
        del subscription.items[item.id]
        subscription.ready.pop(item, None)
        subscription.held.discard(item)
        subscription.polled.discard(item)
        if item.variable is None:
            return
        slot = item.variable.slot
        others = self._by_slot.get(slot, [])
        if item in others:
            others.remove(item)
        if not others:
            self._by_slot.pop(slot, None)
            self.values.watched[slot] = False

    def forget(self, subscription: Subscription) -> None:
        self.subscriptions.pop(subscription.id, None)
        subscription.session.subscriptions.pop(subscription.id, None)
        for item in list(subscription.items.values()):
            self.remove(item)

    def transfer(self, subscription: Subscription, session: Session) -> None:
        """To another session; the one it had is told (5.13.7)."""
        former = subscription.session
        former.subscriptions.pop(subscription.id, None)
        self.last_words(former, subscription, subscription.obituary(int(code.GoodSubscriptionTransferred)))
        subscription.session = session
        session.subscriptions[subscription.id] = subscription
        subscription.touch()

    def request(self, session: Session) -> PublishRequest | None:
        """The session's oldest Publish request that still waits; those that waited too long are answered so."""
        now = time.monotonic()
        while session.requests:
            request = session.requests.popleft()
            if request.expires > now:
                return request
            self._refuse(session, request, int(code.BadTimeout))
        return None

    def ask(self, session: Session, request: PublishRequest) -> None:
        """A new Publish request (5.13.5)."""
        if session.obituaries:
            self._bury(session, request)
            return
        if not session.subscriptions:
            raise Refused(code.BadNoSubscription)
        session.requests.append(request)
        if len(session.requests) > len(session.subscriptions) + 20:
            self._refuse(session, session.requests.popleft(), int(code.BadTooManyPublishRequests))
        for subscription in list(session.subscriptions.values()):
            subscription.publish()

    def send(self, session: Session, request: PublishRequest, response: bytes) -> None:
        if session.connection is not None:
            session.connection.respond(request.id, response)

    def last_words(self, session: Session, subscription: Subscription, notification: bytes) -> None:
        session.obituaries.append((subscription.id, notification))
        request = self.request(session)
        if request is not None:
            self._bury(session, request)

    def _bury(self, session: Session, request: PublishRequest) -> None:
        id, notification = session.obituaries.popleft()
        response = (
            publish_header(request.handle)
            + id.to_bytes(4, "little")
            + b"\0\0\0\0\0"
            + notification
            + request.results
            + _NO_DIAGNOSTICS
        )
        self.send(session, request, response)

    def _refuse(self, session: Session, request: PublishRequest, status: int) -> None:
        if session.connection is not None:
            session.connection.fault(request.id, request.handle, status)
