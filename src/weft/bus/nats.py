"""The bus on NATS JetStream: every publish to a stream is one atomic batch and one fsync (docs/decisions/0003)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

import anyio
import msgspec
from nats.aio.msg import Msg

from weft.bus import jetstream, notes
from weft.bus.api import (
    LIVE,
    Ack,
    Answer,
    Draft,
    Message,
    Note,
    Promise,
    Start,
    Stream,
    StreamState,
    Subscription,
)
from weft.bus.connection import Connection
from weft.bus.local import LIVE_LIMIT, Desk, Fanout, Outcome, bare_task_group
from weft.bus.publisher import Publisher, id_header, payload
from weft.bus.session import Address, Session
from weft.bus.stored import StoredSubscription, read_body
from weft.bus.streams import Streams, check_stream
from weft.bus.subjects import check_pattern, check_subject
from weft.model import instant
from weft.runtime import (
    Clock,
    Conflict,
    Denied,
    Invalid,
    NeedsHuman,
    NotFound,
    Ready,
    Retry,
    SystemClock,
    WeftError,
    describe,
    get_logger,
)

__all__ = ["NatsBus"]

log = get_logger(__name__)

MOST_SHOWN: Final = 20_000

_FAILURE: Final = "Weft-Error"
_INTERNAL: Final = ("$", "_INBOX", "weft.position.", f"{notes.ROOT}.")
_KINDS: Final[Mapping[str, type[WeftError]]] = {
    kind.__name__: kind for kind in (Retry, NeedsHuman, Invalid, Denied, NotFound, Conflict)
}


class NatsBus:
    """One process at the bus. ``run`` keeps the connection (a :class:`~weft.runtime.Service`'s run function);
    calls wait a few seconds for it and raise Retry when the bus stays away."""

    def __init__(
        self,
        address: Address | Callable[[], Address],
        *,
        live_limit: int = LIVE_LIMIT,
        clock: Clock | None = None,
    ) -> None:
        where = (lambda: address) if isinstance(address, Address) else address
        self._connection = Connection(where, self._restore)
        self._clock: Clock = clock or SystemClock()
        self._live_limit = live_limit
        self._streams = Streams()
        self._declared: dict[str, Stream] = {}
        self._fanout = Fanout()
        self._desk = Desk()
        self._durables: set[tuple[str, str]] = set()
        self._publisher = Publisher()
        # The newest ids that the live subscribers here have seen: a repeat is no news to them.
        self._shown: dict[str, None] = {}

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, address: Address | str, *, timeout: float = 10.0, live_limit: int = LIVE_LIMIT
    ) -> AsyncIterator[NatsBus]:
        """A connected bus. Raises Retry when nobody is there in time, Denied when the login is refused."""
        bus = cls(address if isinstance(address, Address) else Address(url=address), live_limit=live_limit)
        async with bare_task_group() as group:
            up = anyio.Event()
            group.start_soon(bus.run, up.set)
            with anyio.move_on_after(timeout):
                await up.wait()
            if not up.is_set():
                raise Retry(f"The bus at {address!r} is not there.")
            try:
                yield bus
            finally:
                group.cancel_scope.cancel()

    async def run(self, ready: Ready) -> None:
        """Connects, and again after every loss, until cancelled."""
        await self._connection.run(ready)

    @property
    def is_up(self) -> bool:
        return self._connection.is_up

    async def declare(self, stream: Stream) -> None:
        session = await self._connection.session()
        await jetstream.declare(session, check_stream(stream))
        self._declared[stream.name] = stream
        self._streams.put(stream.name, stream.subjects)

    async def publish(self, *drafts: Draft) -> Ack:
        session = await self._connection.session()
        for draft in drafts:
            await self._look(session, draft.subject)
        stream = self._streams.of(drafts)
        payloads = [payload(draft, session) for draft in drafts]
        if not stream:
            for draft, data in zip(drafts, payloads, strict=True):
                await session.publish(draft.subject, data, id_header(draft) or None)
            self._deliver(drafts)
            return Ack()
        # Live is not stored: here as in other processes nobody waits for the disk (docs/decisions/0013).
        self._deliver([draft for draft in drafts if self._is_news(draft.id)])
        answers = await self._publisher.store(session, drafts, payloads)
        return Ack(answers[-1].seq, all(answer.duplicate for answer in answers))

    def subscribe(
        self, pattern: str, *, start: Start = LIVE, durable: str = ""
    ) -> AbstractAsyncContextManager[Subscription]:
        check_pattern(pattern)
        return self._stored(pattern, start, durable) if start.stored or durable else self._live(pattern)

    async def request(self, subject: str, body: bytes, *, timeout: float = 5.0) -> bytes:
        message = Message(check_subject(subject), body, 0, self._clock.now())
        answer = await self._desk.ask(message, timeout)
        if answer is not None:
            return answer
        session = await self._connection.session(timeout)
        session.check_payload(body)
        reply = await session.ask(subject, body, timeout=timeout)
        kind = _KINDS.get((reply.headers or {}).get(_FAILURE, ""))
        if kind is not None:
            text, remedy = msgspec.json.decode(reply.data, type=tuple[str, str])
            raise kind(text, remedy=remedy)
        return reply.data

    @asynccontextmanager
    async def serve(self, subject: str, answer: Answer) -> AsyncIterator[None]:
        async def on_request(message: Msg) -> None:
            asked = Message(message.subject, message.data, 0, self._clock.now())
            self._desk.start(asked, lambda outcome: self._reply(message.reply, outcome))

        # One process of several that serve a subject answers: they form a queue group.
        async with self._desk.serve(subject, answer), self._connection.listening(subject, on_request, "weft"):
            yield

    async def last(self, subject: str) -> Message | None:
        session = await self._connection.session()
        await self._look(session, check_subject(subject))
        stream = self._streams.keeping(subject)
        if not stream:
            return None
        reply = await session.ask(f"$JS.API.DIRECT.GET.{stream}.{subject}", b"")
        headers = reply.headers or {}
        if "Nats-Sequence" not in headers:
            return None
        time = instant.parse_instant(headers["Nats-Time-Stamp"])
        return read_body(reply, int(headers["Nats-Sequence"]), time, subject)

    async def streams(self) -> Sequence[StreamState]:
        session = await self._connection.session()
        return [self._state(info) for info in await jetstream.stream_list(session) if _is_shown(info)]

    async def note(self, name: str) -> Note | None:
        return await notes.read(await self._connection.session(), name)

    async def write_note(self, name: str, body: bytes, *, revision: int | None = None) -> int:
        return await notes.write(await self._connection.session(), name, body, revision)

    # --- inside ---------------------------------------------------------------------------------------

    def _is_news(self, id: str) -> bool:
        """Whether no message of this id was shown lately; from now on it was."""
        if not id:
            return True
        if id in self._shown:
            return False
        self._shown[id] = None
        if len(self._shown) > MOST_SHOWN:
            del self._shown[next(iter(self._shown))]
        return True

    def _deliver(self, drafts: Sequence[Draft]) -> None:
        now = self._clock.now()
        for draft in drafts:
            self._fanout.deliver(Message(draft.subject, draft.body, 0, now, draft.id))

    @asynccontextmanager
    async def _live(self, pattern: str) -> AsyncIterator[Subscription]:
        with self._fanout.open(pattern, self._live_limit) as subscription:

            async def on_message(raw: Msg) -> None:
                if raw.subject.startswith(_INTERNAL):
                    return
                message = read_body(raw, 0, self._clock.now())
                if message is not None:
                    subscription.put(message)

            async with self._connection.listening(pattern, on_message, lost=subscription.lose):
                yield subscription

    @asynccontextmanager
    async def _stored(self, pattern: str, start: Start, durable: str) -> AsyncIterator[Subscription]:
        await self._refresh(await self._connection.session())
        stream = self._streams.behind(pattern)
        if durable and (stream, durable) in self._durables:
            raise Conflict(f"The subscription {durable!r} is in use.")
        subscription = StoredSubscription(self._connection, stream, pattern, durable)
        self._durables.add((stream, durable))
        try:
            await subscription.open(start)
            yield subscription
        finally:
            self._durables.discard((stream, durable))
            await subscription.close()

    async def _reply(self, inbox: str, outcome: Outcome) -> None:
        try:
            session = await self._connection.session(1.0)
            if isinstance(outcome, WeftError):
                text = msgspec.json.encode((outcome.message, outcome.remedy))
                await session.publish(inbox, text, {_FAILURE: type(outcome).__name__})
            else:
                session.check_payload(outcome)
                await session.publish(inbox, outcome)
        except (Retry, Invalid) as error:
            log.warning("an answer did not reach who asked", reason=describe(error))

    async def _restore(self, session: Session) -> None:
        """What a new session begins with: the streams as they are, and those that the server lost (in memory)
        declared again."""

        async def on_change(_: Msg) -> None:
            await self._refresh(session)

        await session.subscribe("$JS.EVENT.ADVISORY.STREAM.*.*", on_change)
        present = {info.config.name for info in await jetstream.stream_list(session)}
        for stream in self._declared.values():
            if stream.name not in present:
                await jetstream.declare(session, stream)
        await self._refresh(session)

    async def _look(self, session: Session, subject: str) -> None:
        """Asks the server once about a subject that no known stream keeps: another process may just have
        declared one."""
        if not self._streams.knows(subject) and not self._streams.keeping(subject):
            await self._refresh(session)
            self._streams.keeping(subject)

    async def _refresh(self, session: Session) -> None:
        found = await jetstream.stream_list(session)
        streams = {info.config.name: info.config.subjects for info in found if _is_shown(info)}
        # What this process declared while the list was on its way counts; a stream that somebody deleted is
        # missed when it is published to.
        declared = {stream.name: stream.subjects for stream in self._declared.values()}
        self._streams.replace({**streams, **declared})

    def _state(self, info: jetstream.StreamInfo) -> StreamState:
        synced = Promise.POWER if self._connection.address.synced else Promise.PROCESS
        return StreamState(
            name=info.config.name,
            promise=Promise.NONE if info.config.storage == "memory" else synced,
            messages=info.state.messages,
            bytes=info.state.bytes,
            first=info.state.first_seq,
            last=info.state.last_seq,
            created=info.created,
        )


def _is_shown(info: jetstream.StreamInfo) -> bool:
    """Streams of people; the server's MQTT sessions, key-value stores, our positions and notes are not."""
    registers = {jetstream.POSITIONS, jetstream.NOTES}
    return info.config.name not in registers and not info.config.name.startswith(("$", "KV_", "OBJ_"))
