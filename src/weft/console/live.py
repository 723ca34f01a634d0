"""What changes while a page is open, told by one event stream (HTML standard, 9.2) per page.

All streams share one look at the plant at most ten times a second, taken only while somebody watches; each
stream sends what changed since its own last message, the newest value of a signal only.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from weft.catalog.api import Plant
from weft.console import words
from weft.console.api import House
from weft.console.view import ASSET_WORDS, PlantView, worst
from weft.console.words import Mark
from weft.model import Batch, Row, Signal

__all__ = ["Parts", "Pulse", "event", "stream"]

LOOK: Final = 0.1  # seconds between looks: people do not read faster
BEAT: Final = 1.0  # a stream is never silent for longer; the page calls values stale after 2.5 s
LIFE: Final = 900.0  # then the browser comes again and its session is checked again

Parts = Callable[[PlantView], Any]


class Pulse:
    """The present values of the plant and which of them changed when, counted in looks."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.boot = secrets.token_hex(4)
        self.revision = 0
        self.rows: dict[int, Row] = {}
        self.marks: dict[int, Mark] = {}
        self._plant: Plant | None = None
        self._signals: Mapping[int, Signal] = {}
        self._changed: dict[int, int] = {}
        self._lines: dict[int, tuple[Any, ...]] = {}  # said once for all who watch
        self._last = Batch.empty()
        self._looked = float("-inf")

    def look(self) -> None:
        """Takes in what is new; a second call within a tenth of a second is free."""
        now = self.house.clock.monotonic()
        if now - self._looked < LOOK * 0.9:
            return
        self._looked = now
        plant = self.house.plant()
        if plant is not self._plant:
            self._begin(plant)
        fresh = self.house.history.snapshot().sort()
        self.revision += 1
        for i in _candidates(self._last, fresh).tolist():
            row = fresh[i]
            if self.rows.get(row.signal) != row and row.signal in self._signals:
                self._take(row)
        self._last = fresh

    def since(self, revision: int, handles: Iterable[int]) -> list[tuple[Any, ...]]:
        """``(handle, text, mark, quality, time in ms, number or None)`` of what changed after a revision."""
        changed = self._changed
        return [self.line(handle) for handle in handles if changed.get(handle, 0) > revision]

    def line(self, handle: int) -> tuple[Any, ...]:
        line = self._lines.get(handle)
        if line is None:
            line = self._lines[handle] = self._say(handle)
        return line

    def _say(self, handle: int) -> tuple[Any, ...]:
        row, signal = self.rows[handle], self._signals[handle]
        mark = self.marks[handle]
        return (
            handle,
            words.value_text(row, signal),
            mark,
            words.quality_text(row, signal),
            row.time // 1_000_000,
            None if mark is Mark.BAD else _number(row.value),
        )

    def _begin(self, plant: Plant) -> None:
        self._plant = plant
        self._signals = plant.by_handle()
        self._last = Batch.empty()
        self.rows.clear()
        self.marks.clear()
        self._changed.clear()
        self._lines.clear()

    def _take(self, row: Row) -> None:
        self.rows[row.signal] = row
        self.marks[row.signal] = words.mark_of(row, self._signals[row.signal])
        self._changed[row.signal] = self.revision
        self._lines.pop(row.signal, None)


def _number(value: Any) -> float | None:
    """JSON has no NaN and no infinity."""
    if isinstance(value, (int, float)) and abs(value) < 1e300:
        return float(value)
    return None


def _candidates(old: Batch, new: Batch) -> npt.NDArray[np.intp]:
    """Rows of ``new`` that may differ; both are sorted by signal, one row a signal."""
    if not np.array_equal(old.signal, new.signal):
        return np.arange(len(new))
    differs = new.on_heap  # a place on the heap says nothing about what lies there
    for column in ("time", "bits", "status", "type", "flags"):
        differs = differs | (getattr(old, column) != getattr(new, column))
    return np.flatnonzero(differs)


# --- one page's stream ------------------------------------------------------------------------------------


def event(kind: str, data: Any, id: str = "") -> bytes:
    head = f"id: {id}\n" if id else ""
    return f"{head}event: {kind}\ndata: ".encode() + msgspec.json.encode(data) + b"\n\n"


async def stream(
    pulse: Pulse,
    view: PlantView,
    handles: Sequence[int],
    *,
    last_id: str = "",
    parts: Callable[[], AsyncIterator[tuple[str, str]]] | None = None,
) -> AsyncIterator[bytes]:
    """Events of one page: ``values``, ``assets`` and ``part`` (a piece of the page as HTML) when they change,
    ``beat`` every second, ``plant`` when the page must be loaded anew, ``again`` when its time is over.
    ``last_id`` resumes after what the browser saw last; of another run of Weft it counts as nothing."""
    clock = pulse.house.clock
    boot, _, seen = last_id.partition("-")
    revision = int(seen) if boot == pulse.boot and seen.isdecimal() and len(seen) < 19 else 0
    sent: dict[str, Any] = {}
    begun, beat = clock.monotonic(), float("-inf")
    yield b"retry: 1000\n\n"
    while clock.monotonic() - begun < LIFE:
        pulse.look()
        if pulse.house.plant() is not view.plant:
            yield event("plant", {})
            return
        rows = pulse.since(revision, handles)
        revision = pulse.revision
        if rows:
            data = {"now": clock.now() // 1_000_000, "rows": rows}
            yield event("values", data, f"{pulse.boot}-{revision}")
        if clock.monotonic() - beat >= BEAT:
            beat = clock.monotonic()
            yield event("beat", {"now": clock.now() // 1_000_000})
            for message in _changed(sent, "assets", _asset_states(pulse, view)):
                yield message
            if parts is not None:
                async for name, html in parts():
                    if sent.get(name) != html:
                        sent[name] = html
                        yield event("part", {"id": name, "html": html})
        await clock.sleep(LOOK)
    yield event("again", {})


def _changed(sent: dict[str, Any], name: str, rows: list[tuple[str, ...]]) -> list[bytes]:
    fresh = [row for row in rows if sent.get(f"{name}:{row[0]}") != row]
    sent.update({f"{name}:{row[0]}": row for row in fresh})
    return [event(name, fresh)] if fresh else []


def _asset_states(pulse: Pulse, view: PlantView) -> list[tuple[str, ...]]:
    states = ((asset.key, worst(asset.handles, pulse.marks)) for asset in view.tree)
    return [(key, mark, ASSET_WORDS[mark]) for key, mark in states]
