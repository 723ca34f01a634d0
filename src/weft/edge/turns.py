"""Who may command now. Commands of one signal go one after the other; and no signal is commanded while somebody
else's interlock looks at it: two that lock each other out would both find the other one off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import takewhile

import anyio

__all__ = ["Turns"]


class _Turn:
    def __init__(self, target: str, looks_at: frozenset[str]) -> None:
        self.target = target
        self.looks_at = looks_at

    def waits_for(self, earlier: _Turn) -> bool:
        return (
            self.target == earlier.target
            or self.target in earlier.looks_at
            or earlier.target in self.looks_at
        )


class Turns:
    """In order of arrival. Many may look at one signal at once, as the interlocks of a plant all look at its
    emergency stop."""

    def __init__(self) -> None:
        self._turns: list[_Turn] = []
        self._left = anyio.Event()

    @asynccontextmanager
    async def of(self, target: str, looks_at: frozenset[str] = frozenset()) -> AsyncIterator[None]:
        """Waits until nobody commands ``target`` or what it ``looks_at``, and nobody looks at ``target``."""
        turn = _Turn(target, looks_at)
        self._turns.append(turn)
        try:
            while any(map(turn.waits_for, takewhile(lambda other: other is not turn, self._turns))):
                await self._left.wait()
            yield
        finally:
            self._turns.remove(turn)
            left, self._left = self._left, anyio.Event()
            left.set()
