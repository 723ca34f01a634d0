"""Values of this moment for guard rails: what was heard lately, else asked of the source now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio

from weft.connect import Line, Point
from weft.edge.guard import Refused
from weft.edge.latest import Latest
from weft.model import Batch, Signal
from weft.model.expression import Reading, parse
from weft.model.quality import BAD_NO_DATA_AVAILABLE, UNCERTAIN, status_name
from weft.runtime import Clock, WeftError

__all__ = ["Fresh", "leaves"]

AGAIN = 0.1  # seconds between two looks for what was written: a controller takes a scan to show it


def leaves(signal: Signal, signals: Mapping[str, Signal]) -> list[Signal]:
    """What a signal is measured by: itself, or everything that it is derived from."""
    found: list[Signal] = []
    todo, seen = [signal], {signal.path}
    while todo:
        one = todo.pop()
        if not one.derive:
            found.append(one)
            continue
        inputs = [path for path in parse(one.derive).signals if path not in seen]
        seen.update(inputs)
        todo += [signals[path] for path in inputs if path in signals]
    return found


class Fresh:
    """``signals`` are those of now by path. ``limit`` is how old in seconds a value may be; one that was heard before
    our own last write to it, ``written`` seconds ago, is too old in any case. A value that stands still is not sent
    again by most sources: then it is read, and when the connection has no way to ask, it is too old."""

    def __init__(
        self,
        *,
        clock: Clock,
        lines: Mapping[str, Line],
        latest: Latest,
        look: Callable[[Batch], None],
        limit: float,
        deadline: float,
        patience: float,
        signals: Callable[[], Mapping[str, Signal]],
        written: Callable[[str], float],
    ) -> None:
        self._clock = clock
        self._lines = lines
        self._latest = latest
        self._look = look
        self._limit = limit
        self._deadline = deadline
        self._patience = patience
        self._signals = signals
        self._written = written

    def type_of(self, signal: Signal) -> int:
        """The type of the newest sample, 0 for none."""
        row = self._latest.row(signal.handle)
        return row.type if row is not None else 0

    def value_of(self, signal: Signal) -> Any:
        row = self._latest.row(signal.handle)
        return row.value if row is not None and isinstance(row.value, (bool, int, float, str)) else None

    async def readings(self, signals: Sequence[Signal]) -> list[Reading]:
        """One fresh good reading each. Raises Refused when there is none."""
        measured = [leaf for signal in signals for leaf in leaves(signal, self._signals())]
        stale = [signal for signal in measured if not self._is_fresh(signal)]
        if stale:
            await self._ask(stale)
        for signal in (*measured, *signals):
            reading = self._reading(signal)
            if reading.value is None or reading.status >= UNCERTAIN:
                raise Refused(
                    BAD_NO_DATA_AVAILABLE, f"{signal.path} has no good value: {status_name(reading.status)}."
                )
            if reading.age > self._written(signal.path):
                raise Refused(
                    BAD_NO_DATA_AVAILABLE, f"{signal.path} has not been heard since it was last written."
                )
            if reading.age > self._limit:
                raise Refused(
                    BAD_NO_DATA_AVAILABLE,
                    f"{signal.path} was heard {_ago(reading.age)}; a guard rail relies on {self._limit:g} s.",
                )
        return [self._reading(signal) for signal in signals]

    async def read_back(self, signal: Signal, since: int, fits: Callable[[Any], bool]) -> tuple[bool, Any]:
        """Whether the field shows what was written, and what it shows: read, or the next samples that arrive
        after ``since`` (ns UTC)."""
        line = self._lines.get(signal.connection)
        seen: Any = None
        with anyio.move_on_after(self._patience):
            while True:
                asked = line is not None and await self._read(line, [signal])
                row = self._latest.row(signal.handle)
                reading = self._reading(signal)
                heard_after = reading.age * 1e9 <= self._clock.now() - since
                if row is not None and heard_after and reading.status < UNCERTAIN:
                    seen = reading.value
                    if fits(seen):
                        return True, seen
                if asked:
                    await anyio.sleep(AGAIN)
                else:
                    await self._latest.next(signal.handle)
        return False, seen

    def _reading(self, signal: Signal) -> Reading:
        return self._latest.reading(signal.handle, self._clock.now())

    def _is_fresh(self, signal: Signal) -> bool:
        return self._reading(signal).age <= min(self._limit, self._written(signal.path))

    async def _ask(self, signals: Sequence[Signal]) -> None:
        """Reads them, a connection at a time."""
        wanted: dict[str, list[Signal]] = {}
        for signal in signals:
            wanted.setdefault(signal.connection, []).append(signal)
        for name, listed in wanted.items():
            line = self._lines.get(name)
            if line is not None:
                await self._read(line, listed)

    async def _read(self, line: Line, signals: Sequence[Signal]) -> bool:
        """Whether the connection could be asked at all."""
        points = [Point(s.handle, s.path, s.address, s.type) for s in signals]
        try:
            with anyio.fail_after(self._deadline):
                batch = await line.read(points)
        except (WeftError, TimeoutError):
            return True  # it can, but not now: what is known stays as old as it is
        if batch is None:
            return False
        if len(batch):
            self._look(batch.replace(received=self._clock.now()))
        return True


def _ago(seconds: float) -> str:
    return "never" if seconds == float("inf") else f"{seconds:.1f} s ago"
