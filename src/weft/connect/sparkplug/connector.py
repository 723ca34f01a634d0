"""The host application: one session with a broker, its own state told to all, its nodes listened to."""

from __future__ import annotations

import hashlib
import platform
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio

from weft.connect.api import Found, Link, Point, Write
from weft.connect.sparkplug import address, commands
from weft.connect.sparkplug.host import Host
from weft.connect.sparkplug.listing import Listing
from weft.connect.tally import Tally
from weft.model import Batch, quality
from weft.mqtt.outgoing import Will
from weft.mqtt.session import REFUSED, Session
from weft.runtime import Clock, NeedsHuman, Retry, SystemClock, WeftError
from weft.runtime.secret import resolve
from weft.sparkplug.payload import Metric
from weft.sparkplug.state import encode_state, parse_state
from weft.sparkplug.topic import NAMESPACE, state_host, state_topic

__all__ = ["Sparkplug"]

LISTEN: Final = 3.0  # s a browse listens
BEFORE_ASKING: Final = 2.0  # s in which nodes that waited for us are born by themselves
LOOK: Final = 0.1
HIGH_PRESSURE: Final = 0.9
_MS: Final = 1_000_000


class Sparkplug:
    """Reads and writes the metrics of Sparkplug B edge nodes, as one host application among others."""

    Config = address.Config
    Address = address.Address

    def __init__(self, config: address.Config) -> None:
        self._config = config
        self._session: Session | None = None
        self._host: Host | None = None
        self._clock: Clock = SystemClock()

    async def run(self, link: Link) -> None:
        """Raises Retry when the broker is away, NeedsHuman when it refuses for good."""
        config, clock = self._config, link.clock
        self._clock = clock
        stamp = clock.now() // _MS  # that of the will and that of the birth must be one
        will = Will(state_topic(config.host_id), encode_state(online=False, timestamp=stamp), 1, True)
        fault: WeftError | None = None
        async with self._opened(self._client_id(link.name), will) as session:
            host = Host(
                link.points,
                Tally(link.name),
                started=clock.now(),
                reorder=config.reorder,
                rebirth=config.rebirth,
            )
            self._session, self._host = session, host
            try:
                await self._appear(session, stamp)
                async with anyio.create_task_group() as group:
                    group.start_soon(self._follow, link, host)
                    group.start_soon(self._tend, link, host, session)
                    try:
                        await self._read(link, host, session, stamp)
                    except WeftError as lost:
                        fault = lost  # raised outside, where no exception group hides it
                    group.cancel_scope.cancel()
            except WeftError as lost:
                fault = lost
            finally:
                self._session = self._host = None
                await self._disappear(session)
        if fault is not None:
            raise fault

    # --- our own state --------------------------------------------------------------------------------------

    async def _appear(self, session: Session, stamp: int) -> None:
        """Listens first and then tells that it does (Sparkplug 3.0, 5.3)."""
        config = self._config
        topics = [f"{NAMESPACE}/{group}/#" for group in config.groups] or [f"{NAMESPACE}/#"]
        codes = await session.subscribe([state_topic(config.host_id), *topics], qos=1)
        refused = sorted(topic for topic, code in codes.items() if code >= REFUSED)
        if refused:
            raise NeedsHuman(
                f"The broker refuses the subscription to {refused[0]!r}.", remedy="Check its access list."
            )
        await self._tell_state(session, stamp)

    async def _tell_state(self, session: Session, stamp: int, *, online: bool = True) -> None:
        payload = encode_state(online=online, timestamp=stamp)
        await session.publish(state_topic(self._config.host_id), payload, qos=1, retain=True)

    async def _disappear(self, session: Session) -> None:
        """Before a good-bye the death is told by ourselves: the broker's will is for accidents."""
        with anyio.move_on_after(self._config.timeout, shield=True):
            try:
                await self._tell_state(session, self._clock.now() // _MS, online=False)
            except WeftError:
                return

    # --- the loop -------------------------------------------------------------------------------------------

    async def _read(self, link: Link, host: Host, session: Session, stamp: int) -> None:
        own = state_topic(self._config.host_id)
        link.up(self._detail(host))
        while True:
            messages = await session.receive()
            session.acknowledge(messages)
            for message in messages:
                if message.topic == own:
                    state = parse_state(message.payload)
                    if state is not None and not state.online:
                        await self._tell_state(
                            session, stamp
                        )  # somebody, or our last will, says that we are away
            while link.pressure > HIGH_PRESSURE:
                await link.clock.sleep(0.05)
            self._hand_over(link, host, host.read(messages, link.clock.now()))

    async def _tend(self, link: Link, host: Host, session: Session) -> None:
        """What becomes due without a message: missing ones that did not come, births to be asked for."""
        begun = link.clock.monotonic()
        asked = False
        while True:
            await link.clock.sleep(LOOK)
            now = link.clock.now()
            self._hand_over(link, host, host.tick(now))
            if not asked and link.clock.monotonic() - begun >= BEFORE_ASKING:
                asked = True
                host.unborn()
            try:
                await self._ask(session, host.to_ask(now))
            except WeftError:
                return  # the reader has it too and raises it

    async def _follow(self, link: Link, host: Host) -> None:
        while True:
            await link.changed(host.points)
            host.follow(link.points)

    def _hand_over(self, link: Link, host: Host, batch: Batch) -> None:
        if len(batch):
            link.emit(batch)
        for gap in host.gaps:
            group, node = gap.node
            link.gap(gap.first, gap.last, f"messages of {group}/{node} are missing", host.points_of(gap.node))
        host.gaps.clear()
        link.up(self._detail(host))

    def _detail(self, host: Host) -> str:
        online = sum(node.online for node in host.nodes.values())
        return f"{online} of {len(host.nodes)} edge nodes online"

    # --- abilities ------------------------------------------------------------------------------------------

    async def write(self, writes: Sequence[Write]) -> Sequence[int]:
        """Sends DCMD or NCMD messages. Good says that the broker has them: Sparkplug has no answer but the new
        value. Raises Retry when the connection is not up."""
        session, host = self._session, self._host
        if session is None or host is None:
            raise Retry("The broker is not connected: nothing was sent.")
        now = self._clock.now()
        statuses = [quality.GOOD] * len(writes)
        messages: dict[tuple[str, str, str], list[Metric]] = {}
        for i, write in enumerate(writes):
            metric, statuses[i] = self._metric(host, write, now)
            if metric is not None:
                place = write.point.address
                messages.setdefault((place.group, place.node, place.device), []).append(metric)
        if messages and not await self._sent(session, messages, now):
            return [status or quality.BAD_TIMEOUT for status in statuses]
        return statuses

    async def _sent(
        self, session: Session, messages: Mapping[tuple[str, str, str], list[Metric]], now: int
    ) -> bool:
        """Whether the broker surely has them. Raises Retry when nothing at all was sent."""
        written = 0
        with anyio.move_on_after(self._config.timeout):
            try:
                for (group, node, device), metrics in messages.items():
                    topic, payload = commands.command(group, node, device, metrics, now)
                    await session.publish(topic, payload, qos=0)
                    written += 1
                await session.confirm()
            except Retry:
                if not written:
                    raise
                return False  # the connection was lost behind them: they may have arrived
            return True
        return False

    @staticmethod
    def _metric(host: Host, write: Write, now: int) -> tuple[Metric | None, int]:
        point: Point = write.point
        declaration = host.declaration(point)
        if declaration is None:
            return None, quality.BAD_NODE_ID_UNKNOWN
        if not host.alive(point):
            return None, quality.BAD_NO_COMMUNICATION
        return commands.wanted_metric(declaration, write.value, now)

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """The metrics of all births within three seconds below ``start`` (``group/node/device``). A node that
        ``start`` names, or that is heard but was not born meanwhile, is asked for its birth."""
        listing = Listing(start)
        session = self._new_session(f"weftlook{secrets.token_hex(6)}", None)
        try:
            await session.open()
            topics = [f"{NAMESPACE}/{group}/#" for group in self._config.groups] or [f"{NAMESPACE}/#"]
            # A broker that is Sparkplug-aware keeps the births (Sparkplug 3.0, 10.1.4).
            await session.subscribe([*topics, f"$sparkplug/certificates/{NAMESPACE}/#"], qos=1)
            named = start.strip("/").split("/")
            await self._ask(session, [(named[0], named[1])] if len(named) > 1 else [])
            with anyio.move_on_after(LISTEN):
                while not listing.full:
                    messages = await session.receive()
                    session.acknowledge(messages)
                    await self._ask(session, listing.take(messages))
        finally:
            await session.close()
        for found in listing.items():
            yield found

    async def _ask(self, session: Session, nodes: Sequence[tuple[str, str]]) -> None:
        for group, node in nodes:
            topic, payload = commands.rebirth(group, node, self._clock.now())
            await session.publish(topic, payload, qos=0)

    async def probe(self) -> str:
        """Raises like ``run``."""
        hosts: set[str] = set()
        session = self._new_session(f"weftlook{secrets.token_hex(6)}", None)
        try:
            await session.open()
            await session.subscribe([state_topic("+")], qos=1)
            with anyio.move_on_after(0.5):
                while True:
                    for message in await session.receive():
                        state = parse_state(message.payload)
                        if state is not None and state.online:
                            hosts.add(state_host(message.topic))
        finally:
            await session.close()
        told = f", host applications online: {', '.join(sorted(hosts)[:5])}" if hosts else ""
        return f"MQTT {self._config.version} broker at {self._config.host}:{self._config.at}{told}"

    @asynccontextmanager
    async def _opened(self, client_id: str, will: Will) -> AsyncIterator[Session]:
        session = self._new_session(client_id, will)
        try:
            await session.open()
            yield session
        finally:
            await session.close()

    def _new_session(self, client_id: str, will: Will | None) -> Session:
        """Always a clean one (Sparkplug 3.0, 5.3): what was published while we were away, a birth tells better."""
        config = self._config
        user, password = resolve(config.user, "user name"), resolve(config.password, "password")
        return Session(config, client_id, user, password, clean=True, will=will)

    def _client_id(self, connection: str) -> str:
        if self._config.client_id:
            return self._config.client_id
        digest = hashlib.sha256(f"{platform.node()}/{connection}/sparkplug".encode()).hexdigest()[:8]
        name = "".join(char for char in connection if char.isascii() and char.isalnum())
        return f"weft{name[:11]}{digest}"
