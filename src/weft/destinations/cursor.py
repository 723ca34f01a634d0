"""The durable cursor of one destination: where it stands in the stream, and what it was given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
import msgspec

from weft.bus import Bus, Stream, StreamState
from weft.destinations.position import Plan, Position, read_position, write_position
from weft.destinations.progress import Progress
from weft.destinations.reading import HICCUP, Pace, Reading, Start, Taken, start
from weft.destinations.tape import Span, Tape
from weft.model import Batch
from weft.runtime import Clock, Retry, get_logger

__all__ = ["Cursor"]

log = get_logger(__name__)

AGAIN: Final = 0.1
SMOOTH: Final = 0.02  # how fast the mean of samples per message follows


class Cursor:
    """``lost`` is told (messages, first time, last time, cause, id) of what the stream no longer had.

    What is settled is written down before :meth:`settle` returns; settlements that come together share one
    writing."""

    def __init__(
        self,
        name: str,
        bus: Bus,
        stream: Stream,
        *,
        pace: Pace,
        clock: Clock,
        folder: Path,
        lost: Callable[[int, int, int, str, str], None],
    ) -> None:
        self.position = Position()
        self.head = 0
        self.lost = 0
        self._name = name
        self._bus = bus
        self._stream = stream
        self._pace = pace
        self._clock = clock
        self._tell_lost = lost
        self._progress = Progress()
        self._plan = Plan(folder)
        self._open: dict[str, Taken] = {}
        self._version = self._written = 0
        self._writing = anyio.Lock()

    # --- where it stands ------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Messages of the stream that are not settled."""
        return self._progress.waiting(self.head)

    @property
    def behind(self) -> float:
        """Seconds since the oldest message that waits, about; 0 when none does."""
        oldest = self.position.oldest
        return max(0.0, (self._clock.now() - oldest) / 1e9) if self.waiting and oldest else 0.0

    async def open(self) -> None:
        """Finds its place; a new destination's is written down at once, so that nothing after it is missed.
        Raises Retry."""
        state = await self._state()
        known = await read_position(self._bus, self._name)
        if known is None:
            await self._begin_new(state)
        else:
            self.position = known
            self._progress = Progress(known.ranges)
            self._follow(state)
        holes = list(self._progress.holes(state.last))
        self._plan.out = [
            one
            for one in self._plan.out
            if any(hole.first <= one.range.first and one.range.last <= hole.last for hole in holes)
        ]

    async def look(self) -> None:
        """Where the stream's end is; keeps what was only skipped. Raises Retry."""
        self.head = (await self._state()).last
        if self._version > self._written:
            await self._keep()

    # --- giving out -----------------------------------------------------------------------------------------

    async def begin(self, pick: Callable[[Batch], Batch]) -> Reading:
        """A new way through what is not settled. Raises Retry."""
        state = await self._state()
        self._follow(state)
        self._open.clear()
        hiccup = self._clock.now() - self.position.time < HICCUP
        at = start(self._progress, self._plan, state.last, hiccup=hiccup)
        return self._reading(at, pick)

    def given(self, taken: Taken) -> None:
        """Remembers whose delivery it is; one without samples is covered at once."""
        if len(taken.delivery.batch):
            self._open[taken.delivery.id] = taken
        else:
            self._cover(taken)

    async def settle(self, id: str) -> Taken | None:
        """Durable when it returns; None for what is not out. Waits for a bus that is away."""
        taken = self._open.pop(id, None)
        if taken is None:
            return None
        self._plan.remove(taken.range)
        self._cover(taken)
        mine = self._version
        while self._written < mine:
            async with self._writing:
                if self._written < mine:
                    await self._insist()
        return taken

    # --- inside ---------------------------------------------------------------------------------------------

    def _reading(self, at: Start, pick: Callable[[Batch], Batch]) -> Reading:
        def make(spans: list[Span], arrived: Callable[[], None]) -> Tape:
            return Tape(
                self._bus,
                self._stream.subjects[0],
                self._stream.name,
                spans,
                clock=self._clock,
                arrived=arrived,
                lost=self._dropped,
            )

        return Reading(at, self._plan, self._pace, make, pick, self._clock)  # type: ignore[arg-type]  # any sequence

    def _cover(self, taken: Taken) -> None:
        self._progress.settle(taken.range.first, taken.range.last)
        self._version += 1
        messages = taken.range.last - taken.range.first + 1
        rows = len(taken.delivery.batch)
        before = self.position
        weight = min(1.0, SMOOTH * messages) if before.density else 1.0
        newest = max(before.time, taken.time)
        cursor = self._progress.cursor
        at_cursor = newest if cursor == self._progress.highest else taken.time
        self.position = msgspec.structs.replace(
            before,
            time=newest,
            oldest=max(before.oldest, at_cursor) if taken.range.last <= cursor else before.oldest,
            density=before.density + weight * (rows / messages - before.density),
            samples=before.samples + rows,
        )

    async def _begin_new(self, state: StreamState) -> None:
        now = self._clock.now()
        self.position = Position(created=state.created, time=0, oldest=now)
        if self._pace.begin == "now":
            self._progress.settle(1, state.last)
            self.position = msgspec.structs.replace(self.position, time=now)
        self._plan.clear()
        self.head = state.last
        self._version += 1
        await self._keep()

    def _follow(self, state: StreamState) -> None:
        """The stream may have been made anew: then its numbers say nothing of the old one's."""
        self.head = state.last
        if state.created == self.position.created and state.last >= self._progress.highest:
            return
        log.warning("the stream began anew, so does its destination", destination=self._name)
        if self._progress.highest:
            self._tell_lost(0, self.position.oldest, 0, "the stream was made anew", state.created)
        self._progress = Progress()
        self._plan.clear()
        self._version += 1
        self.position = msgspec.structs.replace(self.position, created=state.created)

    def _dropped(self, first: int, last: int, time: int) -> None:
        messages = last - first + 1
        self.lost += messages
        cause = "the stream dropped them before they could be sent"
        self._tell_lost(
            messages, self.position.oldest, time, cause, f"{self.position.created}/{first}-{last}"
        )

    async def _insist(self) -> None:
        while True:
            try:
                await self._keep()
            except Retry:
                await self._clock.sleep(AGAIN)
            else:
                return

    async def _keep(self) -> None:
        version = self._version
        position = msgspec.structs.replace(self.position, ranges=tuple(self._progress.ranges))
        await write_position(self._bus, self._name, position)
        self._written = max(self._written, version)

    async def _state(self) -> StreamState:
        for state in await self._bus.streams():
            if state.name == self._stream.name:
                return state
        raise Retry(f"The stream {self._stream.name!r} is not there.")
