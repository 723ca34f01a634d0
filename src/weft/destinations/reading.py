"""One attempt's way through the stream: what was out before comes first, then what is live, and the backlog at its
pace in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

import anyio
import msgspec

from weft.destinations.api import Delivery
from weft.destinations.position import Open, Plan
from weft.destinations.progress import Progress, Range
from weft.destinations.tape import END, Piece, Span, Tape
from weft.model import Batch, concat
from weft.runtime import Clock

__all__ = ["HICCUP", "MOST_RANGES", "Pace", "Reading", "Start", "Taken", "start"]

MOST_RANGES: Final = 32  # beyond that a new outage's backlog is not overtaken: positions stay small
MOST_OUT: Final = 64  # deliveries that are not settled
HICCUP: Final = 5_000_000_000  # ns; a shorter outage goes on in order instead of splitting off a backlog
SHARE: Final = 0.5  # of the time at most goes to the backlog while live samples flow
FLOWS: Final = 1.0  # seconds since the last live delivery in which live samples count as flowing


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """``backlog_rate`` in samples per second; a delivery has about ``batch_rows`` samples at most and gathers for
    at most ``batch_seconds``. ``begin``: where a new destination begins, ``now`` or the stream's ``oldest``."""

    backlog_rate: float = 50_000.0
    batch_rows: int = 5_000
    batch_seconds: float = 0.05
    begin: str = "now"


class Start(msgspec.Struct, frozen=True):
    """Where an attempt reads: ``old`` spans first to last, what follows after ``head``; of that, messages up to
    ``fresh`` are backlog all the same."""

    old: tuple[Span, ...]
    head: int
    fresh: int
    hiccup: bool


class Taken(msgspec.Struct, frozen=True):
    """A delivery and what it covers; ``time`` of its newest message. Without samples it is not given out."""

    range: Range
    delivery: Delivery
    time: int


MakeTape: TypeAlias = Callable[[Sequence[Span], Callable[[], None]], Tape]
Pick: TypeAlias = Callable[[Batch], Batch]


def start(progress: Progress, plan: Plan, head: int, *, hiccup: bool) -> Start:
    """Where to read after an outage, with ``head`` as the stream's newest message."""
    out = [Span(one.range, whole=True) for one in plan.out]
    claimed = Progress([*progress.ranges, *(span.range for span in out)])
    in_order = hiccup or len(claimed.ranges) >= MOST_RANGES
    after = claimed.highest if in_order else head
    old = (*out, *(Span(hole) for hole in claimed.holes(after)))
    return Start(old, after, 0 if hiccup else head, hiccup)


class Reading:
    """What one attempt takes. ``pick`` keeps the samples that the destination wants. Cancelling :meth:`take` loses
    nothing: pieces leave their tape only when a delivery is complete."""

    def __init__(
        self, begin: Start, plan: Plan, pace: Pace, make: MakeTape, pick: Pick, clock: Clock
    ) -> None:
        self._plan = plan
        self._before = {(one.range.first, one.range.last): one.live for one in plan.out}
        self._given: set[Range] = set()
        self._hiccup = begin.hiccup
        self._fresh = begin.fresh
        self._again = sum(span.whole for span in begin.old)
        self._pace = pace
        self._pick = pick
        self._clock = clock
        self._news = anyio.Event()
        self._settled = anyio.Event()
        self._backlog_at = 0.0  # monotonic; not before
        self._live_at = -FLOWS
        self._began: dict[str, float] = {}
        self.live = make([Span(Range(begin.head + 1, END))], self._arrived)
        self.old = make(begin.old, self._arrived)

    @property
    def tapes(self) -> tuple[Tape, Tape]:
        return self.live, self.old

    @property
    def backlog(self) -> int:
        """Messages of the backlog that were not taken yet."""
        return self.old.left

    def stop(self) -> None:
        for tape in self.tapes:
            tape.stop()

    def settled(self, taken: Delivery, range: Range) -> None:
        """The other side has it; while live samples flow the backlog pauses for as long as it took."""
        self._given.discard(range)
        begun = self._began.pop(taken.id, None)
        now = self._clock.monotonic()
        if begun is not None and now - self._live_at < FLOWS:
            self._backlog_at = max(self._backlog_at, now + (now - begun) * (1 - SHARE) / SHARE)
        self._settled.set()

    async def take(self) -> Taken:
        """The next delivery; one without samples only covers what is not this destination's."""
        while True:
            if len(self._given) >= MOST_OUT:
                self._settled = anyio.Event()
                await self._settled.wait()
                continue
            self._news = anyio.Event()
            taken = self._next()
            if taken is not None:
                return taken
            await self._wait(self._news, self._patience())

    async def _wait(self, news: anyio.Event, seconds: float) -> None:
        async def ring() -> None:
            await self._clock.sleep(seconds)
            news.set()

        async with anyio.create_task_group() as group:
            group.start_soon(ring)
            await news.wait()
            group.cancel_scope.cancel()

    def _next(self) -> Taken | None:
        now = self._clock.monotonic()
        if self._again:
            return self._from(self.old, live=False)
        taken = self._from(self.live, live=True)
        if taken is not None:
            self._live_at = now if len(taken.delivery.batch) else self._live_at
            return taken
        if now < self._backlog_at or not self.old.ready:
            return None
        taken = self._from(self.old, live=False)
        if taken is not None:
            rows = len(taken.delivery.batch)
            self._backlog_at = max(now, self._backlog_at) + rows / self._pace.backlog_rate
        return taken

    def _patience(self) -> float:
        """Seconds after which something may be ready without any news."""
        wait = self._pace.batch_seconds if self.live.ready or self.old.ready else 3_600.0
        paused = self._backlog_at - self._clock.monotonic()
        if self.old.ready and not self.live.ready and paused > 0:
            wait = paused
        return max(wait, 0.001)

    def _from(self, tape: Tape, *, live: bool) -> Taken | None:
        """A delivery of the pieces that are ready, None when more are to come first."""
        count = rows = 0
        complete = False
        for piece in tape.ready:
            count += 1
            rows += 0 if piece.batch is None else len(piece.batch)
            complete = piece.ends or (rows >= self._pace.batch_rows and not piece.whole)
            if complete:
                break
        if not count or not (complete or self._old_enough(tape)):
            return None
        return self._given_out(tape.take(count), live=live)

    def _old_enough(self, tape: Tape) -> bool:
        """Whether what gathers has gathered for long enough. A delivery that is given again is always whole."""
        if tape.ready[0].whole:
            return False
        now = self._clock.monotonic()
        if tape.since is None:
            tape.since = now
        return now - tape.since >= self._pace.batch_seconds

    def _given_out(self, pieces: Iterable[Piece], *, live: bool) -> Taken:
        found = list(pieces)
        range = Range(found[0].first, found[-1].last)
        again = (range.first, range.last) in self._before and found[-1].whole
        if again:
            self._again -= 1
            live = self._hiccup and self._before[range.first, range.last]
        live = live and range.first > self._fresh
        parts = [self._pick(piece.batch) for piece in found if piece.batch is not None]
        batch = concat([part for part in parts if len(part)])
        delivery = Delivery(batch, live, f"{range.first}-{range.last}")
        if len(batch):
            self._given.add(range)
            if not again:
                self._plan.add(Open(range, live))
            if not live and not again:
                self._began[delivery.id] = self._clock.monotonic()
        return Taken(range, delivery, max(piece.time for piece in found))

    def _arrived(self) -> None:
        self._news.set()
