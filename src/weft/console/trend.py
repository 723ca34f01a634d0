"""The trend's page: what its address says, its signals, and its numbers as tables for who has no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa

from weft.catalog.api import Plant
from weft.console import words
from weft.history.api import History
from weft.model import ARRAY, Row, Signal, ValueType, instant
from weft.runtime import Invalid, NotFound

__all__ = ["RANGES", "Span", "chosen", "latest", "means", "span"]

SECOND: Final = 1_000_000_000
MOST_SIGNALS: Final = 8
RANGES: Final[Mapping[str, tuple[str, int]]] = {
    "5m": ("5 min", 300),
    "15m": ("15 min", 900),
    "1h": ("1 h", 3600),
    "8h": ("8 h", 28_800),
    "24h": ("24 h", 86_400),
    "7d": ("7 d", 604_800),
}
INTERVALS: Final = 24
LATEST: Final = 50


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The time shown, ns UTC. ``range`` names it when it ends now and moves on, else it is empty."""

    start: int
    end: int
    range: str = ""

    @property
    def query(self) -> dict[str, str]:
        if self.range:
            return {"range": self.range}
        return {"start": instant.text(self.start, 3), "end": instant.text(self.end, 3)}


def span(now: int, range: str, start: str, end: str) -> Span:
    """From a page's address. Raises Invalid."""
    if start or end:
        return _fixed(start, end)
    name = range or "15m"
    if name not in RANGES:
        raise Invalid(f"There is no range {name!r}.", remedy=f"Ranges are {', '.join(RANGES)}.")
    return Span(start=now - RANGES[name][1] * SECOND, end=now, range=name)


def _fixed(start: str, end: str) -> Span:
    try:
        between = Span(start=instant.parse_instant(start), end=instant.parse_instant(end))
    except ValueError as error:
        raise Invalid(f"start or end is {error}.") from error
    if between.end <= between.start:
        raise Invalid("The time range ends before it starts.", remedy="Swap start and end.")
    return between


def chosen(plant: Plant, paths: Sequence[str]) -> list[Signal]:
    """The signals of these paths, each once. Raises NotFound, and Invalid for more than eight."""
    unique = list(dict.fromkeys(paths))
    if len(unique) > MOST_SIGNALS:
        raise Invalid(f"A trend shows at most {MOST_SIGNALS} signals.", remedy="Remove one first.")
    for path in unique:
        if path not in plant.signals:
            raise NotFound(f"The plant has no signal {path!r}.", remedy="The plant's page lists all signals.")
    return [plant.signals[path] for path in unique]


def link(paths: Sequence[str], between: Span) -> str:
    return "/trend?" + urlencode([*(("signal", path) for path in paths), *between.query.items()])


def chips(signals: Sequence[Signal], between: Span) -> list[dict[str, Any]]:
    """One entry of the legend a signal, with the address of the same trend without it."""
    paths = [signal.path for signal in signals]
    return [
        {
            "path": signal.path,
            "handle": signal.handle,
            "name": signal.name,
            "trail": signal.asset.split("/")[2:],
            "unit": words.unit_text(signal.unit),
            "step": signal.step or bool(signal.states),
            "states": words.states_of(signal),
            "low": signal.limits.low,
            "high": signal.limits.high,
            "without": link([path for path in paths if path != signal.path], between),
        }
        for signal in signals
    ]


# --- the same as tables -----------------------------------------------------------------------------------


async def means(
    history: History, signals: Sequence[Signal], between: Span, where: ZoneInfo
) -> list[tuple[str, list[str]]]:
    """Mean (lowest to highest) of each interval and signal, newest first."""
    interval = max((between.end - between.start) // INTERVALS, 1)
    table = await history.summary([s.handle for s in signals], between.start, between.end, interval)
    times = table.column("time").cast(pa.int64()).to_pylist()
    return _by_time(table, times, signals, where)


def _by_time(
    table: pa.Table, times: Sequence[int], signals: Sequence[Signal], where: ZoneInfo
) -> list[tuple[str, list[str]]]:
    cells: dict[tuple[int, int], str] = {}
    for time, row in zip(times, table.drop_columns("time").to_pylist(), strict=True):
        if row["average"] is not None:
            spread = f"{words.number_text(row['minimum'])} to {words.number_text(row['maximum'])}"
            cells[time, row["signal"]] = f"{words.number_text(row['average'])} ({spread})"
    return [
        (
            words.clock_text(time, where),
            [cells.get((time, signal.handle), words.NOTHING) for signal in signals],
        )
        for time in sorted(set(times), reverse=True)
    ]


async def latest(
    history: History, signals: Sequence[Signal], between: Span, where: ZoneInfo
) -> list[tuple[str, str, str, str]]:
    """The newest samples in the range: time, signal, value, quality."""
    by_handle = {signal.handle: signal for signal in signals}
    table = await _tail(history, list(by_handle), between)
    # Python's own datetime cannot hold nanoseconds.
    times = table.column("time").cast(pa.int64()).to_pylist()
    newest = sorted(
        zip(times, table.drop_columns("time").to_pylist(), strict=True),
        key=lambda pair: pair[0],
        reverse=True,
    )
    rows = [_row(time, columns) for time, columns in newest[:LATEST]]
    return [
        (
            words.precise_text(row.time, where),
            by_handle[row.signal].name,
            words.value_text(row, by_handle[row.signal]),
            words.quality_text(row, by_handle[row.signal]),
        )
        for row in rows
    ]


async def _tail(history: History, handles: list[int], between: Span) -> pa.Table:
    """The end of the range that holds at most a few thousand samples."""
    length = between.end - between.start
    while True:
        try:
            return await history.raw(handles, between.end - length, between.end, most=5_000)
        except Invalid:
            if length < SECOND // 1000:
                raise
            length //= 8


def _row(time: int, columns: Mapping[str, Any]) -> Row:
    value = next((columns[name] for name in ("text", "integer", "value") if columns[name] is not None), None)
    type = columns["type"]
    if type == ValueType.BOOLEAN and value is not None:
        value = bool(value)
    # Arrays and structures come as text: that is how they are shown.
    shown = ValueType.STRING if type & ARRAY else type
    return Row(columns["signal"], time, value, shown, columns["status"], columns["flags"])
