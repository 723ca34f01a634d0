"""The historian's service: from the samples stream into the store, acknowledged only once it is safe on disk.

The store's manifest, written together with the data, says how far the history has come; the subscription
begins after that. A position that the bus remembers could be ahead of a folder restored from a backup.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import anyio

from weft.bus.api import Bus, Message, StreamState, Subscription, after
from weft.history.store import Store
from weft.model import Batch, Event, Kind
from weft.runtime import Clock, Ready, SystemClock, get_logger, metrics
from weft.runtime.settings import HistorySettings

__all__ = ["run"]

log = get_logger(__name__)

SUBJECTS: Final = "uns.v1.>"
_AT_ONCE: Final = 256
_FULL: Final = 3  # tails of seal_rows that may wait when sealing is slow or the disk is full
_RETRY: Final = (1.0, 30.0)
_FAREWELL: Final = 20.0

_SAMPLES: Final = metrics.counter("history_samples", "Samples taken into the history")
_WAITING: Final = metrics.gauge("history_waiting_rows", "Samples that no segment holds yet")
_SEALED: Final = metrics.gauge("history_sealed_sequence", "Sequence of the stream that is safe on disk")


def _silent(_event: Event) -> None:
    pass


async def run(
    bus: Bus,
    store: Store,
    ready: Ready,
    *,
    settings: HistorySettings | None = None,
    tell: Callable[[Event], None] = _silent,
    stream: str = "samples",
    durable: str = "",
    clock: Clock | None = None,
) -> None:
    """Keeps what the stream carries until cancelled, and then seals what is left.

    Begins after ``store.sealed``; what the stream no longer has is reported to ``tell`` as Kind.DATA_GAP.
    Seals after ``settings.seal_rows`` samples or ``settings.seal_seconds``; while the disk refuses, at most
    three times as many samples wait in memory and the rest stays in the stream. With ``durable`` the bus is
    told under that name what is safe on disk.
    """
    keeper = Keeper(store, settings or HistorySettings(), tell, clock or SystemClock())
    state = next((s for s in await bus.streams() if s.name == stream), None)
    if state is not None:
        await keeper.compare(state)
    async with bus.subscribe(SUBJECTS, start=after(store.sealed), durable=durable) as subscription:
        ready()
        await keeper.keep(subscription, acknowledge=bool(durable))


class Keeper:
    """Takes messages, seals in time, and holds back when the store has enough waiting."""

    def __init__(
        self, store: Store, settings: HistorySettings, tell: Callable[[Event], None], clock: Clock
    ) -> None:
        self._store = store
        self._settings = settings
        self._tell = tell
        self._clock = clock
        self._enough = anyio.Event()
        self._lighter = anyio.Event()
        self._last: Message | None = None

    async def compare(self, state: StreamState) -> None:
        """Follows a stream that was made anew, and reports what this one no longer has."""
        store = self._store
        if state.last < store.sealed:
            await store.seal()
            await store.restart_after(0)
        if state.first > store.taken + 1:
            self._gap(store.taken + 1, state.first - 1)
            store.append(Batch.empty(), state.first - 1)

    async def keep(self, subscription: Subscription, *, acknowledge: bool) -> None:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._take, subscription)
                group.start_soon(self._seal_in_time, subscription if acknowledge else None)
        finally:
            with anyio.move_on_after(_FAREWELL, shield=True):
                await self._seal(subscription if acknowledge else None)

    async def _take(self, subscription: Subscription) -> None:
        previous = 0
        while True:
            for message in await subscription.next(_AT_ONCE):
                if message.sequence <= previous:
                    # The bus lost its stream and began a new one while we were listening.
                    await self._store.seal()
                    await self._store.restart_after(message.sequence - 1)
                previous = message.sequence
                self._append(message)
                if self._store.waiting >= self._settings.seal_rows:
                    self._enough.set()
                    await self._hold_back()

    def _append(self, message: Message) -> None:
        body = message.body
        if isinstance(body, Batch):
            if message.sequence > self._store.taken:
                _SAMPLES.inc(len(body))
        else:
            log.warning("message is no batch and not kept", subject=message.subject)
            body = Batch.empty()
        self._store.append(body, message.sequence)
        self._last = message

    async def _hold_back(self) -> None:
        while self._store.waiting >= self._settings.seal_rows * _FULL:
            self._lighter = anyio.Event()
            await self._lighter.wait()

    async def _seal_in_time(self, acknowledging: Subscription | None) -> None:
        pause = _RETRY[0]
        while True:
            with anyio.move_on_after(self._settings.seal_seconds):
                await self._enough.wait()
            self._enough = anyio.Event()
            if await self._seal(acknowledging):
                pause = _RETRY[0]
                await self._compact()
            else:
                await anyio.sleep(pause)
                pause = min(pause * 2, _RETRY[1])

    async def _seal(self, acknowledging: Subscription | None) -> bool:
        """False when the disk refused; the samples wait."""
        last = self._last
        try:
            sealed = await self._store.seal()
        except OSError as error:
            log.warning(
                "samples cannot be written to disk and wait",
                reason=error.strerror or str(error),
                rows=self._store.waiting,
                remedy="Free some space; nothing is lost as long as the stream keeps them.",
            )
            return False
        finally:
            for event in self._store.take_events():
                self._tell(event)
            _WAITING.set(self._store.waiting)
        _SEALED.set(sealed)
        self._lighter.set()
        if self._store.waiting >= self._settings.seal_rows:
            self._enough.set()
        if acknowledging is not None and last is not None and last.sequence <= sealed:
            await acknowledging.ack(last)
        return True

    async def _compact(self) -> None:
        try:
            await self._store.compact()
        except OSError as error:
            log.warning("segments cannot be merged now", reason=error.strerror or str(error))

    def _gap(self, first: int, last: int) -> None:
        log.warning(
            "the stream no longer has messages that the history lacks",
            first_sequence=first,
            last_sequence=last,
        )
        now = self._clock.now()
        data = {"first_sequence": first, "last_sequence": last, "reason": "no longer in the stream"}
        self._tell(Event(kind=Kind.DATA_GAP, source="history", time=now, recorded=now, data=data))
