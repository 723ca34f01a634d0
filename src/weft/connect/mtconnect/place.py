"""Where in an agent's sequence we are: what is stored counts, not what was sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

__all__ = ["Place"]


class Place:
    """``instance`` names the agent's present run, ``next`` is the number to ask for, ``time`` that of the newest
    observation (ns UTC), ``resumed`` whether this comes from before our own start. :meth:`memory` says the same
    of what is stored."""

    def __init__(self, remembered: dict[str, Any]) -> None:
        self.instance = _number(remembered.get("instance"))
        self.next = _number(remembered.get("next"))
        self.time = _number(remembered.get("time"))
        self.resumed = self.known
        self._stored = (self.instance, self.next, self.time)
        self._waiting: deque[_Step] = deque()

    @property
    def known(self) -> bool:
        return self.instance > 0 and self.next > 0

    def advance(self, instance: int, following: int, time: int) -> Callable[[], None]:
        """What was read up to ``following`` is on its way; call the answer when it is stored."""
        self.instance, self.next, self.time = instance, following, max(self.time, time)
        step = _Step((self.instance, self.next, self.time))
        self._waiting.append(step)

        def stored() -> None:
            # An empty batch is stored at once, also before the full one in front of it.
            step.stored = True
            while self._waiting and self._waiting[0].stored:
                self._stored = self._waiting.popleft().place

        return stored

    def memory(self) -> dict[str, Any]:
        instance, following, time = self._stored
        return {"instance": instance, "next": following, "time": time}


class _Step:
    def __init__(self, place: tuple[int, int, int]) -> None:
        self.place = place
        self.stored = False


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
