"""A line: one connection kept alive. It runs the connector, retries flat and short, and says what is so.

A line that is down gives each of its signals a sample of bad quality, so that nobody takes an old value for a
present one; the values themselves are not touched. It does so after every attempt that delivered a value that
is not bad, whether or not the connector had called the line up by then.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
import numpy as np
import numpy.typing as npt

from weft.connect.api import Calls, Connector, Point, Reads, Write, Writes
from weft.connect.outage import Outage
from weft.model import Batch, Event, Flag, Kind, quality
from weft.runtime import Clock, Invalid, NeedsHuman, Retry, describe, get_logger
from weft.runtime.files import write_private

__all__ = ["Line", "LineState", "Status"]

log = get_logger(__name__)

# Doubling back-off turned an 8 s cut into a 16 s outage and overflowed the server's queues: stay short.
RETRY: Final = (0.25, 1.0)
RETRY_AFTER_HUMAN: Final = 10.0
MOST_NAMED: Final = 100  # signals that a gap names
# A source's clock that is further ahead is broken: its time says nothing about what is newest.
AHEAD: Final = 60 * 1_000_000_000
OUR_TIME: Final = np.uint16(Flag.RECEIVE_TIME | Flag.SYNTHETIC)


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

    ``forward`` takes batches, and whom to tell once they are stored, and must not block; ``tell`` takes events;
    ``pressure`` is the edge's. ``measured`` gives, by handle, the newest good source time that is kept;
    ``kept`` the newest samples of these handles, for connectors that forget; ``memory`` is the file of what the
    connection remembers.
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
        measured: Callable[[], Mapping[int, int]] = dict,
        kept: Callable[[Sequence[int]], Batch] = lambda handles: Batch.empty(),
        memory: Path | None = None,
    ) -> None:
        self.name = name
        self.clock = clock
        self.status = Status(name=name, state=LineState.STOPPED)
        self._connector = connector
        self._points: tuple[Point, ...] = tuple(points)
        self._change = anyio.Event()
        self._forward = forward
        self._tell_event = tell
        self._measured = measured
        self._kept = kept
        self._outage = Outage() if getattr(connector, "forgets", False) else None
        self._memory = memory
        self._pressure = pressure
        self._live = False  # some signal's newest sample may look like a present value
        self._ahead = np.zeros(0, dtype=np.int64)  # newest source time by handle, where it was ahead of ours
        self._told: set[str] = set()  # refused signals whose newest sample says so
        # A restart of Weft must not reuse a number: the clock at start is above all numbers counted before.
        self._sequence = self._begun = clock.now()

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
        now = self.clock.now()
        self._live = self._live or bool((batch.status < quality.BAD).any())
        if self.status.refused:
            self._welcome(batch.signal[quality.good(batch.status)])
        if len(self._ahead):
            batch = self._after_the_newest(batch)
        if int(batch.time.max()) > now:
            self._note_ahead(batch, now)
        self._sequence += 1
        missed = self._outage.heard(batch) if self._outage else None
        if missed:
            self.gap(*missed)
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
        if self.status.refused.get(point.path) != reason:
            self.status = msgspec.structs.replace(
                self.status, refused={**self.status.refused, point.path: reason}
            )
            self._told.discard(point.path)
            self._report(
                Kind.SIGNAL_REFUSED, signal=point.path, status=quality.status_name(status), reason=reason
            )
        if point.path not in self._told:
            self._told.add(point.path)
            self.emit(self._synthetic((point,), status))

    def tell(self, kind: str, data: dict[str, Any], *, time: int = 0) -> None:
        now = self.clock.now()
        self._tell_event(Event(kind=kind, source=self.name, time=time or now, recorded=now, data=data))

    def gap(self, first: int, last: int, cause: str, points: Sequence[Point] = ()) -> None:
        paths = [point.path for point in points[:MOST_NAMED]]
        log.warning("a gap", connection=self.name, first=first, last=last, cause=cause)
        self.tell(
            Kind.DATA_GAP,
            {
                "first": first,
                "last": last,
                "cause": cause,
                "signals": paths,
                "of": len(points or self._points),
            },
        )

    def newest(self) -> dict[int, int]:
        measured = self._measured()
        return {p.handle: measured[p.handle] for p in self._points if p.handle in measured}

    def recall(self) -> dict[str, Any]:
        if self._memory is None:
            return {}
        try:
            return msgspec.msgpack.decode(self._memory.read_bytes(), type=dict[str, Any])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, msgspec.MsgspecError) as error:  # ValueError: no UTF-8
            log.warning(
                "what the connection remembered cannot be read", connection=self.name, because=str(error)
            )
            return {}

    def remember(self, data: dict[str, Any]) -> None:
        if self._memory is None:
            return
        try:
            self._memory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._memory, msgspec.msgpack.encode(data))
        except OSError as error:
            log.warning("the connection cannot remember", connection=self.name, because=str(error))

    def _welcome(self, good: npt.NDArray[np.int32]) -> None:
        """A refused signal that delivers a good sample is refused no longer."""
        refused = [point for point in self._points if point.path in self.status.refused]
        back = np.isin([point.handle for point in refused], good)
        if back.any():
            paths = {point.path for point, is_back in zip(refused, back.tolist(), strict=True) if is_back}
            self._forget_refusals(self.status.refused.keys() - paths)

    def _forget_refusals(self, kept: AbstractSet[str]) -> None:
        """All but those of ``kept``."""
        self._told &= kept
        refused = {path: why for path, why in self.status.refused.items() if path in kept}
        self.status = msgspec.structs.replace(self.status, refused=refused)

    def _after_the_newest(self, batch: Batch) -> Batch:
        """What is bad by our own clock comes after the newest sample of a source whose clock is ahead: before
        it, that sample would stay the newest."""
        rows = (batch.status >= quality.BAD) & ((batch.flags & OUR_TIME) != 0) & (batch.signal >= 0)
        rows &= batch.signal < len(self._ahead)
        if not rows.any():
            return batch
        time = batch.time.copy()
        time[rows] = np.maximum(time[rows], self._ahead[batch.signal[rows]] + 1)
        return batch.replace(time=time)

    def _note_ahead(self, batch: Batch, now: int) -> None:
        rows = (batch.time > now) & (batch.time <= now + AHEAD) & (batch.signal >= 0)
        if rows.any():
            handles = batch.signal[rows]
            missing = int(handles.max()) + 1 - len(self._ahead)
            if missing > 0:
                self._ahead = np.append(self._ahead, np.zeros(missing, dtype=np.int64))
            np.maximum.at(self._ahead, handles, batch.time[rows])

    # --- Weft's side ----------------------------------------------------------------------------------

    def update(self, points: Sequence[Point]) -> None:
        """Other signals from now on; the connector follows without reconnecting."""
        if tuple(points) == self._points:
            return
        before = {point.path: point for point in self._points}
        self._forget_refusals({point.path for point in points if before.get(point.path) == point})
        self._points = tuple(points)
        change, self._change = self._change, anyio.Event()
        change.set()

    async def write(self, writes: Sequence[Write]) -> Sequence[int]:
        """One OPC UA StatusCode each. Raises Retry when the line is not up, Invalid when it cannot write."""
        if not isinstance(self._connector, Writes):
            raise Invalid(f"The connection {self.name!r} cannot write: its protocol only reads.")
        return await self._connector.write(writes)

    async def read(self, points: Sequence[Point]) -> Batch | None:
        """The points as they are now, None when the connector has no way to ask. Raises Retry."""
        return await self._connector.read(points) if isinstance(self._connector, Reads) else None

    async def call(self, target: str, method: str, arguments: Sequence[Any]) -> list[Any]:
        """Raises Retry when the line is not up, Invalid for what cannot be called."""
        if not isinstance(self._connector, Calls):
            raise Invalid(f"The connection {self.name!r} has no methods to call.")
        return await self._connector.call(target, method, arguments)

    async def run(self) -> None:
        """Keeps the connection until cancelled. What a connector raises beside Retry and NeedsHuman is a
        fault of its own and goes to the supervisor, which restarts the line."""
        if self._outage and self._sequence == self._begun:
            self._outage.learn(self._kept([point.handle for point in self._points]))
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
        if self._outage:
            self._outage.begin(reason)
        if self._live or was is LineState.UP or was is LineState.CONNECTING:
            code = quality.BAD_NOT_CONNECTED if was is LineState.CONNECTING else status
            self.emit(self._synthetic(self._points, code))
            self._live = False
            self._told.clear()
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
        self.tell(kind, data)

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
