"""Raw values out of a server's own history (OPC 10000-11, 6.4.3; OPC 10000-4, 5.11.3)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import anyio
from asyncua.ua.uaerrors import UaStatusCodeError

from weft.connect.api import Point
from weft.connect.opcua.decode import Value, read_history
from weft.connect.opcua.places import Missing
from weft.connect.opcua.session import Session
from weft.model import Batch, BatchBuilder, Flag, quality
from weft.runtime import get_logger
from weft.ua.stack import NodeId, ua

if TYPE_CHECKING:
    from weft.connect.opcua.holes import Hole

__all__ = ["History"]

log = get_logger(__name__)

NODES_AT_ONCE: Final = 20
VALUES_AT_ONCE: Final = 1000  # per node and request
MOST_VALUES: Final = 200_000  # per signal and hole
SPREAD: Final = 10 * 1_000_000_000  # ns
ATTRIBUTES_AT_ONCE: Final = 500
PAUSE: Final = 0.01  # s: between two requests, so that the server has time for its machine
TRIES: Final = 4  # a historian writes a little later than a subscription publishes
LAG: Final = 0.25
PATIENCE: Final = 30.0
_HISTORY_READ: Final = 0x04  # of AccessLevel (OPC 10000-3, 8.57)
_NO_DATA: Final = {0x809B0000, 0x00A50000}  # BadNoData, GoodNoData
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Reading:
    """One hole on the way to be filled."""

    def __init__(self, hole: Hole, node: NodeId) -> None:
        self.hole = hole
        self.node = node
        self.newest = hole.since
        self.reached = False  # the history knows the sample behind the hole
        self.more = b""
        self.cut = False
        self.count = 0
        self.failed = ""


class History:
    """Of one session. Which nodes have a history is asked once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._able: dict[NodeId, bool] = {}

    def attach(self, session: Session) -> None:
        self._session = session
        self._able = {}

    async def able(self, points: Sequence[Point]) -> set[Point]:
        """Those whose history may be read and is kept."""
        nodes = await self._nodes(points)
        asked = list({node for node in nodes.values() if node not in self._able})
        for start in range(0, len(asked), ATTRIBUTES_AT_ONCE):
            await self._ask(asked[start : start + ATTRIBUTES_AT_ONCE])
        return {point for point, node in nodes.items() if self._able.get(node)}

    async def fill(self, holes: Sequence[Hole]) -> AsyncIterator[tuple[Batch, list[Hole]]]:
        """What is in the holes, each signal's samples in order, and what of the holes stays unfilled."""
        nodes = await self._nodes([hole.point for hole in holes])
        readings = [_Reading(hole, nodes[hole.point]) for hole in holes if hole.point in nodes]
        for attempt in range(TRIES):
            due = [one for one in readings if not one.reached and not one.failed]
            if due and attempt:
                await anyio.sleep(LAG * attempt)
            for part in _alike(due):
                async for batch in self._pages(part):
                    yield batch, []
        yield Batch.empty(), [_rest(one) for one in readings if one.failed]

    async def _nodes(self, points: Sequence[Point]) -> dict[Point, NodeId]:
        places = await self._session.places.find([point.address for point in points])
        return {p: place for p, place in zip(points, places, strict=True) if not isinstance(place, Missing)}

    async def _ask(self, nodes: Sequence[NodeId]) -> None:
        ids = ua.AttributeIds
        wanted = [(node, a) for node in nodes for a in (ids.UserAccessLevel, ids.Historizing)]
        try:
            found = await self._session.read(wanted)
        except UaStatusCodeError as error:
            log.info("access levels cannot be read", because=str(error)[:120])
            found = []
        for i, node in enumerate(nodes if len(found) == len(wanted) else ()):
            (_, _, access), (_, _, keeps) = found[2 * i : 2 * i + 2]
            self._able[node] = bool(keeps) and bool((access or 0) & _HISTORY_READ)

    async def _pages(self, readings: Sequence[_Reading]) -> AsyncIterator[Batch]:
        due = list(readings)
        while due:
            await anyio.sleep(PAUSE)
            results = await self._request(due)
            builder = BatchBuilder()
            for one, (status, more, values) in zip(due, results, strict=True):
                one.more, before = more, one.newest
                self._take(one, status, values, builder)
                # asyncua cuts at the number of values without saying that there is more.
                one.cut = len(values) >= VALUES_AT_ONCE and one.newest > before
            yield builder.build(received=time.time_ns())
            await self._release([one for one in due if one.failed and one.more])
            due = [one for one in due if (one.more or one.cut) and not one.failed]

    def _take(self, one: _Reading, status: int, values: Sequence[Value], builder: BatchBuilder) -> None:
        if status >= quality.BAD and status & 0xFFFF0000 not in _NO_DATA:
            one.failed = quality.status_name(status)
            return
        for value in values:
            at = value.source or value.server
            one.reached |= at >= one.hole.until
            if one.newest < at < one.hole.until:
                builder.add(one.hole.point.handle, at, value.value, value.kind, value.status, Flag.HISTORY)
                one.newest = at
                one.count += 1
        if one.count >= MOST_VALUES:
            one.failed = f"more than {MOST_VALUES} values"

    async def _request(
        self, due: Sequence[_Reading], *, release: bool = False
    ) -> list[tuple[int, bytes, list[Value]]]:
        request = ua.HistoryReadRequest()
        details = ua.ReadRawModifiedDetails()
        details.IsReadModified = False
        # One range for all: the samples themselves say which are wanted.
        details.StartTime = _moment(min(one.newest for one in due))
        details.EndTime = _moment(max(one.hole.until for one in due)) + timedelta(microseconds=2)
        details.NumValuesPerNode = VALUES_AT_ONCE
        details.ReturnBounds = False
        request.Parameters.HistoryReadDetails = details
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ReleaseContinuationPoints = release
        request.Parameters.NodesToRead = [_node(one) for one in due]
        try:
            results = read_history(await self._session.raw(request, PATIENCE), self._session.structures.known)
            if len(results) != len(due) and not release:
                raise ValueError(f"{len(results)} results for {len(due)} histories")
        except UaStatusCodeError as error:
            code = int(error.code)
            return [(code, b"", []) for _ in due]
        return results

    async def _release(self, due: Sequence[_Reading]) -> None:
        if due:
            await self._request(due, release=True)


def _alike(readings: Sequence[_Reading]) -> Iterator[list[_Reading]]:
    """A few at once whose holes begin at about the same time: one request has one range for all its nodes."""
    part: list[_Reading] = []
    for one in sorted(readings, key=lambda one: one.newest):
        if part and (len(part) >= NODES_AT_ONCE or one.newest - part[0].newest > SPREAD):
            yield part
            part = []
        part.append(one)
    if part:
        yield part


def _node(one: _Reading) -> Any:
    wanted = ua.HistoryReadValueId()
    wanted.NodeId = one.node
    wanted.ContinuationPoint = one.more or None
    return wanted


def _rest(one: _Reading) -> Hole:
    return one.hole._replace(since=one.newest, cause=f"{one.hole.cause}, its history failed: {one.failed}")


def _moment(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)
