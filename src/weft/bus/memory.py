"""The bus of one process, for tests and tools: the whole contract, and nothing survives (Promise.NONE)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import anyio.lowlevel

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
from weft.bus.local import LIVE_LIMIT, Desk, Fanout
from weft.bus.streams import Streams, check_stream
from weft.bus.subjects import check_pattern, check_subject, matches
from weft.model import Batch, Body, Event
from weft.runtime import Clock, Conflict, Invalid, NotFound, SystemClock

__all__ = ["MemoryBus"]


class MemoryBus:
    """Deterministic: everything happens in the caller's task, times come from the clock."""

    def __init__(self, clock: Clock | None = None, *, live_limit: int = LIVE_LIMIT) -> None:
        self._clock: Clock = clock or SystemClock()
        self._live_limit = live_limit
        self._streams = Streams()
        self._shelves: dict[str, _Shelf] = {}
        self._fanout = Fanout()
        self._desk = Desk()
        self._notes: dict[str, Note] = {}
        self._revision = 0

    async def declare(self, stream: Stream) -> None:
        self._streams.put(check_stream(stream).name, stream.subjects)
        shelf = self._shelves.get(stream.name)
        if shelf is None:
            self._shelves[stream.name] = _Shelf(stream)
        else:
            shelf.stream = stream

    async def publish(self, *drafts: Draft) -> Ack:
        await anyio.lowlevel.checkpoint()
        name = self._streams.of(drafts)
        now = self._clock.now()
        if not name:
            for draft in drafts:
                self._fanout.deliver(Message(draft.subject, draft.body, 0, now, draft.id))
            return Ack()
        shelf = self._shelves[name]
        known = [shelf.put(draft, now) for draft in drafts]
        for draft, (_, duplicate) in zip(drafts, known, strict=True):
            if not duplicate:
                self._fanout.deliver(Message(draft.subject, draft.body, 0, now, draft.id))
        shelf.shrink(now)
        return Ack(known[-1][0], all(duplicate for _, duplicate in known))

    def subscribe(
        self, pattern: str, *, start: Start = LIVE, durable: str = ""
    ) -> AbstractAsyncContextManager[Subscription]:
        check_pattern(pattern)
        return self._stored(pattern, start, durable) if start.stored or durable else self._live(pattern)

    async def request(self, subject: str, body: bytes, *, timeout: float = 5.0) -> bytes:
        message = Message(check_subject(subject), body, 0, self._clock.now())
        answer = await self._desk.ask(message, timeout)
        if answer is None:
            raise NotFound(f"Nobody serves {subject!r}.")
        return answer

    def serve(self, subject: str, answer: Answer) -> AbstractAsyncContextManager[None]:
        return self._desk.serve(subject, answer)

    async def last(self, subject: str) -> Message | None:
        name = self._streams.keeping(check_subject(subject))
        return self._shelves[name].last(subject, self._clock.now()) if name else None

    async def streams(self) -> Sequence[StreamState]:
        now = self._clock.now()
        return [shelf.state(now) for shelf in self._shelves.values()]

    async def note(self, name: str) -> Note | None:
        await anyio.lowlevel.checkpoint()
        return self._notes.get(name)

    async def write_note(self, name: str, body: bytes, *, revision: int | None = None) -> int:
        await anyio.lowlevel.checkpoint()
        present = self._notes[name].revision if name in self._notes else 0
        if revision is not None and revision != present:
            raise Conflict(f"The note {name!r} was written by somebody else.")
        self._revision += 1
        self._notes[name] = Note(body, self._revision, self._clock.now())
        return self._revision

    @asynccontextmanager
    async def _live(self, pattern: str) -> AsyncIterator[Subscription]:
        with self._fanout.open(pattern, self._live_limit) as subscription:
            yield subscription

    @asynccontextmanager
    async def _stored(self, pattern: str, start: Start, durable: str) -> AsyncIterator[Subscription]:
        shelf = self._shelves[self._streams.behind(pattern)]
        begin = shelf.before(start, self._clock.now())
        if not durable:
            yield _Reader(shelf, pattern, begin, durable, self._clock)
            return
        if durable in shelf.open:
            raise Conflict(f"The subscription {durable!r} is in use.")
        shelf.open.add(durable)
        try:
            yield _Reader(shelf, pattern, shelf.positions.setdefault(durable, begin), durable, self._clock)
        finally:
            shelf.open.discard(durable)


