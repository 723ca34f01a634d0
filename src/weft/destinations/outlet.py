"""An outlet: one destination kept alive. It runs the destination, retries flat and short, says what is so, and is
the :class:`~weft.destinations.api.Feed` that the destination takes from."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
import numpy as np
from anyio.abc import TaskGroup

from weft.bus import Bus, Stream
from weft.connect import LineState
from weft.destinations.api import Delivery, Destination
from weft.destinations.cursor import Cursor
from weft.destinations.memory import Memory
from weft.destinations.reading import Pace, Reading
from weft.destinations.status import Status
from weft.model import Asset, Batch, Call, Command, Event, Kind, Outcome, Signal
from weft.model.quality import BAD_NOT_SUPPORTED
from weft.runtime import Clock, NeedsHuman, Ready, Retry, describe, get_logger

__all__ = ["Outlet"]

log = get_logger(__name__)

RETRY: Final = (0.25, 1.0)
RETRY_AFTER_HUMAN: Final = 10.0
LOOK: Final = 1.0


async def _no_command(command: Command) -> Outcome:
    return Outcome(id=command.id, status=BAD_NOT_SUPPORTED, reason="This plant carries out no commands.")


async def _no_call(call: Call) -> Outcome:
    return Outcome(id=call.id, status=BAD_NOT_SUPPORTED, reason="This plant carries out no calls.")


class Outlet:
    """``newest`` gives the newest samples of handles, ``tell`` takes events, ``execute`` and ``invoke`` are the way
    of a command. ``folder`` is the destination's own."""

    def __init__(
        self,
        name: str,
        destination: Destination,
        signals: Sequence[Signal],
        assets: Mapping[str, Asset],
        *,
        bus: Bus,
        stream: Stream,
        clock: Clock,
        folder: Path,
        tell: Callable[[Event], None],
        newest: Callable[[Sequence[int]], Batch],
        pace: Pace | None = None,
        execute: Callable[[Command], Awaitable[Outcome]] = _no_command,
        invoke: Callable[[Call], Awaitable[Outcome]] = _no_call,
    ) -> None:
        self.name = name
        self.clock = clock
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._destination = destination
        self._signals: tuple[Signal, ...] = ()
        self._assets: Mapping[str, Asset] = {}
        self._wanted = np.zeros(0, dtype=np.bool_)
        self._change = anyio.Event()
        self._tell_event = tell
        self._newest = newest
        self._execute = execute
        self._invoke = invoke
        self._memory = Memory(folder)
        self._cursor = Cursor(
            name, bus, stream, pace=pace or Pace(), clock=clock, folder=folder, lost=self._lost_messages
        )
        self._status = Status(name=name, state=LineState.STOPPED)
        self._reading: Reading | None = None
        self._taking = anyio.Lock()
        self._group: TaskGroup | None = None
        self._rate = 0.0
        self.update(signals, assets)

    # --- the destination's side -----------------------------------------------------------------------------

    @property
    def signals(self) -> Sequence[Signal]:
        return self._signals

    @property
    def assets(self) -> Mapping[str, Asset]:
        return self._assets

    async def changed(self, seen: Sequence[Signal]) -> None:
        while self._signals is seen:
            await self._change.wait()

    def snapshot(self) -> Batch:
        return self._newest([signal.handle for signal in self._signals])

    async def take(self) -> Delivery:
        async with self._taking:
            reading = self._reading or await self._begin()
            while True:
                taken = await reading.take()
                self._cursor.given(taken)
                if len(taken.delivery.batch):
                    return taken.delivery

    async def settle(self, delivery: Delivery) -> None:
        taken = await self._cursor.settle(delivery.id)
        if taken is None:
            return
        if self._reading is not None:
            self._reading.settled(delivery, taken.range)
        self._status = msgspec.structs.replace(self._status, last_sent=self.clock.now())

    def up(self, detail: str = "") -> None:
        if self._status.state is not LineState.UP or detail != self._status.detail:
            self._become(LineState.UP, detail=detail)

    def recall(self) -> dict[str, Any]:
        return self._memory.recall()

    def remember(self, data: dict[str, Any]) -> None:
        self._memory.remember(data)

    async def command(self, command: Command) -> Outcome:
        return await self._execute(command)

    async def call(self, call: Call) -> Outcome:
        return await self._invoke(call)

    # --- Weft's side ----------------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        cursor = self._cursor
        waiting = cursor.waiting
        return msgspec.structs.replace(
            self._status,
            samples=cursor.position.samples,
            rate=self._rate,
            waiting=waiting,
            waiting_samples=round(waiting * cursor.position.density),
            behind=cursor.behind,
            lost=cursor.lost,
        )

    def update(self, signals: Sequence[Signal], assets: Mapping[str, Asset]) -> None:
        """Other signals from now on; the destination follows without reconnecting."""
        if tuple(signals) == self._signals and assets == self._assets:
            return
        self._assets = assets
        self._signals = tuple(signals)
        handles = [signal.handle for signal in signals]
        self._wanted = np.zeros(max(handles, default=-1) + 1, dtype=np.bool_)
        self._wanted[handles] = True
        change, self._change = self._change, anyio.Event()
        change.set()

    async def run(self, ready: Ready) -> None:
        """Keeps the destination until cancelled. What it raises beside Retry and NeedsHuman is a fault of its own
        and goes to the supervisor, which restarts it."""
        self._become(LineState.CONNECTING)
        try:
            await self._cursor.open()
            ready()  # an other side that is away must not hold up the start
            async with anyio.create_task_group() as group:
                self._group = group
                group.start_soon(self._watch)
                while True:
                    await self._attempt()
        finally:
            self._stop_reading()
            self._become(LineState.STOPPED, reason="stopped")

    async def _attempt(self) -> None:
        try:
            await self._destination.run(self)
            reason, state, pause = "the other side ended the connection", LineState.DOWN, RETRY
        except Retry as error:
            reason, state, pause = describe(error), LineState.DOWN, RETRY
        except NeedsHuman as error:
            reason, state = describe(error), LineState.NEEDS_HUMAN
            pause = (RETRY_AFTER_HUMAN, RETRY_AFTER_HUMAN)
        self._stop_reading()
        seconds = random.uniform(*pause)  # noqa: S311  # spreads load, keeps no secret
        retry = self.clock.now() + int(seconds * 1e9)
        if (self._status.state, self._status.reason) == (state, reason):
            self._status = msgspec.structs.replace(self._status, next_retry=retry)
        else:
            self._become(state, reason=reason, next_retry=retry)
        await self.clock.sleep(seconds)

    async def _begin(self) -> Reading:
        if self._group is None:
            raise Retry(f"The destination {self.name!r} does not run.")
        reading = self._reading = await self._cursor.begin(self._pick)
        for tape in reading.tapes:
            self._group.start_soon(tape.run)
        return reading

    def _stop_reading(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.stop()

    def _pick(self, batch: Batch) -> Batch:
        """The samples of this destination's signals."""
        wanted = self._wanted
        if not len(wanted):
            return batch.take(slice(0, 0))
        known = (batch.signal >= 0) & (batch.signal < len(wanted))
        rows = known & wanted[np.where(known, batch.signal, 0)]
        return batch if rows.all() else batch.take(rows)

    async def _watch(self) -> None:
        """Where the stream's end is and how fast this goes, every second."""
        seen, sent = self.clock.monotonic(), self._cursor.position.samples
        while True:
            await self.clock.sleep(LOOK)
            try:
                await self._cursor.look()
            except Retry as error:
                log.debug("a destination cannot look", destination=self.name, reason=describe(error))
            now, total = self.clock.monotonic(), self._cursor.position.samples
            if now > seen:
                self._rate = 0.7 * self._rate + 0.3 * (total - sent) / (now - seen)
            seen, sent = now, total

    def _lost_messages(self, messages: int, first: int, last: int, cause: str, id: str) -> None:
        now = self.clock.now()
        log.error("a destination misses samples", destination=self.name, messages=messages, cause=cause)
        data = {
            "destination": self.name,
            "messages": messages,
            "samples_about": round(messages * self._cursor.position.density),
            "first": first,
            "last": last or now,
            "cause": cause,
        }
        event_id = f"gap/{self.name}/{id}"
        self._tell_event(
            Event(kind=Kind.DATA_GAP, source=self.name, time=now, recorded=now, data=data, id=event_id)
        )

    def _become(self, state: LineState, *, reason: str = "", detail: str = "", next_retry: int = 0) -> None:
        now = self.clock.now()
        self._status = msgspec.structs.replace(
            self._status, state=state, reason=reason, detail=detail, next_retry=next_retry, since=now
        )
        log.info("destination", destination=self.name, state=str(state), reason=reason or detail)
        data = {"state": str(state), "reason": reason, "detail": detail}
        self._tell_event(
            Event(kind=Kind.DESTINATION_STATE, source=self.name, time=now, recorded=now, data=data)
        )
