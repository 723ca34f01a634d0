"""The bus: publish, subscribe, request, last value. Two back-ends, one contract, one conformance suite.

Subjects are tokens joined by ``.``; in a pattern ``*`` stands for one token and a final ``>`` for one or more.
A subject that a declared stream covers is stored with that stream's promise before ``publish`` returns; any
other is delivered live to whoever listens, and to nobody else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Protocol, TypeAlias

import msgspec

from weft.model import Body

__all__ = [
    "LIVE",
    "NEW",
    "Ack",
    "Answer",
    "Bus",
    "Draft",
    "Message",
    "Note",
    "Promise",
    "Start",
    "Stream",
    "StreamState",
    "Subscription",
    "after",
    "since",
]


class Promise(StrEnum):
    """What an acknowledged message survives."""

    NONE = "none"
    PROCESS = "survives process"  # a crash of Weft or of the bus; not a power cut
    POWER = "survives power"  # fsynced before it is acknowledged


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """Messages that are kept: those under ``subjects``, until they are ``max_age`` seconds old or the stream
    has ``max_bytes`` (the oldest goes first). Ids seen within ``duplicate_window`` seconds are not stored
    again."""

    name: str
    subjects: tuple[str, ...]
    promise: Promise = Promise.POWER
    max_age: float = 7 * 86_400.0
    max_bytes: int = 4 << 30
    duplicate_window: float = 3_600.0


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream holds now. ``promise`` is what this back-end really keeps; ``created`` differs when a stream
    of the same name was made anew and counts from 1 again."""

    name: str
    promise: Promise
    messages: int
    bytes: int
    first: int
    last: int
    created: str = ""


class Note(msgspec.Struct, frozen=True):
    """A small document that the bus keeps under a name. ``revision`` grows with each writing, by whomever;
    ``time`` is when the bus took it, ns UTC."""

    body: bytes
    revision: int
    time: int


class Draft(msgspec.Struct, frozen=True):
    """A message to publish. A stream stores an ``id`` once within its duplicate window."""

    subject: str
    body: Body
    id: str = ""


class Ack(msgspec.Struct, frozen=True):
    """The stream's sequence of the last message (0: no stream); ``duplicate``: it was stored before."""

    sequence: int = 0
    duplicate: bool = False


class Message(msgspec.Struct, frozen=True):
    """A received message. ``sequence`` is the stream's, 0 when live; ``time`` when the bus took it, ns UTC."""

    subject: str
    body: Body
    sequence: int = 0
    time: int = 0
    id: str = ""


class Start(msgspec.Struct, frozen=True):
    """Where a subscription begins: live only, or in a stream after a sequence or from a time (ns UTC)."""

    stored: bool = False
    sequence: int = 0
    time: int | None = None


LIVE = Start()
NEW = Start(stored=True, sequence=-1)  # stored, beginning with the next message


def after(sequence: int) -> Start:
    """All stored messages after this sequence, then those to come; 0 is from the beginning."""
    return Start(stored=True, sequence=sequence)


def since(time: int) -> Start:
    """All stored messages that the bus took at or after this time (ns UTC), then those to come."""
    return Start(stored=True, time=time)


class Subscription(Protocol):
    """Messages in order. A stored subscription loses none and misses none; a live one that does not keep up
    loses its oldest waiting messages and counts them in ``dropped``."""

    dropped: int

    async def next(self, most: int = 1) -> list[Message]:
        """Waits for at least one message and returns up to ``most``."""
        ...

    async def ack(self, message: Message) -> None:
        """Durable subscriptions only: this message and all before it are done with."""
        ...


Answer: TypeAlias = Callable[[Message], Awaitable[bytes]]


class Bus(Protocol):
    async def declare(self, stream: Stream) -> None:
        """Creates the stream or brings it to this description; what it holds stays."""
        ...

    async def publish(self, *drafts: Draft) -> Ack:
        """Returns when the messages are as safe as their stream promises. All of one call must belong to one
        stream (or none); a stream takes them all or none of them. Raises Retry when the bus is away or busy:
        publish the same ids again, nothing is stored twice."""
        ...

    def subscribe(
        self, pattern: str, *, start: Start = LIVE, durable: str = ""
    ) -> AbstractAsyncContextManager[Subscription]:
        """A live subscriber in the publisher's process receives the very object that was published. With
        ``durable`` the bus remembers what was acknowledged under that name, and ``start`` counts only the
        first time. Raises NotFound when ``start`` is stored and no stream covers the pattern."""
        ...

    async def request(self, subject: str, body: bytes, *, timeout: float = 5.0) -> bytes:
        """One answer. Raises NotFound when nobody serves the subject, Retry when none came in time."""
        ...

    def serve(self, subject: str, answer: Answer) -> AbstractAsyncContextManager[None]:
        """Answers requests until left."""
        ...

    async def last(self, subject: str) -> Message | None:
        """The newest stored message of exactly this subject."""
        ...

    async def streams(self) -> Sequence[StreamState]: ...

    async def note(self, name: str) -> Note | None:
        """The newest note of this name."""
        ...

    async def write_note(self, name: str, body: bytes, *, revision: int | None = None) -> int:
        """Keeps the note, as safe as the back-end can, and returns its revision. With ``revision`` only when the
        newest note is still that one (0: when there is none); raises Conflict when somebody else was first, and
        Retry when the bus is away: then it may have been written."""
        ...