class _Shelf:
    """What one stream holds."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.messages: dict[int, Message] = {}
        self.sequence = 0
        self.bytes = 0
        self.ids: dict[str, tuple[int, int]] = {}
        self.positions: dict[str, int] = {}
        self.open: set[str] = set()
        self.grown = anyio.Event()

    def put(self, draft: Draft, now: int) -> tuple[int, bool]:
        """The message's sequence, and whether it was here before."""
        seen = self.ids.get(draft.id) if draft.id else None
        if seen and now - seen[0] < self.stream.duplicate_window * 1e9:
            return seen[1], True
        self.sequence += 1
        self.messages[self.sequence] = Message(draft.subject, draft.body, self.sequence, now, draft.id)
        self.bytes += _size(draft.body)
        if draft.id:
            self.ids.pop(draft.id, None)
            self.ids[draft.id] = (now, self.sequence)
        self.grown.set()
        self.grown = anyio.Event()
        return self.sequence, False

    def shrink(self, now: int) -> None:
        """Drops what is too old or too much."""
        oldest = now - int(self.stream.max_age * 1e9)
        while self.messages:
            first = next(iter(self.messages))
            if self.messages[first].time >= oldest and self.bytes <= self.stream.max_bytes:
                break
            self.bytes -= _size(self.messages.pop(first).body)
        known = now - int(self.stream.duplicate_window * 1e9)
        while self.ids and self.ids[first_id := next(iter(self.ids))][0] <= known:
            del self.ids[first_id]

    def before(self, start: Start, now: int) -> int:
        """The sequence after which a subscription begins."""
        self.shrink(now)
        if start.time is not None:
            time = start.time
            return next((n - 1 for n, kept in self.messages.items() if kept.time >= time), self.sequence)
        return self.sequence if start.sequence < 0 or not start.stored else start.sequence

    def last(self, subject: str, now: int) -> Message | None:
        self.shrink(now)
        return next((m for m in reversed(self.messages.values()) if m.subject == subject), None)

    def state(self, now: int) -> StreamState:
        self.shrink(now)
        return StreamState(
            name=self.stream.name,
            promise=Promise.NONE,
            messages=len(self.messages),
            bytes=self.bytes,
            first=self.sequence - len(self.messages) + 1,
            last=self.sequence,
        )


class _Reader:
    """A stored subscription."""

    def __init__(self, shelf: _Shelf, pattern: str, position: int, durable: str, clock: Clock) -> None:
        self.dropped = 0
        self._shelf = shelf
        self._pattern = pattern
        self._position = position
        self._durable = durable
        self._clock = clock

    async def next(self, most: int = 1) -> list[Message]:
        await anyio.lowlevel.checkpoint()
        while True:
            found = self._take(most)
            if found:
                return found
            await self._shelf.grown.wait()

    async def ack(self, message: Message) -> None:
        if not self._durable:
            raise Invalid(
                "Only a durable subscription acknowledges.", remedy="Subscribe with a durable name."
            )
        positions = self._shelf.positions
        positions[self._durable] = max(positions[self._durable], message.sequence)

    def _take(self, most: int) -> list[Message]:
        shelf, found = self._shelf, list[Message]()
        shelf.shrink(self._clock.now())
        self._position = max(self._position, shelf.sequence - len(shelf.messages))
        while self._position < shelf.sequence and len(found) < most:
            self._position += 1
            message = shelf.messages[self._position]
            if matches(self._pattern, message.subject):
                found.append(message)
        return found


def _size(body: Body) -> int:
    """About the bytes a message holds; exact for bytes."""
    if isinstance(body, Batch):
        return 27 * len(body) + 16 * len(body.heap)
    return 256 if isinstance(body, Event) else len(body)
