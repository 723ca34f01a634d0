"""From an observation of an agent to typed values with a status. What a value is, and when it is bad, is the same
as in the adapters' protocol."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from weft.connect.api import Point
from weft.connect.mtconnect.address import Address
from weft.connect.mtconnect.document import Observation
from weft.connect.mtconnect.model import Item
from weft.connect.shdr import address as shdr
from weft.connect.shdr.dataset import RESET, entry
from weft.connect.shdr.values import ABSENT, MISSING, UNAVAILABLE, Value, is_unavailable, reading_of
from weft.model import ValueType, quality
from weft.runtime import Invalid

__all__ = ["Read", "is_lost", "reader_of", "series"]

Read: TypeAlias = Callable[[Observation], Value]

_json = msgspec.json.Encoder().encode
_ABOUT: Final = {"duration": "duration", "count": "sampleCount", "rate": "sampleRate"}


def is_lost(seen: Observation) -> bool:
    """The agent has no connection to what it reads."""
    return seen.level == "UNAVAILABLE" or is_unavailable(seen.text.strip())


def reader_of(point: Point, item: Item) -> Read:
    """How this point reads an observation of ``item``. Raises Invalid when its part or type cannot be served."""
    part = point.address.part
    if item.is_set:
        return _set_reader(part, table=item.representation == "TABLE")
    if item.is_series and part in ("", "array"):
        inner = _shdr(point, shdr.Category.TIMESERIES, "")
        return lambda seen: inner([seen.attributes.get("sampleCount", ""), "", seen.text], None)
    if item.is_series and part in ("count", "rate"):
        return _about(_ABOUT[part])
    if part == "duration":
        return _about("duration")
    if part == "reset":
        return _reset
    if item.category == "CONDITION":
        inner = _shdr(point, shdr.Category.CONDITION, part)
        return lambda seen: inner(_condition(seen), None)
    if item.type == "MESSAGE":
        inner = _shdr(point, shdr.Category.MESSAGE, part)
        return lambda seen: inner([seen.attributes.get("nativeCode", ""), seen.text], None)
    category = shdr.Category.SAMPLE if item.category == "SAMPLE" else shdr.Category.EVENT
    inner = _shdr(point, category, part)
    return lambda seen: inner([seen.text], None)


def _shdr(point: Point, category: shdr.Category, part: str) -> Any:
    address: Address = point.address
    return reading_of(
        Point(
            point.handle, point.path, shdr.Address(key=address.id, category=category, part=part), point.type
        )
    )


def _condition(seen: Observation) -> list[str]:
    get = seen.attributes.get
    return [seen.level, get("nativeCode", ""), get("nativeSeverity", ""), get("qualifier", ""), seen.text]


def _about(name: str) -> Read:
    """An attribute of the observation that is a number."""

    def number(seen: Observation) -> Value:
        if is_lost(seen):
            return UNAVAILABLE
        try:
            return float(seen.attributes[name]), ValueType.DOUBLE, quality.GOOD
        except (KeyError, ValueError):
            return MISSING

    return number


def _reset(seen: Observation) -> Value:
    if is_lost(seen):
        return UNAVAILABLE
    trigger = seen.attributes.get("resetTriggered", "")
    return (trigger, ValueType.STRING, quality.GOOD) if trigger else ABSENT


def _set_reader(part: str, *, table: bool) -> Read:
    row, slash, cell = part.partition("/")
    if slash and not table:
        raise Invalid(f"A data set has no cells: {part!r}.", remedy="Name an entry's key.")

    def read(seen: Observation) -> Value:
        if is_lost(seen):
            return UNAVAILABLE
        entries = seen.entries
        if entries is None:
            return MISSING
        if not part:
            whole = {key: _entry(value) for key, value in entries.items()}
            trigger = seen.attributes.get("resetTriggered")
            return _text(({RESET: trigger} if trigger else {}) | whole)
        found = entries.get(row, entries)
        if slash and isinstance(found, dict):
            found = found.get(cell, entries)
        return UNTOLD if found is entries else _single(found)

    return read


# A sample tells the entries that changed; another entry is no news, not a bad value.
UNTOLD: Final[Value] = (None, -1, quality.GOOD)


def _single(found: Any) -> Value:
    if found is None:
        return None, ValueType.NULL, quality.BAD_NODE_ID_UNKNOWN
    if isinstance(found, dict):
        return _text({key: _entry(value) for key, value in found.items()})
    typed = entry(found)
    if isinstance(typed, str):
        return typed, ValueType.STRING, quality.GOOD
    return float(found), ValueType.DOUBLE, quality.GOOD


def _entry(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _entry(inner) for key, inner in value.items()}
    return None if value is None else entry(value)


def _text(document: dict[str, Any]) -> Value:
    return _json(document).decode(), ValueType.STRING, quality.GOOD


def series(value: Value, seen: Observation, rate: float, time: int) -> list[tuple[int, Value]]:
    """A time series as single samples: its time is the last one's (part 2, TimeSeries), the others lie 1/rate
    before each other. Without a rate it stays one array."""
    numbers, code, status = value
    with contextlib.suppress(ValueError):
        rate = float(seen.attributes.get("sampleRate", "")) or rate
    if not isinstance(numbers, list) or not rate > 0:
        return [(time, (numbers, code, status))]
    last = len(numbers) - 1
    return [
        (time - round((last - i) * 1e9 / rate), (number, ValueType.DOUBLE, status))
        for i, number in enumerate(numbers)
    ]
