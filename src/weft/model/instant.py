"""Instants as int64 nanoseconds since 1970-01-01 UTC, and their text form (RFC 3339)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["MAX_NS", "MIN_NS", "from_filetime", "parse_instant", "text", "to_filetime"]

MIN_NS: Final = -(2**63)
MAX_NS: Final = 2**63 - 1

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FILETIME_EPOCH: Final = 116_444_736_000_000_000  # 100 ns ticks from 1601-01-01 to 1970-01-01
_FORM: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:([Zz])|([+-])([01]\d|2[0-3]):?([0-5]\d))?"
)


def parse_instant(text: str) -> int:
    """ns UTC of an RFC 3339 time; without a zone it is taken as UTC. Digits beyond ns are cut off.
    Raises ValueError."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a time like 2026-11-21T06:00:00Z: {text[:40]!r}")
    year, month, day, hour, minute, second, fraction, _, sign, zone_h, zone_m = match.groups()
    leap = second == "60"  # RFC 3339, 5.7: a leap second is the next minute's start here
    moment = datetime(
        int(year), int(month), int(day), int(hour), int(minute), 59 if leap else int(second), tzinfo=UTC
    )
    seconds = round((moment - _EPOCH).total_seconds()) + leap
    if sign:
        shift = int(zone_h) * 3600 + int(zone_m) * 60
        seconds += -shift if sign == "+" else shift
    ns = seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
    if not MIN_NS <= ns <= MAX_NS:
        raise ValueError(f"outside the years 1677 to 2262: {text[:40]!r}")
    return ns


def text(ns: int, digits: int = 9) -> str:
    """RFC 3339 in UTC with 0 to 9 digits of the second, cut off, not rounded."""
    seconds, rest = divmod(ns, 1_000_000_000)
    moment = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None)
    fraction = f".{rest:09d}"[: digits + 1] if digits else ""
    return f"{moment.isoformat()}{fraction}Z"


def from_filetime(ticks: int) -> int:
    """ns UTC of an OPC UA DateTime (100 ns ticks since 1601); clipped to what int64 ns can hold."""
    return min(max((ticks - _FILETIME_EPOCH) * 100, MIN_NS), MAX_NS)


def to_filetime(ns: int) -> int:
    """OPC UA DateTime ticks; below 100 ns is cut off."""
    return ns // 100 + _FILETIME_EPOCH
