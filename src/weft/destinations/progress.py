"""What of a stream a destination has: the ranges of messages that are settled, kept as few as possible."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

import msgspec

__all__ = ["Progress", "Range"]


class Range(msgspec.Struct, frozen=True, order=True, array_like=True):
    """Messages ``first`` to ``last`` of a stream, both included."""

    first: int
    last: int


class Progress:
    """Settled ranges, disjoint and apart, in order. The first one, if it begins at 1, is what a plain cursor
    would say; the others are what was sent live while a backlog waited."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for one in ranges:
            self.settle(one.first, one.last)

    @property
    def ranges(self) -> list[Range]:
        return [Range(*pair) for pair in zip(self._firsts, self._lasts, strict=True)]

    @property
    def cursor(self) -> int:
        """All messages up to this one are settled."""
        return self._lasts[0] if self._firsts and self._firsts[0] == 1 else 0

    @property
    def highest(self) -> int:
        """The highest message that is settled; 0 for none."""
        return self._lasts[-1] if self._lasts else 0

    def settle(self, first: int, last: int) -> None:
        """These messages are done with, in whatever order ranges come; an empty range is nothing."""
        if last < first:
            return
        # Ranges that touch or overlap [first - 1, last + 1] become one with it.
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def holes(self, upto: int) -> Iterator[Range]:
        """What is not settled, up to a message, oldest first."""
        at = 1
        for first, last in zip(self._firsts, self._lasts, strict=True):
            if first > upto:
                break
            if first > at:
                yield Range(at, first - 1)
            at = last + 1
        if at <= upto:
            yield Range(at, upto)

    def waiting(self, upto: int) -> int:
        """How many messages up to one are not settled."""
        return sum(hole.last - hole.first + 1 for hole in self.holes(upto))
