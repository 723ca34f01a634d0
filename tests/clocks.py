"""A clock that tests turn by hand."""

import anyio


class HandClock:
    """Stands still until it is advanced; sleepers wake in order of their time."""

    def __init__(self, now: int = 1_700_000_000_000_000_000) -> None:
        self._now = now
        self._start = now
        self._sleepers: list[tuple[int, anyio.Event]] = []

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start) / 1e9

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await anyio.sleep(0)
            return
        event = anyio.Event()
        self._sleepers.append((self._now + round(seconds * 1e9), event))
        await event.wait()

    async def advance(self, seconds: float) -> None:
        """Time passes; everybody who should wake has run before this returns."""
        until = self._now + round(seconds * 1e9)
        await anyio.wait_all_tasks_blocked()
        while due := [s for s in self._sleepers if s[0] <= until]:
            first = min(due, key=lambda s: s[0])
            self._sleepers.remove(first)
            self._now = max(self._now, first[0])
            first[1].set()
            await anyio.wait_all_tasks_blocked()
        self._now = until
