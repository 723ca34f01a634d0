"""Reading ranges of a stream ahead into a bounded buffer, every message of them accounted for.

A piece covers all numbers since the piece before it: also those of messages that nobody can read, and those
that the stream has dropped, which are told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import anyio
import msgspec

from weft.bus import Bus, Message, after
from weft.destinations.progress import Range
from weft.model import Batch
from weft.runtime import Clock, NotFound, Retry, describe, get_logger

__all__ = ["END", "Piece", "Span", "Tape"]

log = get_logger(__name__)

END: Final = 2**62
AT_ONCE: Final = 64  # messages
AGAIN: Final = 0.2


class Span(msgspec.Struct, frozen=True):
    """A range to be read. ``whole``: it was given out as one delivery before, and is so again."""

    range: Range
    whole: bool = False


class Piece(msgspec.Struct, frozen=True):
    """Messages ``first`` to ``last``, of which the last is ``batch`` (None when there is nothing in it) and came
    at ``time``. ``ends``: it is the last one of its span."""

    first: int
    last: int
    batch: Batch | None
    time: int
    whole: bool
    ends: bool


class Tape:
    """Spans of one stream, one after the other. :meth:`run` reads; ``arrived`` is called when something is there,
    ``lost`` (first, last, time of the next message) when the stream has dropped what was to be read."""

    def __init__(
        self,
        bus: Bus,
        pattern: str,
        stream: str,
        spans: Sequence[Span],
        *,
        clock: Clock,
        arrived: Callable[[], None],
        lost: Callable[[int, int, int], None],
        rows: int = 100_000,
    ) -> None:
        self.ready: deque[Piece] = deque()
        self.since: float | None = None  # when its reader began to gather what is ready, monotonic
        self.left = sum(span.range.last - span.range.first + 1 for span in spans if span.range.last != END)
        self._bus = bus
        self._pattern = pattern
        self._stream = stream
        self._spans = deque(spans)
        self._clock = clock
        self._arrived = arrived
        self._lost = lost
        self._most = rows
        self._rows = 0
        self._room = anyio.Event()
        self._at = 0
        self._scope = anyio.CancelScope()

    @property
    def over(self) -> bool:
        """Everything was read and taken."""
        return not self._spans and not self.ready

    def take(self, count: int) -> list[Piece]:
        """The next pieces leave the buffer."""
        taken = [self.ready.popleft() for _ in range(count)]
        self._rows -= sum(_rows(piece) for piece in taken)
        if self.left:
            self.left -= sum(piece.last - piece.first + 1 for piece in taken)
        self.since = None
        self._room.set()
        return taken

    def stop(self) -> None:
        self._scope.cancel()

    async def run(self) -> None:
        """Reads until all spans are read or :meth:`stop`. Raises Retry when the stream was made anew."""
        with self._scope:
            while self._spans:
                span = self._spans[0]
                self._at = span.range.first - 1
                while self._at < span.range.last:
                    try:
                        await self._read(span)
                    except (Retry, NotFound) as error:
                        if self._at < 0:
                            raise
                        log.debug("a destination's reader waits", reason=describe(error))
                        await self._clock.sleep(AGAIN)
                self._spans.popleft()
                self._arrived()

    async def _read(self, span: Span) -> None:
        async with self._bus.subscribe(self._pattern, start=after(self._at)) as subscription:
            while self._at < span.range.last:
                # A span whose last messages are gone or unreadable ends with the next one that comes.
                for message in await subscription.next(AT_ONCE):
                    await self._check(message)
                    self._put(message, span)
                    if self._at >= span.range.last:
                        break
                while self._rows >= self._most:
                    self._room = anyio.Event()
                    await self._room.wait()

    async def _check(self, message: Message) -> None:
        """Whether numbers before this message are missing because the stream dropped them."""
        if message.sequence <= self._at:
            self._at = -1
            raise Retry("The stream of samples was made anew.")
        if message.sequence > self._at + 1:
            first = await self._first()
            if first > self._at + 1:
                last = min(first, message.sequence, self._spans[0].range.last + 1) - 1
                self._lost(self._at + 1, last, message.time)

    def _put(self, message: Message, span: Span) -> None:
        body = message.body if isinstance(message.body, Batch) else None
        last = span.range.last
        if message.sequence > last:
            self._skip(span)  # what comes after the span is somebody else's
            return
        piece = Piece(
            self._at + 1, message.sequence, body, message.time, span.whole, message.sequence == last
        )
        self._at = message.sequence
        self._add(piece)

    def _skip(self, span: Span) -> None:
        """The rest of the span holds nothing."""
        self._add(Piece(self._at + 1, span.range.last, None, 0, span.whole, True))
        self._at = span.range.last

    def _add(self, piece: Piece) -> None:
        self.ready.append(piece)
        self._rows += _rows(piece)
        self._arrived()

    async def _first(self) -> int:
        for state in await self._bus.streams():
            if state.name == self._stream:
                return state.first
        raise Retry("The stream of samples is not there.")


def _rows(piece: Piece) -> int:
    return 1 if piece.batch is None else len(piece.batch) + 1
