"""A line: one connection kept alive. It runs the connector, retries flat and short, and says what is so.

A line that is down gives each of its signals a sample of bad quality, so that nobody takes an old value for a
present one; the values themselves are not touched.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import anyio
import msgspec
import numpy as np

from weft.connect.api import Connector, Point
from weft.model import Batch, Event, Flag, Kind, quality
from weft.runtime import Clock, NeedsHuman, Retry, describe, get_logger

__all__ = ["Line", "LineState", "Status"]

log = get_logger(__name__)

# Doubling back-off turned an 8 s cut into a 16 s outage and overflowed the server's queues: stay short.
RETRY: Final = (0.25, 1.0)
RETRY_AFTER_HUMAN: Final = 10.0


class LineState(StrEnum):
    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"
    NEEDS_HUMAN = "needs human"
    STOPPED = "stopped"


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """A connection in plain words; times are ns UTC, 0 is never."""

    name: str
    state: LineState
    reason: str = ""
    detail: str = ""
    since: int = 0
    last_data: int = 0
    next_retry: int = 0
    samples: int = 0
    refused: dict[str, str] = {}


class Line:
    """The :class:`~weft.connect.api.Link` of one connection, and its supervisor.

    ``forward`` takes batches, and whom to tell once they are stored, and must not block; ``tell`` takes events; ``pressure`` is the edge's.
    """

    def __init__(
        self,
        name: str,
        connector: Connector,
        points: Sequence[Point],
        *,
        clock: Clock,
        forward: Callable[[Batch, Callable[[], None] | None], None],
        tell: Callable[[Event], None],
        pressure: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.name = name
        self.clock = clock
        self.status = Status(name=name, state=LineState.STOPPED)
        self._connector = connector
        self._points: tuple[Point, ...] = tuple(points)
        self._change = anyio.Event()
        self._forward = forward
        self._tell = tell
        self._pressure = pressure
        # A restart of Weft must not reuse a number: the clock at start is above all numbers counted before.
        self._sequence = clock.now()

    # --- the connector's side -------------------------------------------------------------------------

    @property
    def points(self) -> Sequence[Point]:
        return self._points

    async def changed(self, seen: Sequence[Point]) -> None:
        while self._points is seen:
            await self._change.wait()

    @property
    def pressure(self) -> float:
        return self._pressure()

    def emit(self, batch: Batch, stored: Callable[[], None] | None = None) -> None:
        if not len(batch):
            if stored is not None:
                stored()
            return
        if self.status.refused:
            self._welcome(batch)
        now = self.clock.now()
        self._sequence += 1
        self.status = msgspec.structs.replace(
            self.status, last_data=now, samples=self.status.samples + len(batch)
        )
        self._forward(
            batch.replace(source=self.name, sequence=self._sequence, received=batch.received or now), stored
        )

    def up(self, detail: str = "") -> None:
        if self.status.state is not LineState.UP or detail != self.status.detail:
            self._become(LineState.UP, detail=detail)

    def refuse(self, point: Point, status: int, reason: str) -> None:
        if self.status.refused.get(point.path) == reason:
            return
        self.status = msgspec.structs.replace(
            self.status, refused={**self.status.refused, point.path: reason}
        )
        self._report(
            Kind.SIGNAL_REFUSED, signal=point.path, status=quality.status_name(status), reason=reason
        )
        self.emit(self._synthetic((point,), status))

    def _welcome(self, batch: Batch) -> None:
        """A refused signal that delivers a good sample is refused no longer."""
        good = set(batch.signal[quality.good(batch.status)].tolist())
        back = {point.path for point in self._points if point.handle in good} & self.status.refused.keys()
        if back:
            kept = {path: why for path, why in self.status.refused.items() if path not in back}
            self.status = msgspec.structs.replace(self.status, refused=kept)

    # --- Weft's side ----------------------------------------------------------------------------------

    def update(self, points: Sequence[Point]) -> None:
        """Other signals from now on; the connector follows without reconnecting."""
        if tuple(points) == self._points:
            return
        paths = {point.path for point in points}
        kept = {path: why for path, why in self.status.refused.items() if path in paths}
        self.status = msgspec.structs.replace(self.status, refused=kept)
        self._points = tuple(points)
        change, self._change = self._change, anyio.Event()
        change.set()

    async def run(self) -> None:
        """Keeps the connection until cancelled. What a connector raises beside Retry and NeedsHuman is a
        fault of its own and goes to the supervisor, which restarts the line."""
        try:
            while True:
                await self._attempt()
        finally:
            self._lost(LineState.STOPPED, "stopped", quality.BAD_NOT_CONNECTED)

    async def _attempt(self) -> None:
        if self.status.state is LineState.STOPPED:
            self._become(LineState.CONNECTING)
        try:
            await self._connector.run(self)
            reason, state, pause = "the other side ended the connection", LineState.DOWN, RETRY
        except Retry as error:
            reason, state, pause = describe(error), LineState.DOWN, RETRY
        except NeedsHuman as error:
            reason, state = describe(error), LineState.NEEDS_HUMAN
            pause = (RETRY_AFTER_HUMAN, RETRY_AFTER_HUMAN)
        seconds = random.uniform(*pause)  # noqa: S311  # spreads load, keeps no secret
        self._lost(state, reason, quality.BAD_NO_COMMUNICATION, retry_in=seconds)
        await self.clock.sleep(seconds)

    def _lost(self, state: LineState, reason: str, status: int, retry_in: float = 0.0) -> None:
        was = self.status.state
        if was is LineState.UP or was is LineState.CONNECTING:
            code = quality.BAD_NOT_CONNECTED if was is LineState.CONNECTING else status
            self.emit(self._synthetic(self._points, code))
        retry = self.clock.now() + int(retry_in * 1e9) if retry_in else 0
        if (was, self.status.reason) == (state, reason):
            self.status = msgspec.structs.replace(self.status, next_retry=retry)
        else:
            self._become(state, reason=reason, next_retry=retry)

    def _become(self, state: LineState, *, reason: str = "", detail: str = "", next_retry: int = 0) -> None:
        self.status = msgspec.structs.replace(
            self.status,
            state=state,
            reason=reason,
            detail=detail,
            next_retry=next_retry,
            since=self.clock.now(),
        )
        log.info("connection", connection=self.name, state=str(state), reason=reason or detail)
        self._report(Kind.CONNECTION_STATE, state=str(state), reason=reason, detail=detail)

    def _report(self, kind: str, **data: object) -> None:
        now = self.clock.now()
        self._tell(Event(kind=kind, source=self.name, time=now, recorded=now, data=data))

    def _synthetic(self, points: Sequence[Point], status: int) -> Batch:
        n = len(points)
        return Batch(
            np.array([point.handle for point in points], dtype=np.int32),
            np.full(n, self.clock.now(), dtype=np.int64),
            np.zeros(n, dtype=np.uint8),
            np.zeros(n, dtype=np.int64),
            np.full(n, status, dtype=np.uint32),
            np.full(n, Flag.SYNTHETIC, dtype=np.uint16),
        )
