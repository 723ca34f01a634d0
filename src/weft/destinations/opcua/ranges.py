"""Index ranges: ``2``, ``1:3``, ``0:1,2:3`` (OPC 10000-4, 7.27)."""

from __future__ import annotations

import re
from typing import Any, Final

from weft.destinations.opcua.codes import Refused, code

__all__ = ["Range", "cut", "parse"]

Range = tuple[tuple[int, int], ...]
_FORM: Final = re.compile(r"\d{1,10}(:\d{1,10})?(,\d{1,10}(:\d{1,10})?)*")


def parse(text: str) -> Range:
    """First and last index of each dimension. Raises Refused."""
    if not _FORM.fullmatch(text):
        raise Refused(code.BadIndexRangeInvalid, text[:40])
    found = []
    for part in text.split(","):
        low, colon, high = part.partition(":")
        if colon and int(low) >= int(high):
            raise Refused(code.BadIndexRangeInvalid, text[:40])
        found.append((int(low), int(high) if colon else int(low)))
    return tuple(found)


def cut(value: Any, range: Range) -> Any:
    """The part of an array (nested lists for matrices), of text or of bytes. Raises Refused."""
    (low, high), deeper = range[0], range[1:]
    if not isinstance(value, (list, tuple, str, bytes)):
        raise Refused(code.BadIndexRangeInvalid, "the value is no array")
    part = value[low : high + 1]
    if not part:
        raise Refused(code.BadIndexRangeNoData)
    if not deeper:
        return part
    if not isinstance(part, (list, tuple)):
        raise Refused(code.BadIndexRangeInvalid, "more dimensions than the value has")
    return [cut(inner, deeper) for inner in part]
