"""What both back-ends do inside one process: live delivery of the very object, and answers to requests."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeAlias

import anyio
from anyio.abc import TaskGroup

from weft.bus.api import Answer, Message
from weft.bus.subjects import check_pattern, matches
from weft.runtime import Conflict, Invalid, Retry, WeftError, metrics

__all__ = ["LIVE_LIMIT", "Desk", "Fanout", "LiveSubscription", "Outcome", "bare_task_group"]

LIVE_LIMIT: Final = 1_024
_REMEMBERED: Final = 65_536

Outcome: TypeAlias = "bytes | WeftError"

DROPPED: Final = metrics.counter("bus_live_dropped", "Messages that a slow live subscriber lost")


@asynccontextmanager
async def bare_task_group() -> AsyncIterator[TaskGroup]:
    """A task group that raises one error as it is: callers of the bus catch Retry, not a group of one."""
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as errors:
        if len(errors.exceptions) > 1:
            raise
        raise errors.exceptions[0] from None


class LiveSubscription:
    """A bounded queue of messages: the oldest waiting ones give way, and are counted in ``dropped``."""

    def __init__(self, limit: int = LIVE_LIMIT) -> None:
        self.dropped = 0
        self._waiting: deque[Message] = deque()
        self._limit = limit
        self._arrived = anyio.Event()

    def put(self, message: Message) -> None:
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self.lose()
        self._waiting.append(message)
        self._arrived.set()

    def lose(self) -> None:
        """Counts a message that will not come."""
        self.dropped += 1
        DROPPED.inc()

    async def next(self, most: int = 1) -> list[Message]:
        while not self._waiting:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    async def ack(self, message: Message) -> None:
        raise Invalid("A live subscription acknowledges nothing.", remedy="Subscribe with a durable name.")


class Fanout:
    """The live subscriptions of this process."""

    def __init__(self) -> None:
        self._subscriptions: list[tuple[str, LiveSubscription]] = []
        self._by_subject: dict[str, tuple[LiveSubscription, ...]] = {}

    @contextmanager
    def open(self, pattern: str, limit: int = LIVE_LIMIT) -> Iterator[LiveSubscription]:
        entry = (check_pattern(pattern), LiveSubscription(limit))
        self._subscriptions.append(entry)
        self._by_subject.clear()
        try:
            yield entry[1]
        finally:
            self._subscriptions = [other for other in self._subscriptions if other[1] is not entry[1]]
            self._by_subject.clear()

    def deliver(self, message: Message) -> None:
        """To everybody who listens to its subject."""
        listeners = self._by_subject.get(message.subject)
        if listeners is None:
            listeners = tuple(s for pattern, s in self._subscriptions if matches(pattern, message.subject))
            if len(self._by_subject) >= _REMEMBERED:
                self._by_subject.clear()
            self._by_subject[message.subject] = listeners
        for listener in listeners:
            listener.put(message)


class Desk:
    """The requests that this process answers. Each answer is a task of its own in the group of whoever
    serves: what it raises by mistake ends the server of that subject, not the bus."""

    def __init__(self) -> None:
        self._posts: dict[str, tuple[Answer, TaskGroup]] = {}

    @asynccontextmanager
    async def serve(self, subject: str, answer: Answer) -> AsyncIterator[None]:
        if check_pattern(subject) in self._posts:
            raise Conflict(f"{subject!r} is served in this process already.")
        async with bare_task_group() as group:
            self._posts[subject] = (answer, group)
            try:
                yield
            finally:
                del self._posts[subject]
                group.cancel_scope.cancel()

    def start(self, message: Message, reply: Callable[[Outcome], Awaitable[None]]) -> bool:
        """Begins to answer; False when nobody here serves the subject."""
        for subject, (answer, group) in self._posts.items():
            if matches(subject, message.subject):
                group.start_soon(_answer, answer, message, reply)
                return True
        return False

    async def ask(self, message: Message, timeout: float) -> bytes | None:
        """The answer from this process; None when nobody here serves the subject. Raises Retry when it took
        too long, and what the answering side raised."""
        outcome: list[Outcome] = []
        done = anyio.Event()

        async def reply(what: Outcome) -> None:
            outcome.append(what)
            done.set()

        if not self.start(message, reply):
            return None
        with anyio.move_on_after(timeout):
            await done.wait()
        if not outcome:
            raise Retry(f"{message.subject!r} gave no answer within {timeout:g} s.")
        if isinstance(outcome[0], WeftError):
            raise outcome[0]
        return outcome[0]


async def _answer(answer: Answer, message: Message, reply: Callable[[Outcome], Awaitable[None]]) -> None:
    outcome: Outcome = Retry(f"Whoever serves {message.subject!r} ended before the answer.")
    try:
        outcome = await answer(message)
    except WeftError as error:
        outcome = error
    finally:
        with anyio.CancelScope(shield=True):
            await reply(outcome)
