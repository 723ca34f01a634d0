"""The edge: from a connector's batch to one durable publish, and never in the connector's way.

``accept`` treats and queues by direct call. A service takes what has gathered, publishes it as one atomic,
fsynced batch and repeats the same ids until the bus has taken them. While the bus is away the queue grows to
its bound; what falls out then is counted and written down as a gap, never dropped silently.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Final, NamedTuple, cast

import anyio
import numpy as np

from weft.bus import Bus, Draft, events_subject, samples_subject
from weft.edge.queue import Gap, Queue, Waiting, size
from weft.edge.treatment import Treatment
from weft.model import Batch, Event, Kind, Signal, concat
from weft.model.quality import BAD_ENCODING_LIMITS_EXCEEDED
from weft.runtime import Clock, Invalid, Ready, Retry, get_logger, metrics

__all__ = ["Edge"]

log = get_logger(__name__)

ROWS_PER_MESSAGE: Final = 50_000
MESSAGES_PER_PUBLISH: Final = 200
EVENTS_WAITING: Final = 10_000
REST: Final = 4  # times as long as the last publish took: so publishing takes a fifth of the time at most
HEARTBEAT: Final = 1.0
FAREWELL: Final = 3.0

ACCEPTED: Final = metrics.counter("edge_samples", "Samples that connectors delivered")
STORED: Final = metrics.counter("edge_samples_stored", "Samples that the bus has acknowledged")


class Parcel(NamedTuple):
    """What is on its way to the bus: the drafts of some waiting batches, and whom to tell."""

    drafts: list[Draft]
    rows: int
    bytes: int
    stored: list[Callable[[], None]]


class Edge:
    """Store-and-forward between connectors and bus.

    ``home`` gives the asset path under which a connection publishes. ``queue_rows`` and ``queue_bytes`` bound
    what may wait, ``flush_seconds`` is how long samples gather at most to be published together.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        clock: Clock,
        home: Callable[[str], str],
        queue_rows: int = 1_000_000,
        queue_bytes: int = 256 << 20,
        flush_seconds: float = 0.05,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._home = home
        self._flush = flush_seconds
        self._queue = Queue(queue_rows, queue_bytes)
        self._on_the_way: Parcel | None = None
        self._events: deque[Event] = deque(maxlen=EVENTS_WAITING)
        self._news = anyio.Event()
        self._hurry = anyio.Event()
        self._rested = 0.0  # until then what comes gathers, by the event loop's clock
        self._derivations = clock.now()  # as a line counts: above all numbers of before a restart
        self.arrived: Callable[[Batch], None] = lambda batch: None  # told of each batch before it is treated
        self.treatment = Treatment(clock=clock, tell=self.tell)

    def apply(self, signals: list[Signal], watched: Iterable[int] = ()) -> None:
        """Other rules from the next batch on; what the steps remember stays. ``watched``: handles whose newest
        sample somebody needs to know beside guard rails and derived signals."""
        for batch in self.treatment.apply(signals, watched):
            self._enqueue(Waiting(batch, None))

    def seed(self, snapshot: Callable[[list[int]], Batch]) -> None:
        """Asks for the newest kept samples of signals that somebody needs to know and that have not been heard; what
        is derived from them and not kept yet is published."""
        unknown = self.treatment.unknown()
        derived = self.treatment.seed(snapshot(unknown)) if unknown else None
        if derived is not None:
            self._derivations += 1
            self._enqueue(Waiting(derived.replace(sequence=self._derivations), None))

    @property
    def waiting(self) -> int:
        """Samples that the bus has not acknowledged yet."""
        return self._queue.rows

    @property
    def pressure(self) -> float:
        """How full the queue is, 0 to 1."""
        return self._queue.fullness

    def accept(self, batch: Batch, stored: Callable[[], None] | None = None) -> None:
        """Takes a connector's batch. Never blocks, never raises. ``stored`` is called once the bus has
        acknowledged it, and such a batch does not wait for others to gather."""
        ACCEPTED.inc(len(batch))
        self.arrived(batch)
        own, *derived = self.treatment.take(batch)
        if len(own):
            self._enqueue(Waiting(own, stored))
        elif stored is not None:
            stored()
        for other in derived:
            if len(other):
                self._derivations += 1
                self._enqueue(Waiting(other.replace(sequence=self._derivations), None))

    def tell(self, event: Event) -> None:
        """Queues an event for the bus."""
        self._events.append(event)
        self._news.set()

    async def run(self, ready: Ready) -> None:
        """Publishes until cancelled, then what is left, for a few seconds at most."""
        ready()
        async with anyio.create_task_group() as group:
            group.start_soon(self._repeat_silent)
            try:
                while True:
                    await self._gather()
                    begun = anyio.current_time()
                    await self._publish()
                    self._rest(begun)
            finally:
                for batch in self.treatment.release(self._clock.now()):
                    self._enqueue(Waiting(batch, None))
                with anyio.CancelScope(shield=True), anyio.move_on_after(FAREWELL):
                    while self._on_the_way or self._queue or self._events:
                        await self._publish()

    # --- gathering --------------------------------------------------------------------------------------

    def _enqueue(self, entry: Waiting) -> None:
        self._queue.put(entry)
        if self._queue.urgent:
            self._hurry.set()
        self._news.set()

    async def _gather(self) -> None:
        """Waits for something to publish. What comes to a rested bus goes at once; what comes soon after a publish
        waits a little for company, unless somebody waits for it."""
        if not (self._on_the_way or self._queue or self._events):
            self._news = anyio.Event()
            await self._news.wait()
        if not self._queue.urgent:
            self._hurry = anyio.Event()
            with anyio.move_on_after(self._rested - anyio.current_time()):
                await self._hurry.wait()

    def _rest(self, begun: float) -> None:
        now = anyio.current_time()
        behind = len(self._queue) >= MESSAGES_PER_PUBLISH
        self._rested = now if behind else now + min(self._flush, REST * (now - begun))

    # --- publishing -----------------------------------------------------------------------------------

    async def _publish(self) -> None:
        """One atomic publish of what waits, then the events."""
        # What was taken from the queue stays here until it is stored, whatever ends this call before.
        self._on_the_way = self._on_the_way or self._take()
        if self._on_the_way:
            await self._store(self._on_the_way.drafts)
            parcel, self._on_the_way = self._on_the_way, None
            STORED.inc(parcel.rows)
            self._queue.settle(parcel.rows, parcel.bytes)
            for stored in parcel.stored:
                stored()
        for source, gap in self._queue.take_gaps().items():
            self._events.append(self._gap_event(source, gap))
        while self._events:
            event = self._events[0]
            await self._until_stored([Draft(events_subject(event.kind, event.source), event, event.id)])
            if self._events and self._events[0] is event:  # a full queue may have dropped it meanwhile
                self._events.popleft()

    def _take(self) -> Parcel | None:
        """The oldest waiting batches, neighbours of one connection joined."""
        taken = self._queue.take(MESSAGES_PER_PUBLISH)
        if not taken:
            return None
        batches = [entry.batch for entry in taken]
        drafts = [draft for source, group in _by_source(batches) for draft in self._drafts(source, group)]
        callbacks = [entry.stored for entry in taken if entry.stored is not None]
        return Parcel(drafts, sum(map(len, batches)), sum(map(size, batches)), callbacks)

    def _drafts(self, source: str, batches: list[Batch]) -> Iterator[Draft]:
        subject = samples_subject(self._home(source), source)
        # `received` of the newest: what is joined here arrived within one flush interval.
        joined = concat(batches, received=batches[-1].received)
        for part, piece in enumerate(joined.split(ROWS_PER_MESSAGE)):
            yield Draft(subject, piece, f"{source}:{batches[0].sequence}-{batches[-1].sequence}/{part}")

    async def _store(self, drafts: list[Draft]) -> None:
        """What the bus refuses as too large goes in pieces, down to the one sample that it never takes: that one
        loses its value, not the others their place. Ids and pieces are the same at each repetition."""
        try:
            await self._until_stored(drafts)
        except Invalid as error:
            if len(drafts) > 1:
                for draft in drafts:
                    await self._store([draft])
            elif len(_batch(drafts[0])) > 1:
                for piece in _halves(drafts[0]):
                    await self._store([piece])
            else:
                await self._until_stored([self._without_value(drafts[0], error)])

    def _without_value(self, draft: Draft, error: Invalid) -> Draft:
        batch = _batch(draft)
        now = self._clock.now()
        data = {"samples": 1, "first": int(batch.time[0]), "last": int(batch.time[0]), "cause": str(error)}
        self._events.append(
            Event(kind=Kind.DATA_REJECTED, source=batch.source, time=now, recorded=now, data=data)
        )
        status = np.full(1, BAD_ENCODING_LIMITS_EXCEEDED, dtype=np.uint32)
        null = np.zeros(1, dtype=np.int64)
        return Draft(
            draft.subject,
            batch.replace(bits=null, type=null.astype(np.uint8), status=status, heap=()),
            draft.id,
        )

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
            for batch in self.treatment.quiet(self._clock.now()):
                self._enqueue(Waiting(batch, None))


def _batch(draft: Draft) -> Batch:
    return cast(Batch, draft.body)  # what parcels hold


def _halves(draft: Draft) -> Iterator[Draft]:
    batch = _batch(draft)
    middle = len(batch) // 2
    for i, rows in enumerate((slice(0, middle), slice(middle, None))):
        yield Draft(draft.subject, batch.take(rows).compact(), f"{draft.id}.{i}")


def _by_source(batches: list[Batch]) -> Iterator[tuple[str, list[Batch]]]:
    for source, group in groupby(batches, key=lambda batch: batch.source):
        yield source, list(group)
