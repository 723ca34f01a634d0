"""The edge node: one session with a broker, born with all its devices, and what comes of the feed after that."""

from __future__ import annotations

import contextlib
import hashlib
import platform
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import anyio

from weft.destinations.api import Delivery, Feed
from weft.destinations.sparkplug import config, messages
from weft.destinations.sparkplug.commands import Commands
from weft.destinations.sparkplug.plan import Plan
from weft.model import Signal
from weft.mqtt.broker import Message
from weft.mqtt.outgoing import Publication, Will
from weft.mqtt.session import REFUSED, Session
from weft.runtime import Clock, NeedsHuman, Retry, WeftError
from weft.runtime.secret import resolve
from weft.sparkplug.state import HostState, parse_state
from weft.sparkplug.topic import NAMESPACE, Topic, Verb, state_topic

__all__ = ["SparkplugEdge"]

MOST_UNSETTLED: Final = 64  # deliveries on their way
LOOK: Final = 0.2


class SparkplugEdge:
    """Publishes signals as metrics of one edge node with a device for each asset."""

    Config = config.Config

    def __init__(self, config: config.Config) -> None:
        self._config = config

    async def run(self, feed: Feed) -> None:
        """Raises Retry when the broker or the primary host is away, NeedsHuman when the broker refuses for good."""
        bdseq = self._next_bdseq(feed)
        topic = str(Topic(Verb.NDEATH, self._config.group, self._config.node))
        will = Will(topic, messages.death(bdseq, feed.clock.now()), 1)
        config = self._config
        user, password = resolve(config.user, "user name"), resolve(config.password, "password")
        session = Session(config, self._client_id(feed.name), user, password, clean=True, will=will)
        try:
            await session.open()
            try:
                fault = await _Life(self._config, feed, session, bdseq).live()
            finally:
                await self._die(session, will, bdseq, feed.clock)
        finally:
            await session.close(with_will=True)
        raise fault

    async def _die(self, session: Session, will: Will, bdseq: int, clock: Clock) -> None:
        """An NDEATH of our own, before the good-bye (Sparkplug 3.0, 5.4)."""
        with anyio.move_on_after(self._config.timeout, shield=True):
            if self._config.version != "5":  # with 5.0 the broker can be asked to publish the will
                with contextlib.suppress(WeftError):  # then the broker does it, too
                    await session.publish(will.topic, messages.death(bdseq, clock.now()), qos=1)

    @staticmethod
    def _next_bdseq(feed: Feed) -> int:
        """One more than at the connection before, over restarts too."""
        memory: dict[str, Any] = feed.recall()
        before = memory.get("bdseq")
        bdseq = (before + 1) % 256 if isinstance(before, int) else 0
        feed.remember({**memory, "bdseq": bdseq})
        return bdseq

    def _client_id(self, name: str) -> str:
        config = self._config
        if config.client_id:
            return config.client_id
        text = f"{platform.node()}/{name}/{config.group}/{config.node}"
        return f"weftedge{hashlib.sha256(text.encode()).hexdigest()[:12]}"


