"""What the signals are now, read from the server: after an interruption a value that has not changed stands again,
which the subscription never says. On the way the clocks are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

import anyio
from asyncua.ua.uaerrors import UaStatusCodeError

from weft.connect.api import Link, Point
from weft.connect.opcua.decode import Value
from weft.connect.opcua.places import Missing
from weft.connect.opcua.seen import NEVER, Seen
from weft.connect.opcua.session import Session
from weft.model import Batch, BatchBuilder, Flag, quality
from weft.ua.guard import FAULTS
from weft.ua.stack import NodeId, ua

__all__ = ["Clocks", "Present", "read_now"]

VALUES_AT_ONCE: Final = 500
COMPARE: Final = 30.0  # s
COMPARED: Final = 50  # signals
_CURRENT_TIME: Final = ua.NodeId(ua.ObjectIds.Server_ServerStatus_CurrentTime)
_AGAIN: Final = Flag.REPEATED | Flag.RECEIVE_TIME | Flag.FIRST


class Clocks:
    """How far the clocks are apart, medians of the last readings in ms; None while nothing is known. A source's
    time only tells its clock while its value changes: the smallest distance counts, not an old value's age."""

    def __init__(self) -> None:
        self.server_minus_source_ms: float | None = None
        self.receive_minus_server_ms: float | None = None

    def take(self, values: Sequence[Value], received: int) -> None:
        with_server = [value.server for value in values if value.server]
        if with_server:
            self.receive_minus_server_ms = (received - median(with_server)) / 1e6
        apart = sorted(value.server - value.source for value in values if value.server and value.source)
        if apart:
            self.server_minus_source_ms = median(apart[: max(1, len(apart) // 10)]) / 1e6

    def as_dict(self) -> dict[str, float | None]:
        return {
            "server_minus_source_ms": self.server_minus_source_ms,
            "receive_minus_server_ms": self.receive_minus_server_ms,
        }


class Present:
    """Of one run of a line; ``begun`` is when it began (ns UTC, our clock): what is older was marked bad since."""

    def __init__(self, link: Link, seen: Seen, begun: int, clocks: Clocks) -> None:
        self._link = link
        self._seen = seen
        self._begun = begun
        self._clocks = clocks

    async def confirm(self, session: Session, points: Sequence[Point]) -> None:
        """Gives each signal that was known before, and whose value is older than this run, its value once more,
        marked as repeated, at a time after that of the mark."""
        known = [point for point in points if self._seen.at(point.handle) != NEVER]
        for start in range(0, len(known), VALUES_AT_ONCE):
            values = await _read(session, known[start : start + VALUES_AT_ONCE])
            now = self._link.clock.now()
            self._clocks.take([value for _, value in values], now)
            builder = BatchBuilder()
            for point, value in values:
                if value.source < self._begun and value.status < quality.BAD:
                    time = max(value.server, self._begun, self._seen.at(point.handle) + 2)
                    builder.add(point.handle, time, value.value, value.kind, value.status, _AGAIN)
            self._link.emit(builder.build(received=now))

    async def compare(self, session: Session, points: Callable[[], Sequence[Point]]) -> None:
        """Looks at the clocks now and then, for ever; the server's own time is asked for, too."""
        with session.explained():
            while True:
                values = await read_some(session, [_CURRENT_TIME])
                values += [value for _, value in await _read(session, points()[:COMPARED])]
                self._clocks.take(values, self._link.clock.now())
                await anyio.sleep(COMPARE)


async def read_now(session: Session, points: Sequence[Point], now: int) -> Batch:
    """The points' values as they are now, each with the source's time."""
    builder = BatchBuilder()
    for start in range(0, len(points), VALUES_AT_ONCE):
        for point, value in await _read(session, points[start : start + VALUES_AT_ONCE]):
            time = value.source or value.server
            flags = 0 if time else Flag.RECEIVE_TIME
            builder.add(point.handle, time or now, value.value, value.kind, value.status, flags)
    return builder.build(received=now)


async def _read(session: Session, points: Sequence[Point]) -> list[tuple[Point, Value]]:
    places = await session.places.find([point.address for point in points])
    nodes = [place for place in places if not isinstance(place, Missing)]
    values = iter(await read_some(session, nodes) if nodes else ())
    return [
        (point, Value(0, None, place.status, 0, 0) if isinstance(place, Missing) else next(values))
        for point, place in zip(points, places, strict=True)
    ]


async def read_some(session: Session, nodes: Sequence[NodeId]) -> list[Value]:
    """One bad node, or one too many, fails no other."""
    try:
        return await session.values(nodes)
    except TimeoutError:
        raise
    except FAULTS as error:
        if len(nodes) == 1:
            status = int(error.code) if isinstance(error, UaStatusCodeError) else quality.BAD_DECODING_ERROR
            return [Value(0, None, status, 0, 0)]
    half = len(nodes) // 2
    return await read_some(session, nodes[:half]) + await read_some(session, nodes[half:])
