"""Data sets and tables: ``key=value key={text} row={cell=value}`` (MTConnect part 2, DATA_SET and TABLE)."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

__all__ = ["dataset", "entry"]

# What JSON too writes as a number keeps its digits ("1.10"); "000123" and "+5" stay text.
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_CLOSES: Final = {"{": "}", '"': '"', "'": "'"}
RESET: Final = ":reset"


def dataset(text: str, *, nested: bool = True) -> dict[str, Any] | None:
    """The entries by key; a key without ``=`` was removed and is None. A leading ``:TRIGGER`` is kept under
    ``:reset``. None when a brace or quote is not closed or a key is empty."""
    rest = text.strip()
    if rest.startswith("{") and rest.endswith("}"):
        rest = rest[1:-1].strip()
    entries: dict[str, Any] = {}
    if rest.startswith(":"):
        trigger, _, rest = rest[1:].partition(" ")
        entries[RESET] = trigger
    at = 0
    while at < len(rest):
        if rest[at].isspace():
            at += 1
            continue
        key, at = _key(rest, at)
        if not key:
            return None
        if at >= len(rest) or rest[at] != "=":
            entries[key] = None
            continue
        value = _value(rest, at + 1)
        if value is None:
            return None
        raw, quoted, at = value
        entries[key] = _typed(raw, quoted=quoted, nested=nested)
    return entries


def _key(text: str, at: int) -> tuple[str, int]:
    end = at
    while end < len(text) and text[end] != "=" and not text[end].isspace():
        end += 1
    return text[at:end], end


def _value(text: str, at: int) -> tuple[str, str, int] | None:
    """The raw value, what it was quoted by, and where the text goes on."""
    opener = text[at : at + 1]
    closer = _CLOSES.get(opener)
    if closer is None:
        end = at
        while end < len(text) and not text[end].isspace():
            end += 1
        return text[at:end], "", end
    end = _closing(text, at, opener, closer)
    return None if end < 0 else (text[at + 1 : end], opener, end + 1)


def _closing(text: str, at: int, opener: str, closer: str) -> int:
    depth = 0
    i = at
    while i < len(text):
        if text[i] == "\\":
            i += 2
            continue
        if text[i] == closer and ((opener == closer and i > at) or opener != closer):
            depth -= opener != closer
            if depth <= 0:
                return i
        elif text[i] == opener and opener != closer:
            depth += 1
        i += 1
    return -1


def _typed(raw: str, *, quoted: str, nested: bool) -> Any:
    if quoted == "{" and nested and "=" in raw:
        row = dataset(raw, nested=False)
        if row is not None:
            return row
    return re.sub(r"\\(.)", r"\1", raw) if quoted else entry(raw)


def entry(raw: str) -> Any:
    """An entry's text as JSON has it: a number with all its digits, or text."""
    return msgspec.Raw(raw.encode()) if _NUMBER.fullmatch(raw) else raw
