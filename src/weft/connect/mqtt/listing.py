"""What a browse shows: topics heard, JSON payloads opened into their values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from weft.connect.api import Found
from weft.connect.payload.document import parse
from weft.connect.payload.leaves import clock, leaves, short
from weft.connect.payload.values import plain, typed
from weft.model import ARRAY, ValueType
from weft.mqtt.broker import Message

__all__ = ["Listing"]

MOST: Final = 5000  # topics
LONG: Final = 200  # characters of a shown value


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
    about_time = clock(document)
    for path, value in leaves(document):
        if path == "/" + about_time.get("time", "/"):
            continue
        shown, code, status = typed(value, None)
        address = {"topic": topic, "path": short(path), **about_time}
        yield _found(f"{topic}{path}", topic, address, shown, code, status)


def _found(name: str, topic: str, address: dict[str, Any], value: Any, code: int, status: int) -> Found:
    kind = ValueType(code) if code and code < ARRAY else None
    if isinstance(value, (str, bytes)):
        value = value[:LONG]
    folder = topic.rpartition("/")[0]
    return Found(name=name, address=address, type=kind, value=value, status=status, folder=folder)
