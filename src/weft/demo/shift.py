"""Shifts: when people are there. The model day has two of eight hours; the factory begins at eight in the morning."""

from __future__ import annotations

from typing import Final

from weft.demo.machine import STEP

__all__ = ["BEGIN", "DAY", "Shifts"]

DAY: Final = 24 * 3600.0  # s
BEGIN: Final = 8 * 3600.0  # s after midnight of the model day, at step 0
EARLY, LATE, NIGHT = 6 * 3600.0, 14 * 3600.0, 22 * 3600.0
BREAKS: Final = ((12 * 3600.0, 12 * 3600.0 + 1200.0), (18 * 3600.0, 18 * 3600.0 + 1200.0))


class Shifts:
    """The model day does not follow the clock on the wall: who looks at midnight wants to see something, too."""

    def __init__(self, begin: float = BEGIN) -> None:
        if not 0.0 <= begin < DAY:
            raise ValueError(f"a day has {DAY:.0f} s, and {begin} is not among them")
        self._begin = begin
        marks = {0.0, EARLY, LATE, NIGHT, DAY} | {moment for pause in BREAKS for moment in pause}
        self._marks = sorted(marks)
        self._until = -1  # step up to which what was found last holds
        self._shift, self._working = 0, False

    def look(self, step: int) -> bool:
        """Whether people work in this step; steps must not go back."""
        if step >= self._until:
            self._find(step)
        return self._working

    @property
    def number(self) -> int:
        """1 early, 2 late, 0 night, as last looked at."""
        return self._shift

    def _find(self, step: int) -> None:
        moment = (self._begin + step * STEP) % DAY
        following = next(mark for mark in self._marks if mark > moment + 1e-6)
        self._until = step + max(1, round((following - moment) / STEP))
        self._shift = 0 if moment < EARLY or moment >= NIGHT else 1 if moment < LATE else 2
        self._working = bool(self._shift) and not any(low <= moment < high for low, high in BREAKS)
