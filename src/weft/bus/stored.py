"""Reading a JetStream stream in order, through every loss of the server.

The reader knows the last sequence it has taken. It reads with a consumer that the server may forget: when the
session ends, the server falls silent or a message is missing, a new consumer begins after that sequence. How
far a durable subscription has come is a message in a stream of its own, so an acknowledgement is as safe as
any other message.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import anyio
import msgspec
from nats.aio.msg import Msg

from weft.bus import jetstream
from weft.bus.api import Message, Start
from weft.bus.connection import Connection
from weft.bus.session import Leave, Session
from weft.bus.subjects import escape
from weft.model import BadWire, decode, instant
from weft.runtime import Invalid, NotFound, Retry, describe, get_logger, metrics

__all__ = ["UNREADABLE", "StoredSubscription", "read_body"]

log = get_logger(__name__)

PULL: Final = 256  # messages asked for at once
HEARTBEAT: Final = 5.0
SILENCE: Final = 12.0  # seconds without a heartbeat: the consumer is gone, or the server
EXPIRES: Final = 60.0
AGAIN: Final = 0.2

UNREADABLE: Final = metrics.counter("bus_unreadable", "Messages that are not of Weft's form and were skipped")


MOST_TOLD: Final = 1_000
_told: Final = set[str]()  # subjects whose unreadable messages were spoken of: once is enough


class Position(msgspec.Struct, frozen=True):
    """How far a durable subscription has come, in which life of its stream."""

    sequence: int
    created: str


class _Place(NamedTuple):
    """What a delivered message's reply subject tells (nats.io, ADR-15)."""

    sequence: int
    number: int
    time: int

    @classmethod
    def of(cls, reply: str) -> _Place:
        # The last five of "$JS.ACK.stream.consumer.delivered.sequence.number.time.pending"; a domain adds
        # tokens before them, and one after them.
        tokens = reply.split(".")
        at = 5 if len(tokens) == 9 else 7
        return cls(int(tokens[at]), int(tokens[at + 1]), int(tokens[at + 2]))


def read_body(message: Msg, sequence: int, time_ns: int, subject: str = "") -> Message | None:
    """The message; None, counted and logged, when its bytes are not one of Weft's."""
    headers = message.headers or {}
    try:
        body = decode(message.data)
    except BadWire as error:
        UNREADABLE.inc()
        if message.subject not in _told and len(_told) < MOST_TOLD:
            _told.add(message.subject)
            log.warning("messages are skipped", subject=message.subject, sequence=sequence, reason=str(error))
        return None
    return Message(subject or message.subject, body, sequence, time_ns, headers.get("Nats-Msg-Id", ""))


