"""One subscription: several PublishRequests outstanding, every message in order, gaps asked for again."""

from __future__ import annotations

import math
from typing import Any, Final

import anyio
import numpy as np
from asyncua.ua.uaerrors import UaStatusCodeError

from weft.connect.api import Link
from weft.connect.opcua.decode import Decoder, Notification
from weft.connect.opcua.faults import status_text
from weft.connect.opcua.session import Session
from weft.model import Flag
from weft.runtime import Retry, get_logger
from weft.ua.stack import ua

__all__ = ["Subscription"]

log = get_logger(__name__)

KEEP_ALIVE: Final = 2.0  # s: how long a server may be silent before it says that it is there
LIFETIME: Final = 60.0
LONGEST_SILENCE: Final = 600.0
MAX_NOTIFICATIONS: Final = 20_000
MAX_REPUBLISH: Final = 64
HIGH_PRESSURE: Final = 0.9
_WRAP: Final = 2**32 - 1  # sequence numbers go from 1 to 2^32 - 1 (OPC 10000-4, 7.9)


class Subscription:
    """Created by :meth:`open`, then kept going by :meth:`publish` and :meth:`watch` as tasks."""

    def __init__(self, session: Session, link: Link, decoder: Decoder) -> None:
        self.id = 0
        self._session = session
        self._link = link
        self._decoder = decoder
        self._budget = LONGEST_SILENCE
        self._acknowledge: list[Any] = []
        self._order = anyio.Lock(fast_acquire=True)
        self._last: int | None = None
        self._hole = False
        self._heard = anyio.current_time()
        self._publishers = session.config.publish_requests

    async def open(self) -> None:
        interval = self._session.config.publishing_interval
        keep_alive = max(1, math.ceil(KEEP_ALIVE / interval))
        request = ua.CreateSubscriptionRequest()
        request.Parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=interval * 1000.0,
            RequestedLifetimeCount=max(3 * keep_alive, math.ceil(LIFETIME / interval)),
            RequestedMaxKeepAliveCount=keep_alive,
            MaxNotificationsPerPublish=MAX_NOTIFICATIONS,
            PublishingEnabled=True,
        )
        answer = await self._session.call(request, ua.CreateSubscriptionResponse)
        result = answer.Parameters
        self.id = int(result.SubscriptionId)
        silence = float(result.RevisedPublishingInterval) / 1000 * result.RevisedMaxKeepAliveCount
        if not math.isfinite(silence) or silence <= 0:
            silence = LONGEST_SILENCE
        # A server may say days; a line that is dead so long must be found out before.
        self._budget = min(silence * 1.5, LONGEST_SILENCE) + self._session.config.timeout
        self._heard = anyio.current_time()

    async def publish(self) -> None:
        """Keeps one PublishRequest outstanding; run ``publish_requests`` of these."""
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
        while True:
            left = self._heard + self._budget - anyio.current_time()
            if left <= 0:
                raise Retry(
                    f"{self._session.config.endpoint} sent nothing for {self._budget:.0f} s, not even that it is there."
                )
            await anyio.sleep(left)

    def _request(self) -> Any:
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements, self._acknowledge = self._acknowledge, []
        return request

    def _goes_on(self, code: int) -> bool:
        if code == ua.StatusCodes.BadTimeout:
            return True
        return code == ua.StatusCodes.BadTooManyPublishRequests and self._publishers > 1

    async def _relief(self) -> None:
        """Under pressure the server's queues hold the samples; at most as long as keeps the line alive."""
        until = anyio.current_time() + KEEP_ALIVE
        while self._link.pressure > HIGH_PRESSURE and anyio.current_time() < until:
            self._heard = anyio.current_time()
            await anyio.sleep(0.05)

    async def _take(self, data: bytes) -> None:
        self._heard = anyio.current_time()
        note = self._decoder.publish(data, self._link.clock.now())
        if note.subscription != self.id:
            return
        if await self._in_order(note):
            self._emit(note, 0)
        if note.status:
            raise Retry(
                f"{self._session.config.endpoint} ended the subscription ({status_text(note.status)})."
            )

    async def _in_order(self, note: Notification) -> bool:
        """Fills the gap before a message; False for one that came already."""
        expected = 1 if self._last is None else self._last % _WRAP + 1
        missing = (note.sequence - expected) % _WRAP
        if missing > _WRAP // 2:
            return False
        if self._last is not None and missing:
            await self._republish(expected, missing)
        if note.keep_alive:
            self._last = (note.sequence - 2) % _WRAP + 1  # it bears the number of the next message
            return False
        self._last = note.sequence
        return True

    async def _republish(self, first: int, count: int) -> None:
        lost = count
        for sequence in [(first + i - 1) % _WRAP + 1 for i in range(min(count, MAX_REPUBLISH))]:
            request = ua.RepublishRequest()
            request.Parameters.SubscriptionId = self.id
            request.Parameters.RetransmitSequenceNumber = sequence
            try:
                note = await self._again(request)
            except UaStatusCodeError as error:
                if int(error.code) != ua.StatusCodes.BadMessageNotAvailable:
                    raise
                continue
            lost -= 1
            self._emit(note, Flag.REPLAYED)
        if lost:
            self._hole = True
            log.warning("messages lost at the server", connection=self._link.name, count=lost, first=first)

    async def _again(self, request: Any) -> Notification:
        data = await self._session.raw(request)
        return self._decoder.republish(data, self.id, self._link.clock.now())

    def _emit(self, note: Notification, flags: int) -> None:
        """Hands a message over; it is acknowledged once its samples are stored, until then the server could be
        asked for it again."""

        def stored() -> None:
            self._acknowledge.append(ua.SubscriptionAcknowledgement(self.id, note.sequence))

        batches = [batch for batch in note.batches if len(batch)]
        if not batches:
            stored()
            return
        if self._hole:
            # Nobody knows whose samples were lost: all that come next stand behind a gap.
            flags, self._hole = flags | Flag.OVERFLOW, False
        for batch in batches:
            marked = batch.replace(flags=batch.flags | np.uint16(flags)) if flags else batch
            self._link.emit(marked, stored if batch is batches[-1] else None)
