"""The edge: from a connector's batch to one durable publish, and never in the connector's way.

``accept`` normalises and queues by direct call. A service takes what has gathered, publishes it as one atomic,
fsynced batch and repeats the same ids until the bus has taken them. While the bus is away the queue grows to
its bound; what falls out then is counted and written down as a gap, never dropped silently.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

import anyio
import msgspec

from weft.bus import Bus, Draft, events_subject, samples_subject
from weft.edge.rules import Rules
from weft.edge.sieve import Sieve
from weft.edge.steps import check_times, enumerate_states, scale, to_type
from weft.model import Batch, Event, Kind, Signal, concat
from weft.runtime import Clock, Ready, Retry, get_logger, metrics

__all__ = ["Edge"]

log = get_logger(__name__)

ROWS_PER_MESSAGE: Final = 50_000
MESSAGES_PER_PUBLISH: Final = 200
EVENTS_WAITING: Final = 10_000
HEARTBEAT: Final = 1.0

ACCEPTED: Final = metrics.counter("edge_samples", "Samples that connectors delivered")
STORED: Final = metrics.counter("edge_samples_stored", "Samples that the bus has acknowledged")
DROPPED: Final = metrics.counter("edge_samples_dropped", "Samples that fell out of a full queue")
WAITING: Final = metrics.gauge("edge_samples_waiting", "Samples not yet acknowledged by the bus")


class Gap(msgspec.Struct):
    """Samples of one connection that are known to be missing."""

    samples: int = 0
    first: int = 0
    last: int = 0

    def widen(self, batch: Batch) -> None:
        first, last = int(batch.time.min()), int(batch.time.max())
        self.first = min(self.first, first) if self.samples else first
        self.last = max(self.last, last)
        self.samples += len(batch)


class Edge:
    """Store-and-forward between connectors and bus.

    ``home`` gives the asset path under which a connection publishes. ``queue_rows`` bounds what may wait,
    ``flush_seconds`` is how long samples gather before they are published together.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        clock: Clock,
        home: Callable[[str], str],
        queue_rows: int = 1_000_000,
        flush_seconds: float = 0.05,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._home = home
        self._limit = queue_rows
        self._flush = flush_seconds
        self._queue: deque[Batch] = deque()
        self._on_the_way: list[Draft] = []
        self._events: deque[Event] = deque(maxlen=EVENTS_WAITING)
        self._gaps: dict[str, Gap] = {}
        self._news = anyio.Event()
        self._sieve = Sieve(Rules())
        self.waiting = 0

    def apply(self, signals: list[Signal]) -> None:
        """Other rules from the next batch on; what the sieve remembers stays."""
        self._sieve = self._sieve.follow(Rules(signals))

    @property
    def pressure(self) -> float:
        """How full the queue is, 0 to 1."""
        return self.waiting / self._limit

    def accept(self, batch: Batch) -> None:
        """Takes a connector's batch. Never blocks, never raises."""
        ACCEPTED.inc(len(batch))
        batch = self.normalise(batch)
        if len(batch):
            self._enqueue(batch)

    def normalise(self, batch: Batch) -> Batch:
        """The steps in their order."""
        rules = self._sieve.rules
        batch = check_times(batch)
        batch = enumerate_states(batch, rules)
        batch = scale(batch, rules)
        batch = to_type(batch, rules)
        return self._sieve(batch)

    def tell(self, event: Event) -> None:
        """Queues an event for the bus."""
        self._events.append(event)
        self._wake()

    async def run(self, ready: Ready) -> None:
        """Publishes until cancelled, then what is left, for a few seconds at most."""
        ready()
        async with anyio.create_task_group() as group:
            group.start_soon(self._repeat_silent)
            try:
                while True:
                    await self._news.wait()
                    await anyio.sleep(self._flush)
                    await self._drain()
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(3.0):
                    await self._drain()

    # --- queue ----------------------------------------------------------------------------------------

    def _enqueue(self, batch: Batch) -> None:
        self._queue.append(batch)
        self.waiting += len(batch)
        while self.waiting > self._limit and len(self._queue) > 1:
            self._drop(self._queue.popleft())
        WAITING.set(self.waiting)
        self._wake()

    def _drop(self, batch: Batch) -> None:
        self.waiting -= len(batch)
        DROPPED.inc(len(batch))
        if batch.source not in self._gaps:
            log.error("queue full, samples lost", connection=batch.source, limit=self._limit)
        self._gaps.setdefault(batch.source, Gap()).widen(batch)

    def _wake(self) -> None:
        self._news.set()

    # --- publishing -----------------------------------------------------------------------------------

    async def _drain(self) -> None:
        self._news = anyio.Event()
        while self._on_the_way or self._queue:
            # What was taken from the queue stays here until it is stored, whatever ends this call before.
            self._on_the_way = self._on_the_way or self._take()
            await self._until_stored(self._on_the_way)
            self._settle(self._on_the_way)
            self._on_the_way = []
        for source in list(self._gaps):
            self._events.append(self._gap_event(source, self._gaps.pop(source)))
        while self._events:
            event = self._events[0]
            await self._until_stored([Draft(events_subject(event.kind, event.source), event, event.id)])
            self._events.popleft()

    def _take(self) -> list[Draft]:
        """Drafts of the oldest waiting batches, neighbours of one connection joined."""
        taken: list[Batch] = []
        while self._queue and len(taken) < MESSAGES_PER_PUBLISH:
            taken.append(self._queue.popleft())
        return [draft for source, batches in _by_source(taken) for draft in self._drafts(source, batches)]

    def _drafts(self, source: str, batches: list[Batch]) -> Iterator[Draft]:
        subject = samples_subject(self._home(source), source)
        # `received` of the newest: what is joined here arrived within one flush interval.
        joined = concat(batches, received=batches[-1].received)
        for part, piece in enumerate(joined.split(ROWS_PER_MESSAGE)):
            yield Draft(subject, piece, f"{source}:{batches[0].sequence}-{batches[-1].sequence}/{part}")

    def _settle(self, drafts: list[Draft]) -> None:
        rows = sum(len(draft.body) for draft in drafts if isinstance(draft.body, Batch))
        STORED.inc(rows)
        self.waiting -= rows
        WAITING.set(self.waiting)

    async def _until_stored(self, drafts: list[Draft]) -> None:
        """The same ids again until the bus has them: a repeat is recognised there, nothing is stored twice."""
        told = False
        while True:
            try:
                await self._bus.publish(*drafts)
            except Retry as error:
                if not told:
                    log.warning("the bus does not take samples, they wait here", reason=str(error))
                told = True
                await self._clock.sleep(0.1)
            else:
                return

    def _gap_event(self, source: str, gap: Gap) -> Event:
        now = self._clock.now()
        data = {"samples": gap.samples, "first": gap.first, "last": gap.last, "cause": "queue full"}
        return Event(kind=Kind.DATA_GAP, source=source, time=now, recorded=now, data=data)

    async def _repeat_silent(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT)
            now = self._clock.now()
            batch = self._sieve.silent(now)
            if len(batch):
                self._enqueue(batch.replace(source="_silence", sequence=now))


def _by_source(batches: list[Batch]) -> Iterator[tuple[str, list[Batch]]]:
    for source, group in groupby(batches, key=lambda batch: batch.source):
        yield source, list(group)
