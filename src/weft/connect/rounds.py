"""The rounds of a connector that polls: when the next is due, what cuts a rest short, and what is left out for now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import anyio

from weft.connect.api import Link, Point
from weft.runtime import Clock, Retry

__all__ = ["Pace", "Refusals", "Rounds"]

HIGH: Final = 0.8
SLOWEST: Final = 8
EARLY: Final = 0.001  # event loops may wake a sleeper a tick of their clock too soon
RETRY_REFUSED: Final = 60.0


class Pace:
    """Beats every ``interval`` seconds, counted from the first one, so that no delay adds up. Beats that were
    missed are left out, never made up for. Under pressure only every second, fourth, then eighth beat is due.
    With a ``phase`` (a part of the interval) the beats do not count from the first but lie where those of others
    with other phases do not, whenever each began.
    """

    def __init__(self, clock: Clock, interval: float, phase: float | None = None) -> None:
        self._clock = clock
        self._interval = interval
        now = clock.monotonic()
        self._start = now if phase is None else (now // interval - 1 + phase % 1) * interval
        self._beat = 0
        self._stride = 1

    def rest(self, pressure: float) -> float:
        """Seconds until the next beat; a rest that was cut short goes on to the same beat."""
        passed = self._clock.monotonic() - self._start
        if passed > self._beat * self._interval - EARLY:
            self._stride = min(self._stride * 2, SLOWEST) if pressure > HIGH else max(self._stride // 2, 1)
            self._beat = max(self._beat + self._stride, int(passed / self._interval) + 1)
        return max(self._beat * self._interval - passed, 0.0)


class Rounds:
    """Rests of a pace between readings of the link's points; other points end a rest at once."""

    def __init__(self, link: Link, interval: float, phase: float | None = None) -> None:
        self._link = link
        self._interval, self._phase = interval, phase
        self._news = anyio.CancelScope()

    async def run(self, read: Callable[[], Awaitable[None]]) -> None:
        """Runs ``read``, which reads and rests in turn, until cancelled. Raises its Retry."""
        self._pace = Pace(self._link.clock, self._interval, self._phase)
        lost: Retry | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch)
            try:
                await read()
            except Retry as error:  # a group would wrap it
                lost = error
            group.cancel_scope.cancel()
        if lost is not None:
            raise lost

    async def rest(self, points: Sequence[Point]) -> None:
        """Until the next reading is due, or the link has others than these."""
        self._news = anyio.CancelScope()
        with self._news:
            if points is self._link.points:
                await self._link.clock.sleep(self._pace.rest(self._link.pressure))

    async def _watch(self) -> None:
        while True:
            points = self._link.points
            await self._link.changed(points)
            self._news.cancel()


class Cycle(Protocol):
    """A reading of points of which some, by index, were just refused with status and reason."""

    points: Sequence[Point]
    refused: dict[int, tuple[int, str]]

    def plan(self, wanted: Sequence[int] | range) -> None:
        """Reads these from now on."""


class Refusals:
    """Points that the source does not serve: told to the link, left out, and asked for again after a minute."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._out: dict[int, float] = {}  # by index, and when to ask again

    def clear(self) -> None:
        self._out.clear()

    def learn(self, cycle: Cycle) -> None:
        """What was newly refused is told and left out."""
        if not cycle.refused:
            return
        again = self._link.clock.monotonic() + RETRY_REFUSED
        for i, (status, reason) in cycle.refused.items():
            self._out[i] = again
            self._link.refuse(cycle.points[i], status, reason)
        cycle.refused = {}
        self._plan(cycle)

    def due(self) -> list[int]:
        """Those to ask for again now."""
        now = self._link.clock.monotonic()
        return [i for i, when in self._out.items() if when <= now]

    def ask_again(self, cycle: Cycle) -> None:
        """Brings back what is due."""
        if due := self.due():
            for i in due:
                del self._out[i]
            self._plan(cycle)

    def _plan(self, cycle: Cycle) -> None:
        cycle.plan([i for i in range(len(cycle.points)) if i not in self._out])