class StoredSubscription:
    """Messages of one stream under one pattern, in order, none lost and none twice."""

    def __init__(self, connection: Connection, stream: str, pattern: str, durable: str) -> None:
        self.dropped = 0
        self._connection = connection
        self._stream = stream
        self._pattern = pattern
        self._durable = durable
        self._position = f"weft.position.{stream}.{escape(durable)}"
        self._acked = 0
        self._created = ""
        self._last = 0  # the newest sequence taken from the server
        self._queue: deque[tuple[_Place, Msg]] = deque()
        self._arrived = anyio.Event()
        self._session: Session | None = None
        self._consumer = self._inbox = ""
        self._leave: Leave | None = None
        self._life = 0  # counts consumers, so that a late message of an old one is known
        self._number = 0  # of the consumer's last message
        self._wanted = 0  # messages asked for and not yet come
        self._heard = 0.0

    async def next(self, most: int = 1) -> list[Message]:
        while True:
            # What was taken from the queue must not be lost by a cancellation: nothing waits after the taking.
            await self._ask()
            found = self._take(most)
            if found:
                return found
            await self._wait()

    async def ack(self, message: Message) -> None:
        if not self._durable:
            raise Invalid(
                "Only a durable subscription acknowledges.", remedy="Subscribe with a durable name."
            )
        if message.sequence > self._acked:
            await self._remember(await self._connection.session(), message.sequence)

    async def open(self, start: Start) -> None:
        """Finds the beginning. Raises Retry and NotFound."""
        session = await self._connection.session()
        info = await jetstream.stream_info(session, self._stream)
        self._created = info.created
        known = await self._recall(session) if self._durable else None
        config: dict[str, Any] | None = None
        if known is not None:
            self._last = self._checked(known, info)
        elif start.time is not None:
            config = {"deliver_policy": "by_start_time", "opt_start_time": instant.text(start.time)}
        else:
            newest = start.sequence < 0 or not start.stored
            self._last = info.state.last_seq if newest else start.sequence
        await self._begin(session, config)
        self._acked = self._last
        if self._durable and known is None:
            await self._remember(session, self._last)

    async def close(self) -> None:
        self._life += 1
        if self._leave:
            await self._leave()

    # --- position -------------------------------------------------------------------------------------

    async def _recall(self, session: Session) -> Position | None:
        await jetstream.ensure_register(session, jetstream.POSITIONS, "weft.position")
        subject = f"$JS.API.DIRECT.GET.{jetstream.POSITIONS}.{self._position}"
        reply = await session.ask(subject, b"")
        return msgspec.json.decode(reply.data, type=Position) if reply.data else None

    async def _remember(self, session: Session, sequence: int) -> None:
        position = msgspec.json.encode(Position(sequence, self._created))
        reply = await session.ask(self._position, position)
        answer = msgspec.json.decode(reply.data, type=jetstream.Acknowledged)
        if answer.error is not None:
            raise jetstream.meaning(answer.error, "the acknowledgement")
        self._acked = max(self._acked, sequence)

    def _checked(self, known: Position, info: jetstream.StreamInfo) -> int:
        if known.created == info.created and known.sequence <= info.state.last_seq:
            return known.sequence
        log.warning(
            "the stream began anew, so does its subscription", stream=self._stream, durable=self._durable
        )
        return 0

    # --- reading --------------------------------------------------------------------------------------

    def _take(self, most: int) -> list[Message]:
        found: list[Message] = []
        while self._queue and len(found) < most:
            place, raw = self._queue.popleft()
            message = read_body(raw, place.sequence, place.time)
            if message is not None:
                found.append(message)
        return found

    async def _ask(self) -> None:
        """Sees to it that messages are on their way; waits only while there are none here."""
        while not self._queue and self._is_stale():
            try:
                await self._renew()
            except (Retry, NotFound) as error:
                log.debug("stored subscription waits", stream=self._stream, reason=describe(error))
                await anyio.sleep(AGAIN)
        session = self._session
        if session is not None and self._wanted == 0 and len(self._queue) < PULL // 2:
            try:
                await self._pull(session)
            except Retry:
                self._session = None

    async def _wait(self) -> None:
        """Until something comes, the session ends or the server has been silent for too long."""
        if self._session is None:
            return
        self._arrived = anyio.Event()
        try:
            with self._session.limit("messages", SILENCE):
                await self._arrived.wait()
        except Retry:
            return

    def _is_stale(self) -> bool:
        silent = self._wanted > 0 and time.monotonic() - self._heard > SILENCE
        return self._session is None or self._session.closed.is_set() or silent

    async def _renew(self) -> None:
        self._session = None
        await self.close()
        session = await self._connection.session()
        info = await jetstream.stream_info(session, self._stream)
        if info.created != self._created or info.state.last_seq < self._last:
            log.warning("the stream began anew, so does its subscription", stream=self._stream)
            self._created, self._last, self._acked = info.created, 0, 0
        await self._begin(session, None)

    async def _begin(self, session: Session, config: Mapping[str, Any] | None) -> None:
        """A new consumer after the last message taken, or as ``config`` says."""
        self._life += 1
        life = self._life
        self._number = self._wanted = 0
        self._consumer = f"weft-{secrets.token_hex(6)}"
        config = config or {"deliver_policy": "by_start_sequence", "opt_start_seq": self._last + 1}
        inbox = f"_INBOX.{secrets.token_hex(11)}"

        async def on_message(message: Msg) -> None:
            if life == self._life:
                self._on_message(message)

        self._leave = await session.subscribe(inbox, on_message)
        consumer = await jetstream.create_consumer(
            session, self._stream, self._consumer, {**config, "filter_subject": self._pattern}
        )
        self._last = consumer.delivered.stream_seq
        self._inbox = inbox
        self._session = session

    async def _pull(self, session: Session) -> None:
        self._wanted = PULL
        self._heard = time.monotonic()
        request = {
            "batch": PULL,
            "max_bytes": 2 * max(session.max_payload, 8 << 20),
            "expires": int(EXPIRES * 1e9),
            "idle_heartbeat": int(HEARTBEAT * 1e9),
        }
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
        await session.publish(subject, msgspec.json.encode(request), reply=self._inbox)

    def _on_message(self, message: Msg) -> None:
        self._heard = time.monotonic()
        headers = message.headers or {}
        status = headers.get("Status") if not message.data else None
        if status is not None:
            self._on_status(status, headers)
        else:
            place = _Place.of(message.reply)
            if place.number != self._number + 1:
                self._lose()
                return
            self._number, self._last = place.number, place.sequence
            self._wanted -= 1
            self._queue.append((place, message))
        self._arrived.set()

    def _on_status(self, status: str, headers: Mapping[str, str]) -> None:
        if status == "100":
            if int(headers.get("Nats-Last-Consumer", 0)) > self._number:
                self._lose()
        elif status == "408":
            self._wanted = 0  # the request is over; the next one follows
        else:
            self._lose()  # 404, 409, 503: the consumer is gone, whatever the reason

    def _lose(self) -> None:
        """Nothing more is taken from this consumer; the next read begins a new one."""
        self._life += 1
        self._session = None
        self._arrived.set()
