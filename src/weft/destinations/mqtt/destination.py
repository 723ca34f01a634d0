"""The destination: a session with a broker that publishes what the feed gives, each delivery settled once the
broker has acknowledged all of it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from weft.destinations.api import Delivery, Feed
from weft.destinations.mqtt.config import Config as MqttConfig
from weft.destinations.mqtt.messages import Messages
from weft.mqtt.session import Session
from weft.runtime import Denied, Invalid, NeedsHuman, WeftError, get_logger
from weft.runtime.secret import resolve

__all__ = ["Mqtt"]

log = get_logger(__name__)


class Mqtt:
    """The plant's samples on topics of a broker."""

    Config = MqttConfig

    def __init__(self, config: MqttConfig) -> None:
        self._config = config
        self._refused = 0

    async def run(self, feed: Feed) -> None:
        """Raises Retry when the broker is away, NeedsHuman when it refuses for good."""
        fault: WeftError | None = None
        async with self._session(feed) as session, anyio.create_task_group() as group:
            losses: list[WeftError] = []
            group.start_soon(_watch, session, group.cancel_scope, losses)
            try:
                await self._send(feed, session)
            except WeftError as error:
                fault = error  # raised outside, where no exception group hides it
            group.cancel_scope.cancel()
        if fault is None and losses:
            fault = losses[0]
        if isinstance(fault, Denied):
            raise NeedsHuman(fault.message, remedy=fault.remedy)
        if fault is not None:
            raise fault

    async def _send(self, feed: Feed, session: Session) -> None:
        seen = feed.signals
        messages = Messages(self._config, seen)
        feed.up(self._greeting(messages))
        while True:
            delivery = await feed.take()
            if feed.signals is not seen:
                seen = feed.signals
                messages = Messages(self._config, seen)
                feed.up(self._greeting(messages))
            if await self._publish(session, messages, delivery):
                feed.up(self._greeting(messages))
            await feed.settle(delivery)

    async def _publish(self, session: Session, messages: Messages, delivery: Delivery) -> bool:
        """Returns when the broker has it all; whether it refused some of it."""
        try:
            await session.publish_many(messages.of(delivery), window=self._config.window)
        except Invalid:
            await self._singly(session, messages, delivery)
            return True
        if self._config.qos == 0:
            await session.confirm()
        return False

    async def _singly(self, session: Session, messages: Messages, delivery: Delivery) -> None:
        """What the broker never takes must not hold up the rest: it is counted and left out."""
        for message in messages.of(delivery):
            try:
                await session.publish(message.topic, message.payload, qos=message.qos, retain=message.retain)
            except Invalid as error:
                self._refused += 1
                log.warning("a message is not taken and left out", topic=message.topic, reason=str(error))

    @asynccontextmanager
    async def _session(self, feed: Feed) -> AsyncIterator[Session]:
        config = self._config
        user, password = resolve(config.user, "user name"), resolve(config.password, "password")
        session = Session(config, self._client_id(feed.name), user, password, clean=True)
        try:
            await session.open()
            yield session
        finally:
            await session.close()

    def _client_id(self, name: str) -> str:
        """The same at every start, another on every machine and for every destination."""
        if self._config.client_id:
            return self._config.client_id
        digest = hashlib.sha256(f"{platform.node()}/to/{name}".encode()).hexdigest()[:12]
        return f"weftto{digest}"

    def _greeting(self, messages: Messages) -> str:
        config = self._config
        said = f"MQTT {config.version} broker at {config.host}:{config.at}{', TLS' if config.secure else ''}"
        if messages.left_out:
            said += f", {messages.left_out} signals left out: topic too long"
        return said + (f", {self._refused} messages refused" if self._refused else "")


async def _watch(session: Session, scope: anyio.CancelScope, losses: list[WeftError]) -> None:
    """A broker that goes while nothing is to be sent is noticed too."""
    try:
        while True:
            session.acknowledge(await session.receive())  # nothing was subscribed to
    except WeftError as error:
        losses.append(error)
        scope.cancel()
