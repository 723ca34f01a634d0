"""When the next cycle is due."""

from __future__ import annotations

from typing import Final

from weft.runtime import Clock

__all__ = ["Pace"]

HIGH: Final = 0.8
SLOWEST: Final = 8
EARLY: Final = 0.001  # event loops may wake a sleeper a tick of their clock too soon


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
