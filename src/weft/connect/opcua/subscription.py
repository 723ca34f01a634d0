"""One subscription: several PublishRequests outstanding, every message in order, gaps asked for again. It outlives
its session: :meth:`Subscription.attach` goes on with it where it was."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import anyio
import numpy as np
from asyncua.ua.uaerrors import UaStatusCodeError

from weft.connect.api import Link
from weft.connect.opcua.decode import Decoder, Notification
from weft.connect.opcua.faults import status_text
from weft.connect.opcua.seen import Seen
from weft.connect.opcua.session import Session
from weft.model import Batch, Flag
from weft.runtime import Retry, get_logger
from weft.ua.stack import ua

__all__ = ["Renewal", "Subscription"]

log = get_logger(__name__)

KEEP_ALIVE: Final = 2.0  # s: how long a server may be silent before it says that it is there
SHORTEST_LIFE: Final = 60.0
LONGEST_SILENCE: Final = 600.0
MAX_NOTIFICATIONS: Final = 20_000
MAX_REPUBLISH: Final = 10_000
HIGH_PRESSURE: Final = 0.9
_WRAP: Final = 2**32 - 1  # sequence numbers go from 1 to 2^32 - 1 (OPC 10000-4, 7.9)
_GONE: Final = {ua.StatusCodes.BadNoSubscription, ua.StatusCodes.BadSubscriptionIdInvalid}


class Renewal(Retry):
    """The subscription is of no use any more; another one must be made, the session may stay."""


async def _as_it_is(batch: Batch) -> Batch:
    return batch


class Subscription:
    """Created by :meth:`open` or :meth:`adopt`, then kept going by :meth:`publish` and :meth:`watch` as tasks.

    ``before`` is awaited with each batch that has flags, before it is handed over, and may do so with what is missing
    in front of it. ``happened`` takes events' fields by client handle.
    """

    def __init__(
        self,
        session: Session,
        link: Link,
        decoder: Decoder,
        *,
        seen: Seen | None = None,
        before: Callable[[Batch], Awaitable[Batch]] = _as_it_is,
        happened: Callable[[int, list[Any]], None] = lambda handle, fields: None,
        queues: Callable[[], Mapping[int, int]] = dict,
    ) -> None:
        self.id = 0
        self.silence = LONGEST_SILENCE  # s: how long the server may be silent
        self._session = session
        self._link = link
        self._decoder = decoder
        self._seen = seen or Seen()
        self._before = before
        self._happened = happened
        self._queues = queues
        self._filled = False  # the next message holds what has gathered while the line was away
        self._acknowledge: list[Any] = []
        self._unstored: set[int] = set()
        self._order = anyio.Lock(fast_acquire=True)
        self._last: int | None = None
        self._inherited = False  # an earlier process took messages of it
        self._reattached = False
        self._publishers = session.config.publish_requests
        self.alive()

    async def open(self) -> None:
        config = self._session.config
        interval = config.publishing_interval
        keep_alive = max(1, math.ceil(KEEP_ALIVE / interval))
        life = max(SHORTEST_LIFE, config.outage_budget + 30.0)
        request = ua.CreateSubscriptionRequest()
        request.Parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=interval * 1000.0,
            RequestedLifetimeCount=max(3 * keep_alive, math.ceil(life / interval)),
            RequestedMaxKeepAliveCount=keep_alive,
            MaxNotificationsPerPublish=MAX_NOTIFICATIONS,
            PublishingEnabled=True,
        )
        answer = await self._session.call(request, ua.CreateSubscriptionResponse)
        result = answer.Parameters
        self.id = int(result.SubscriptionId)
        silence = float(result.RevisedPublishingInterval) / 1000 * result.RevisedMaxKeepAliveCount
        if math.isfinite(silence) and silence > 0:
            # A server may say days; a line that is dead so long must be found out before.
            self.silence = min(silence, LONGEST_SILENCE)
        self.alive()

    def adopt(self, number: int, silence: float) -> None:
        """Goes on with a subscription that an earlier process of ours has made. What the server still holds of it
        may be stored already: samples that are not newer than what was seen are left out."""
        self.id, self.silence = number, silence or LONGEST_SILENCE
        self._inherited = self._reattached = self._filled = True
        self.alive()

    def attach(self, session: Session) -> None:
        """Goes on over another session, or the same one taken up again."""
        self._session = session
        self._decoder.describe(session.structures.known)
        self._order = anyio.Lock(fast_acquire=True)
        self._publishers = session.config.publish_requests
        self._reattached = self._filled = True
        self.alive()

    async def transfer(self) -> None:
        """Takes it over from the session that had it (OPC 10000-4, 5.14.7). Initial values are not asked for: they
        would be doubles, and what the signals are now is read anyhow. Raises Renewal."""
        request = ua.TransferSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [self.id]
        request.Parameters.SendInitialValues = False
        try:
            answer = await self._session.call(request, ua.TransferSubscriptionsResponse)
            [result] = answer.Parameters.Results
            result.StatusCode.check()
        except (UaStatusCodeError, ValueError) as error:
            raise Renewal(f"The subscription could not be taken over: {error}.") from error

    async def delete(self) -> None:
        """So that the server holds nothing back for nobody; one that is gone already is gone."""
        request = ua.DeleteSubscriptionsRequest()
        request.Parameters.SubscriptionIds = [self.id]
        try:
            await self._session.call(request, ua.DeleteSubscriptionsResponse)
        except UaStatusCodeError as error:
            log.info("subscription not deleted", connection=self._link.name, because=status_text(error.code))

    def alive(self) -> None:
        """The server was heard, or is kept waiting by ourselves."""
        self._heard = anyio.current_time()

    async def publish(self) -> None:
        """Keeps one PublishRequest outstanding; run ``publish_requests`` of these. Raises Retry or Renewal."""
        with self._session.explained():
            while True:
                await self._relief()
                data = await self._session.publish(self._request())
                async with self._order:
                    try:
                        await self._take(bytes(data))
                    except UaStatusCodeError as error:
                        if not self._goes_on(int(error.code)):
                            raise
                        if int(error.code) == ua.StatusCodes.BadTooManyPublishRequests:
                            self._publishers -= 1
                            return

    async def watch(self) -> None:
        """Raises Retry when the server was silent for longer than it may be."""
        budget = self.silence * 1.5 + self._session.config.timeout
        while True:
            left = self._heard + budget - anyio.current_time()
            if left <= 0:
                said = f"{self._session.config.endpoint} sent nothing for {budget:.0f} s, not even that it is there."
                # asyncua's server never publishes again what it has transferred.
                raise Renewal(said) if self._reattached else Retry(said)
            await anyio.sleep(left)

    def _request(self) -> Any:
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements, self._acknowledge = self._acknowledge, []
        return request

    def _goes_on(self, code: int) -> bool:
        if code in _GONE:
            raise Renewal(f"{self._session.config.endpoint} has no subscription any more.")
        if code == ua.StatusCodes.BadTimeout:
            return True
        return code == ua.StatusCodes.BadTooManyPublishRequests and self._publishers > 1

    async def _relief(self) -> None:
        """Under pressure the server's queues hold the samples; at most as long as keeps the line alive."""
        until = anyio.current_time() + KEEP_ALIVE
        while self._link.pressure > HIGH_PRESSURE and anyio.current_time() < until:
            self.alive()
            await anyio.sleep(0.05)

    async def _take(self, data: bytes) -> None:
        self.alive()
        received = self._link.clock.now()
        note = await self._decoded(lambda: self._decoder.publish(data, received))
        if note.subscription != self.id:
            return
        if self._reattached:
            await self._reconcile(note)
        await self._in_order(note)
        if note.status:
            raise Renewal(
                f"{self._session.config.endpoint} ended the subscription ({status_text(note.status)})."
            )

    async def _decoded(self, read: Callable[[], Notification]) -> Notification:
        """With the server's own structures learnt before anybody sees them as bytes."""
        note = read()
        if self._decoder.strange:
            await self._session.structures.learn(self._decoder.strange)
            again = read()
            # The first decoding has used up the marks of first samples.
            batches = [b.replace(flags=a.flags) for a, b in zip(note.batches, again.batches, strict=True)]
            return again._replace(batches=batches)
        return note

    async def _reconcile(self, note: Notification) -> None:
        """The first message after an interruption tells what the server still holds."""
        self._reattached = False
        for sequence in note.available:
            if self._last is not None and not _older(self._last, sequence):
                if sequence not in self._unstored:
                    self._stored(sequence)  # the acknowledgement was lost, the message was not
            elif self._last is None and _older(sequence, note.sequence):
                again = await self._again(sequence)
                if again is not None:
                    await self._emit(again, Flag.REPLAYED)
        if self._last is None:
            self._last = _previous(note.sequence)

    async def _in_order(self, note: Notification) -> None:
        """Fills the gap before a message and hands it over; one that came already is passed by."""
        expected = 1 if self._last is None else self._last % _WRAP + 1
        missing = (note.sequence - expected) % _WRAP
        if missing > _WRAP // 2:
            return
        lost = await self._republish(expected, missing) if self._last is not None and missing else 0
        if not note.keep_alive:
            if self._filled:
                note, self._filled = note._replace(batches=[self._overflown(b) for b in note.batches]), False
            # Nobody knows whose samples were lost: all that come next stand behind a gap.
            await self._emit(note, Flag.OVERFLOW if lost else 0)
        # A keep-alive bears the number of the next message.
        self._last = _previous(note.sequence) if note.keep_alive else note.sequence
        if lost:
            raise Renewal(f"{self._session.config.endpoint} has lost {lost} messages.")

    def _overflown(self, batch: Batch) -> Batch:
        """Marks the first sample of each signal whose queue at the server was full: not all servers set the bit."""
        queues = self._queues()
        signals, first, counts = np.unique(batch.signal, return_index=True, return_counts=True)
        full = [
            row
            for signal, row, n in zip(signals.tolist(), first.tolist(), counts.tolist(), strict=True)
            if n >= queues.get(signal, n + 1) > 1
        ]
        if not full:
            return batch
        flags = batch.flags.copy()
        flags[full] |= np.uint16(Flag.OVERFLOW)
        return batch.replace(flags=flags)

    async def _republish(self, first: int, count: int) -> int:
        """How many could not be had again."""
        lost = max(count - MAX_REPUBLISH, 0)
        for sequence in [(first + i - 1) % _WRAP + 1 for i in range(min(count, MAX_REPUBLISH))]:
            note = await self._again(sequence)
            if note is None:
                lost += 1
                continue
            await self._emit(note, Flag.REPLAYED)
            if not lost:
                self._last = sequence
        if lost:
            log.warning("messages lost at the server", connection=self._link.name, count=lost, first=first)
        return lost

    async def _again(self, sequence: int) -> Notification | None:
        """A message once more; None when the server has it no longer."""
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = self.id
        request.Parameters.RetransmitSequenceNumber = sequence
        try:
            data = await self._session.raw(request)
        except UaStatusCodeError as error:
            if int(error.code) in _GONE:
                raise Renewal(f"{self._session.config.endpoint} has no subscription any more.") from error
            return None
        self.alive()
        received = self._link.clock.now()
        note = await self._decoded(lambda: self._decoder.republish(data, self.id, received))
        return note if note.sequence == sequence else None  # asyncua answers with an empty one

    async def _emit(self, note: Notification, flags: int) -> None:
        """Hands a message over; it is acknowledged once its samples are stored, until then the server could be
        asked for it again."""
        for handle, fields in note.events:
            self._happened(handle, fields)
        batches = [batch for batch in note.batches if len(batch)]
        if not batches:
            self._stored(note.sequence)
            return
        self._unstored.add(note.sequence)
        for batch in batches:
            marked = batch.replace(flags=batch.flags | np.uint16(flags)) if flags else batch
            if self._inherited and flags & Flag.REPLAYED:
                marked = marked.take(marked.time > self._seen.of(marked.signal))
            if marked.flags.any():
                marked = await self._before(marked)
            self._seen.note(marked)
            last = batch is batches[-1]
            self._link.emit(marked, (lambda: self._stored(note.sequence)) if last else None)

    def _stored(self, sequence: int) -> None:
        self._unstored.discard(sequence)
        self._acknowledge.append(ua.SubscriptionAcknowledgement(self.id, sequence))


def _previous(sequence: int) -> int:
    return (sequence - 2) % _WRAP + 1


def _older(a: int, b: int) -> bool:
    return 0 < (b - a) % _WRAP <= _WRAP // 2
