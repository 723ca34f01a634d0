"""Monitored items: one per signal, created in chunks, each refused or served on its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from asyncua.ua.uaerrors import UaStatusCodeError

from weft.connect.api import Link, Point
from weft.connect.opcua.config import Address, Config
from weft.connect.opcua.faults import status_text
from weft.connect.opcua.handles import Handles
from weft.connect.opcua.memory import Item, digest
from weft.connect.opcua.places import Missing
from weft.connect.opcua.session import Session
from weft.ua.stack import NodeId, ua

__all__ = ["Items"]

CHUNK: Final = 500
PATIENCE: Final = (
    60.0  # s for one chunk: servers are slow while they publish what they have just been asked for
)

SMALLEST_QUEUE: Final = 100
LARGEST_QUEUE: Final = 10_000
FASTEST: Final = 0.01  # s: what "each change" is reckoned with

_NO_FILTER: Final = {
    ua.StatusCodes.BadFilterNotAllowed,
    ua.StatusCodes.BadMonitoredItemFilterInvalid,
    ua.StatusCodes.BadMonitoredItemFilterUnsupported,
    ua.StatusCodes.BadDeadbandFilterInvalid,
}
_TOO_LARGE: Final = {
    ua.StatusCodes.BadTooManyOperations,
    ua.StatusCodes.BadEncodingLimitsExceeded,
    ua.StatusCodes.BadRequestTooLarge,
    ua.StatusCodes.BadResponseTooLarge,
    ua.StatusCodes.BadTcpMessageTooLarge,
}


class Items:
    """What is monitored in one subscription. ``handles`` knows each client handle before the server does."""

    def __init__(self, session: Session, subscription: int, handles: Handles, link: Link) -> None:
        self._session = session
        self._subscription = subscription
        self._handles = handles
        self._link = link
        self._made: dict[Point, tuple[int, int, int]] = {}  # client handle, the server's id, its queue
        self.refused: set[Point] = set()

    def attach(self, session: Session) -> None:
        """Goes on over another session."""
        self._session = session

    def facts(self) -> list[Item]:
        """What another process needs to go on with these items."""
        return [
            Item(point.handle, client, server, digest(point), queue)
            for point, (client, server, queue) in self._made.items()
        ]

    def queues(self) -> dict[int, int]:
        """By signal, how many samples the server keeps while the line is away."""
        return {point.handle: queue for point, (_, _, queue) in self._made.items()}

    async def adopt(self, items: Sequence[Item], points: Sequence[Point]) -> None:
        """Takes over items that an earlier process has made; those that nobody wants any more are deleted."""
        wanted = {(point.handle, digest(point)): point for point in points}
        orphans = []
        for item in items:
            point = wanted.pop((item.signal, item.digest), None)
            if point is None:
                orphans.append(item.server)
                continue
            self._made[point] = (item.client, item.server, item.queue)
            self._handles.restore(item.client, item.signal)
        await self._forget(orphans)

    def __len__(self) -> int:
        return len(self._made)

    async def follow(self, points: Sequence[Point]) -> None:
        """Creates and deletes so that just ``points`` are monitored; what stays is not touched."""
        wanted = set(points)
        gone = [point for point in self._made if point not in wanted]
        self.refused &= wanted
        await self._delete(gone)
        new = [point for point in points if point not in self._made and point not in self.refused]
        await self._create(new)

    async def retry(self) -> None:
        """Asks again for what was refused."""
        again, self.refused = list(self.refused), set()
        await self._create(again)

    async def _create(self, points: Sequence[Point]) -> None:
        asked: list[tuple[Point, NodeId]] = []
        places = await self._session.places.find([point.address for point in points])
        for point, place in zip(points, places, strict=True):
            if isinstance(place, Missing):
                self._refuse(point, place.status, place.reason)
            else:
                asked.append((point, place))
        size, filtered = self._session.profile.items, self._session.profile.deadband
        for start in range(0, len(asked), size):
            await self._chunk(asked[start : start + size], filtered=filtered)

    async def _chunk(self, asked: list[tuple[Point, NodeId]], *, filtered: bool = True) -> None:
        given = [self._handles.give(point.handle) for point, _ in asked]
        try:
            results = await self._request(asked, given, filtered=filtered)
        except UaStatusCodeError as error:
            for handle in given:
                self._handles.drop(handle)
            if int(error.code) not in _TOO_LARGE or len(asked) == 1:
                raise
            half = len(asked) // 2
            await self._chunk(asked[:half], filtered=filtered)
            await self._chunk(asked[half:], filtered=filtered)
            return
        plain = []
        for (point, node), handle, result in zip(asked, given, results, strict=True):
            code = int(result.StatusCode.value)
            if not code & 0x80000000:
                self._made[point] = (handle, int(result.MonitoredItemId), int(result.RevisedQueueSize))
                continue
            self._handles.drop(handle)
            if filtered and point.address.deadband and code in _NO_FILTER:
                plain.append((point, node))
            else:
                self._refuse(point, code, f"{point.address.text}: {status_text(code)}")
        if plain:
            await self._chunk(plain, filtered=False)

    async def _request(
        self, asked: list[tuple[Point, NodeId]], given: list[int], *, filtered: bool
    ) -> list[Any]:
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = self._subscription
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ItemsToCreate = [
            self._item(point, node, handle, filtered=filtered)
            for (point, node), handle in zip(asked, given, strict=True)
        ]
        answer = await self._session.call(request, ua.CreateMonitoredItemsResponse, PATIENCE)
        if len(answer.Results) != len(asked):
            raise ValueError(f"{len(answer.Results)} results for {len(asked)} monitored items")
        return list(answer.Results)

    def _item(self, point: Point, node: NodeId, handle: int, *, filtered: bool) -> Any:
        config, address = self._session.config, point.address
        sampling = _sampling(config, address)
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor.NodeId = node
        item.ItemToMonitor.AttributeId = ua.AttributeIds.Value
        item.MonitoringMode = ua.MonitoringMode.Reporting
        wish = item.RequestedParameters
        wish.ClientHandle = handle
        wish.SamplingInterval = sampling * 1000.0
        wish.QueueSize = address.queue_size or config.queue_size or _queue_size(config, sampling)
        wish.DiscardOldest = True
        if address.deadband and filtered:
            wish.Filter = ua.DataChangeFilter(
                Trigger=ua.DataChangeTrigger.StatusValue,
                DeadbandType=ua.DeadbandType.Absolute,
                DeadbandValue=address.deadband,
            )
        return item

    async def _delete(self, points: Sequence[Point]) -> None:
        ids = []
        for point in points:
            handle, item, _ = self._made.pop(point)
            self._handles.drop(handle)
            ids.append(item)
        await self._forget(ids)

    async def _forget(self, ids: Sequence[int]) -> None:
        for start in range(0, len(ids), CHUNK):
            request = ua.DeleteMonitoredItemsRequest()
            request.Parameters.SubscriptionId = self._subscription
            request.Parameters.MonitoredItemIds = list(ids[start : start + CHUNK])
            await self._session.call(request, ua.DeleteMonitoredItemsResponse, PATIENCE)

    def _refuse(self, point: Point, status: int, reason: str) -> None:
        self.refused.add(point)
        self._link.refuse(point, status, reason)


def _sampling(config: Config, address: Address) -> float:
    """Seconds; 0 is each change."""
    if address.sampling_interval is not None:
        return address.sampling_interval
    return config.publishing_interval if config.sampling_interval is None else config.sampling_interval


def _queue_size(config: Config, sampling: float) -> int:
    """What a signal can change in an outage that must lose nothing."""
    samples = math.ceil(1.2 * config.outage_budget / max(sampling, FASTEST))
    return min(max(samples, SMALLEST_QUEUE), LARGEST_QUEUE)
