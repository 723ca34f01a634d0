"""Times in payloads: ISO 8601 text, or a number since 1970 in the address's unit."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypeAlias

from weft.model.instant import MAX_NS, MIN_NS, parse_instant

__all__ = ["TimeUnit", "moment"]

TimeUnit: TypeAlias = Literal["s", "ms", "us", "ns"]

_DIGITS: Final[dict[str, int]] = {"s": 9, "ms": 6, "us": 3, "ns": 0}


def moment(value: Any, unit: TimeUnit) -> int | None:
    """ns UTC; None when it is no time. Exact: a fraction of a second is not rounded through a double."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        ns = value * 10 ** _DIGITS[unit]
    elif isinstance(value, float):
        return _decimal(repr(value), unit)
    elif isinstance(value, str):
        try:
            return parse_instant(value)
        except ValueError:
            return _decimal(value, unit)
    else:
        return None
    return ns if MIN_NS <= ns <= MAX_NS else None


def _decimal(text: str, unit: TimeUnit) -> int | None:
    try:
        number = Decimal(text) if len(text) <= 40 and "_" not in text else Decimal("NaN")
        # The bound comes first: int() of 1e999999 would take all memory.
        if not number.is_finite() or not MIN_NS <= number <= MAX_NS:
            return None
    except InvalidOperation:
        return None
    ns = int(number.scaleb(_DIGITS[unit]))
    return ns if MIN_NS <= ns <= MAX_NS else None
