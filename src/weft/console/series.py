"""Curves: what a trend draws, raw where there is room for every sample and minimum/maximum where not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weft.history.api import History
from weft.model import Signal
from weft.runtime import Invalid, WeftError

__all__ = ["Curve", "curve", "sparks"]

BAD: Final = 0x80000000
SPARK_WIDTH: Final = 96
SPARK_HEIGHT: Final = 20
SPARK_POINTS: Final = 48


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One signal between two times: seconds since 1970 UTC and values, None where nothing is to be drawn.
    ``kind`` is ``raw`` (every sample) or ``summary`` (lowest and highest of each interval)."""

    signal: str
    kind: str
    time: list[float]
    value: list[float | None]


async def curve(history: History, signal: Signal, start: int, end: int, pixels: int, now: int) -> Curve:
    """What fits on ``pixels`` columns. Raises what the history raises."""
    try:
        table = await history.raw([signal.handle], start, end, most=2 * pixels)
    except Invalid:  # more samples than that
        interval = max((end - start) // pixels, 1)
        times, values = _envelope(await history.summary([signal.handle], start, end, interval), interval)
        kind = "summary"
    else:
        times, values = _raw(table)
        times, values = _broken(times, values, signal)
        kind = "raw"
    times, values = _held(history, signal, times, values, start, min(end, now))
    return Curve(
        signal=signal.path,
        kind=kind,
        time=(times / 1e9).tolist(),
        value=[value if math.isfinite(value) else None for value in values.tolist()],
    )


Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


def _column(table: pa.Table, name: str) -> npt.NDArray[Any]:
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False))


def _times(table: pa.Table) -> Times:
    return np.asarray(table.column("time").cast(pa.int64()).to_numpy(), dtype=np.int64)


def _raw(table: pa.Table) -> tuple[Times, Values]:
    """Numbers of the samples; NaN for bad ones and for what is not a number."""
    values = np.asarray(_column(table, "value"), dtype=np.float64)
    integers = np.asarray(_column(table, "integer"), dtype=np.float64)
    values = np.where(np.isnan(values), integers, values)
    values[_column(table, "status").astype(np.uint32) >= BAD] = np.nan
    return _times(table), values


def _broken(times: Times, values: Values, signal: Signal) -> tuple[Times, Values]:
    """A NaN in the middle of each silence that is longer than the signal promises."""
    if signal.silence is None or len(times) < 2:
        return times, values
    longest = int((signal.silence * 2 + 2) * 1e9)
    after = np.flatnonzero(np.diff(times) > longest)
    return np.insert(times, after + 1, times[after] + longest // 2), np.insert(values, after + 1, np.nan)


def _envelope(table: pa.Table, interval: int) -> tuple[Times, Values]:
    """Two points an interval, its lowest and highest; broken where samples of it were not good."""
    starts = _times(table)
    low = np.asarray(_column(table, "minimum"), dtype=np.float64)
    high = np.asarray(_column(table, "maximum"), dtype=np.float64)
    torn = _column(table, "good") < _column(table, "count")
    times = np.column_stack([starts, starts + interval // 2, starts + interval * 3 // 4])
    values = np.column_stack([low, high, np.full(len(low), np.nan)])
    keep = np.column_stack([np.full((len(low), 2), fill_value=True), torn])
    return times[keep], values[keep]


def _held(
    history: History, signal: Signal, times: Times, values: Values, start: int, end: int
) -> tuple[Times, Values]:
    """Carries the present value to the right edge: it holds until another one comes. A signal that only
    reports changes and did not change since ``start`` is a line over the whole range."""
    last = history.snapshot([signal.handle])
    if len(last) == 0 or int(last.status[0]) >= BAD or int(last.time[0]) >= end:
        return times, values
    constant = len(times) == 0
    stale = signal.silence is not None and end - int(last.time[0]) > (signal.silence * 2 + 2) * 1e9
    # A range that ends before the newest sample does not know what held at its end.
    if stale or not (constant or (signal.step and int(last.time[0]) <= int(times[-1]))):
        return times, values
    value = float(last.numbers()[0])
    edge = [start, end] if constant and int(last.time[0]) < start else [end]
    return np.append(times, np.array(edge, dtype=np.int64)), np.append(values, [value] * len(edge))


# --- the small curves of the plant's page -----------------------------------------------------------------


async def sparks(history: History, signals: Sequence[Signal], now: int, seconds: int = 900) -> dict[int, str]:
    """An SVG path (96 by 20) of each signal's last quarter of an hour; signals without numbers are left out.
    A history that cannot answer right now costs the curves, not the page."""
    start, interval = now - seconds * 1_000_000_000, seconds * 1_000_000_000 // SPARK_POINTS
    try:
        table = await history.summary([signal.handle for signal in signals], start, now, interval)
    except WeftError:
        return {}
    owners = _column(table, "signal")
    place = (_times(table) - start) / (now - start)
    drawn: dict[int, str] = {}
    for signal in signals:
        # Half of "running" and "stopped" is no state.
        column = "maximum" if signal.states else "average"
        values = np.asarray(_column(table, column), dtype=np.float64)
        mine = (owners == signal.handle) & np.isfinite(values)
        if mine.any():
            drawn[signal.handle] = _path(place[mine], values[mine], step=signal.step or bool(signal.states))
    return drawn


def _path(place: Values, values: Values, *, step: bool) -> str:
    low, high = float(values.min()), float(values.max())
    # Noise of a thousandth must not look like a mountain range.
    span = max(high - low, 0.01 * max(abs(low), abs(high)), 1e-9)
    middle = (low + high) / 2
    x = np.append(place, 1.0).clip(0, 1) * SPARK_WIDTH
    y = SPARK_HEIGHT / 2 - (np.append(values, values[-1]) - middle) / span * (SPARK_HEIGHT - 4)
    points = [f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    if step:
        return "M" + points[0] + "".join(f"H{at}V{level}" for at, level in (p.split() for p in points[1:]))
    return "M" + "L".join(points)
