"""What a browse shows: keys heard, with a category guessed from their last observation."""

from __future__ import annotations

import re
from typing import Any, Final

from weft.connect.api import Found
from weft.connect.shdr.address import CONDITION, Category
from weft.connect.shdr.index import ASSET, REMOVED
from weft.connect.shdr.reader import LEVELS, Last
from weft.connect.shdr.values import is_unavailable
from weft.model import ValueType, quality

__all__ = ["found"]

# A number that is written as a machine writes one; "000123" is a name.
_SAMPLE: Final = re.compile(r"-?(?:0|[1-9]\d*)?(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
SHOWN: Final = 200  # characters of a value


def found(key: str, last: Last) -> Found:
    """One line of a browse."""
    for kind, part in ((ASSET, ""), (REMOVED, "removed")):
        if key.startswith(kind):
            address = {"key": key.removeprefix(kind), "category": "asset"} | ({"part": part} if part else {})
            return _found(f"{address['key']} {part}".rstrip(), address, ValueType.STRING, last)
    category = _category(last.fields)
    type_ = ValueType.DOUBLE if category is Category.SAMPLE else ValueType.STRING
    return _found(key, {"key": key, "category": str(category)}, type_, last)


def _found(name: str, address: dict[str, Any], type_: ValueType, last: Last) -> Found:
    if is_unavailable(last.fields[0]):
        return Found(name=name, address=address, type=type_, status=quality.BAD_NO_COMMUNICATION)
    text = "|".join(last.fields).rstrip("|")[:SHOWN]
    number = type_ == ValueType.DOUBLE and " " not in text
    return Found(name=name, address=address, type=type_, value=float(text) if number else text)


def _category(fields: list[str]) -> Category:
    if len(fields) == len(CONDITION) and fields[0].upper() in LEVELS:
        return Category.CONDITION
    if len(fields) == 2:
        return Category.MESSAGE
    texts = fields[0].split()
    numeric = all(text[-1:].isdigit() and _SAMPLE.fullmatch(text) for text in texts)
    return Category.SAMPLE if texts and numeric and len(texts) in (1, 3) else Category.EVENT
