"""What a document offers: its values with their paths, and which of them is its time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from weft.connect.payload.moment import TimeUnit, moment
from weft.model.instant import parse_instant

__all__ = ["clock", "leaves", "short"]

DEEP: Final = 8  # levels of a document

_UNITS: Final[tuple[TimeUnit, ...]] = ("s", "ms", "us", "ns")
_CLOCKS: Final = ("timestamp", "time", "ts", "t", "datetime", "date")
_FROM: Final = 946_684_800 * 10**9  # 2000-01-01
_TO: Final = 4_102_444_800 * 10**9  # 2100-01-01


def leaves(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The values of nested objects, each with its JSON pointer."""
    if not isinstance(value, dict) or depth >= DEEP or not value:
        yield path, value
        return
    for key, inner in value.items():
        step = key.replace("~", "~0").replace("/", "~1")
        yield from leaves(inner, f"{path}/{step}", depth + 1)


def short(path: str) -> str:
    """``a.b`` where no key needs the pointer form."""
    keys = path[1:].split("/")
    simple = all(key and not set(key) & set("~.[]$") for key in keys)
    return ".".join(keys) if simple else path


def clock(document: dict[str, Any]) -> dict[str, Any]:
    """The address fields for the document's own time, where one of its keys looks like it."""
    for key, value in document.items():
        if key.lower() in _CLOCKS:
            if isinstance(value, str) and _is_text_time(value):
                return {"time": key}
            for unit in _UNITS:
                ns = moment(value, unit) if isinstance(value, (int, float)) else None
                if ns is not None and _FROM <= ns < _TO:
                    return {"time": key, "time_unit": unit}
    return {}


def _is_text_time(text: str) -> bool:
    try:
        parse_instant(text)
    except ValueError:
        return False
    return True