class _Life:
    """One session from its connection to its end."""

    def __init__(self, config: config.Config, feed: Feed, session: Session, bdseq: int) -> None:
        self._config = config
        self._feed = feed
        self._session = session
        self._bdseq = bdseq
        self._seq = 0
        self._plan = Plan(config.devices)
        self._encoder = messages.DataEncoder(
            self._plan, config.most, exact_time=config.exact_time, datatypes=config.datatypes
        )
        self._commands = Commands(feed, self._plan)
        self._sending = anyio.Lock()
        self._sent: deque[tuple[Delivery, float]] = deque()
        self._room = anyio.Event()
        self._state: HostState | None = None
        self._host_online = anyio.Event()
        self._born: list[str] = []
        self._fault: WeftError | None = None

    async def live(self) -> WeftError:
        """Until something ends it: returns what."""
        config = self._config
        topics = [
            f"{NAMESPACE}/{config.group}/NCMD/{config.node}",
            f"{NAMESPACE}/{config.group}/DCMD/{config.node}/+",
        ]
        if config.primary_host:
            topics.append(state_topic(config.primary_host))
        try:
            codes = await self._session.subscribe(topics, qos=1)
        except WeftError as lost:
            return lost
        refused = sorted(topic for topic, code in codes.items() if code >= REFUSED)
        if refused:
            return NeedsHuman(
                f"The broker refuses the subscription to {refused[0]!r}.", remedy="Check its access list."
            )
        async with anyio.create_task_group() as group:
            for task in (self._listen, self._send, self._settle):
                group.start_soon(self._until_lost, task, group.cancel_scope)
            group.start_soon(self._commands.carry_out)
        return self._fault or Retry("The session ended.")

    async def _until_lost(self, task: Any, scope: anyio.CancelScope) -> None:
        try:
            await task()
        except WeftError as lost:
            if self._fault is None:
                self._fault = lost
            scope.cancel()

    # --- what the others say --------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            received = await self._session.receive()
            self._session.acknowledge(received)
            for message in received:
                await self._message(message)

    async def _message(self, message: Message) -> None:
        config = self._config
        if config.primary_host and message.topic == state_topic(config.primary_host):
            self._host_said(message.payload)
        elif self._commands.take(message) and self._born:
            async with self._sending:
                await self._be_born()

    def _host_said(self, payload: bytes) -> None:
        """STATE of the primary host (5.4): of two, the one with the greater timestamp counts. Raises Retry when it
        is offline and we had begun."""
        state = parse_state(payload)
        if state is None or (self._state is not None and state.timestamp < self._state.timestamp):
            return
        self._state = state
        if state.online:
            self._host_online.set()
        elif self._host_online.is_set():
            raise Retry(
                f"The primary host {self._config.primary_host!r} is offline: what comes is kept for it."
            )

    # --- what we say ----------------------------------------------------------------------------------------

    async def _send(self) -> None:
        feed = self._feed
        if self._config.primary_host:
            await self._host_online.wait()
        signals = feed.signals
        async with self._sending:
            await self._follow(signals)
        async with anyio.create_task_group() as group:
            group.start_soon(self._until_lost, self._watch, group.cancel_scope)
            await self._until_lost(self._deliver, group.cancel_scope)
        if self._fault is not None:
            raise self._fault

    async def _watch(self) -> None:
        """Other signals are other births."""
        while True:
            seen = self._feed.signals
            if seen is self._following:
                await self._feed.changed(seen)
            async with self._sending:
                await self._follow(self._feed.signals)

    async def _follow(self, signals: Sequence[Signal]) -> None:
        self._following = signals
        self._plan.follow(signals, self._feed.snapshot())
        for device in self._born:
            if device not in self._plan.metrics:
                payload = messages.message(b"", self._take_seq(), self._feed.clock.now())
                await self._publish(Verb.DDEATH, device, payload)
        await self._be_born()

    async def _be_born(self) -> None:
        """NBIRTH and the DBIRTHs behind it, with the newest values."""
        newest = {row.signal: row for row in self._feed.snapshot()}
        self._encoder.born(newest.values())
        self._seq = 0
        node = messages.node_birth(self._bdseq, self._take_seq(), self._feed.clock.now())
        await self._publish(Verb.NBIRTH, "", node)
        for device in self._plan.devices:
            await self._device_is_born(device, newest)
        self._born = list(self._plan.devices)
        count = len(self._plan.by_alias)
        self._feed.up(f"{self._config.group}/{self._config.node}: {len(self._born)} devices, {count} metrics")

    async def _device_is_born(self, device: str, newest: dict[int, Any]) -> None:
        metrics = self._plan.metrics[device].values()
        payload = messages.birth(
            metrics, newest, self._take_seq(), self._feed.clock.now(), exact_time=self._config.exact_time
        )
        await self._publish(Verb.DBIRTH, device, payload)

    async def _deliver(self) -> None:
        feed = self._feed
        while True:
            while len(self._sent) >= MOST_UNSETTLED:
                await self._room.wait()
            delivery = await feed.take()
            async with self._sending:
                await self._deliver_one(delivery)
            self._sent.append((delivery, feed.clock.monotonic()))
            self._tell()

    async def _deliver_one(self, delivery: Delivery) -> None:
        restless = self._plan.changed_types(delivery.batch)
        if restless:  # a metric of another datatype is another metric: its device is born again
            newest = {row.signal: row for row in self._feed.snapshot()}
            for device in sorted(restless):
                await self._device_is_born(device, newest)
        now = self._feed.clock.now()
        topics = {device: str(self._topic(Verb.DDATA, device)) for device in self._plan.devices}
        await self._session.publish_many(
            Publication(
                topics[device], messages.message(metrics, self._take_seq(), now), self._config.data_qos
            )
            for device, metrics in self._encoder.encode(delivery.batch, live=delivery.live)
        )

    async def _settle(self) -> None:
        """What the broker has, and has had for ``hold`` seconds, is done with."""
        clock = self._feed.clock
        while True:
            while not self._sent:
                await self._room.wait()
            if not self._config.data_qos:
                count = len(self._sent)
                await self._session.confirm()
            else:
                count = len(self._sent)
            for _ in range(count):
                delivery, since = self._sent[0]
                while (left := since + self._config.hold - clock.monotonic()) > 0:
                    await clock.sleep(min(left, LOOK))
                await self._feed.settle(delivery)
                self._sent.popleft()
            self._tell()

    async def _publish(self, verb: Verb, device: str, payload: bytes) -> None:
        await self._session.publish(str(self._topic(verb, device)), payload, qos=0)

    def _topic(self, verb: Verb, device: str) -> Topic:
        return Topic(verb, self._config.group, self._config.node, device)

    def _take_seq(self) -> int:
        seq, self._seq = self._seq, (self._seq + 1) % 256
        return seq

    def _tell(self) -> None:
        news, self._room = self._room, anyio.Event()
        news.set()
