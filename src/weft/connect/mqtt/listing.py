"""What a browse shows: topics heard, JSON payloads opened into their values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from weft.connect.api import Found
from weft.connect.payload.document import parse
from weft.connect.payload.moment import TimeUnit, moment
from weft.connect.payload.values import plain, typed
from weft.model import ARRAY, ValueType
from weft.model.instant import parse_instant
from weft.mqtt.broker import Message

__all__ = ["Listing"]

MOST: Final = 5000  # topics
DEEP: Final = 8  # levels of a document
LONG: Final = 200  # characters of a shown value

_UNITS: Final[tuple[TimeUnit, ...]] = ("s", "ms", "us", "ns")
_CLOCKS: Final = ("timestamp", "time", "ts", "t", "datetime", "date")
_FROM: Final = 946_684_800 * 10**9  # 2000-01-01
_TO: Final = 4_102_444_800 * 10**9  # 2100-01-01


class Listing:
    """The last message of each topic, and what can be read from it."""

    def __init__(self) -> None:
        self._last: dict[str, bytes] = {}

    @property
    def full(self) -> bool:
        return len(self._last) >= MOST

    def add(self, message: Message) -> None:
        self._last[message.topic] = message.payload

    def items(self) -> Iterator[Found]:
        for topic, payload in sorted(self._last.items()):
            document = parse(payload)
            if isinstance(document, dict):
                yield from _of_document(topic, document)
            else:
                value, code, status = plain(payload, None)
                yield _found(topic, topic, {"topic": topic}, value, code, status)


def _of_document(topic: str, document: dict[str, Any]) -> Iterator[Found]:
    clock = _clock(document)
    for path, value in _leaves(document, ""):
        if path == "/" + clock.get("time", "/"):
            continue
        shown, code, status = typed(value, None)
        address = {"topic": topic, "path": _short(path), **clock}
        yield _found(f"{topic}{path}", topic, address, shown, code, status)


def _found(name: str, topic: str, address: dict[str, Any], value: Any, code: int, status: int) -> Found:
    kind = ValueType(code) if code and code < ARRAY else None
    if isinstance(value, (str, bytes)):
        value = value[:LONG]
    folder = topic.rpartition("/")[0]
    return Found(name=name, address=address, type=kind, value=value, status=status, folder=folder)


def _leaves(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or depth >= DEEP or not value:
        yield path, value
        return
    for key, inner in value.items():
        step = key.replace("~", "~0").replace("/", "~1")
        yield from _leaves(inner, f"{path}/{step}", depth + 1)


def _short(path: str) -> str:
    """``a.b`` where no key needs the pointer form."""
    keys = path[1:].split("/")
    simple = all(key and not set(key) & set("~.[]$") for key in keys)
    return ".".join(keys) if simple else path


def _clock(document: dict[str, Any]) -> dict[str, Any]:
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
