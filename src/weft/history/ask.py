"""What a question over HTTP says: which signals, from when to when, in what steps."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final

from weft.catalog import Plant, matching
from weft.model import Signal, instant
from weft.runtime import Invalid, NotFound

__all__ = ["duration", "moment", "selected"]

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 7 * 86_400_000_000_000,
}
_STARS: Final = re.compile(r"\*+")
_MOST_STARS: Final = 5  # each one more multiplies the time that a pattern may take
_DURATION: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*(ns|us|ms|s|m|h|d|w)")
# A "+" that the caller did not encode arrives as a blank.
_LOST_PLUS: Final = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")


def duration(text: str) -> int:
    """ns of ``500ms``, ``10s``, ``1.5h``, ``7d``. Raises Invalid."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise Invalid(f"{text[:40]!r} is no duration.", remedy="Write it like 10s, 15m, 1.5h or 7d.")
    return round(float(match[1]) * _UNITS[match[2]])


def moment(text: str, now: int) -> int:
    """ns UTC of an RFC 3339 time, of ``now``, or of a time before it: ``-1h``. Raises Invalid."""
    text = text.strip()
    if text == "now":
        return now
    if text.startswith("-"):
        earlier = now - duration(text[1:])
        if earlier < instant.MIN_NS:
            raise Invalid(f"{text[:40]!r} is before the year 1678, the first that can be told.")
        return earlier
    try:
        return instant.parse_instant(_LOST_PLUS.sub("+", text))
    except ValueError as error:
        raise Invalid(f"{error}.", remedy="A time before now is written like -1h.") from error


def selected(plant: Plant, patterns: Sequence[str]) -> list[Signal]:
    """The signals of these paths or patterns (see :func:`weft.catalog.matching`), by handle. Raises NotFound
    for one that nothing answers to, Invalid for one with too many wildcards."""
    found: dict[str, Signal] = {}
    for pattern in patterns:
        matches = _matching(plant, pattern)
        if not matches:
            raise _unknown(plant, pattern)
        found.update((signal.path, signal) for signal in matches)
    return sorted(found.values(), key=lambda signal: signal.handle)


def _matching(plant: Plant, pattern: str) -> list[Signal]:
    signal = plant.signals.get(pattern)
    if signal is not None:
        return [signal]
    if len(_STARS.findall(pattern)) > _MOST_STARS:
        raise Invalid(f"{pattern[:60]!r} has more than {_MOST_STARS} wildcards.")
    return matching(plant, pattern) if "*" in pattern or "?" in pattern else []


def _unknown(plant: Plant, pattern: str) -> NotFound:
    near = difflib.get_close_matches(pattern[:300], plant.signals, n=1)
    remedy = f"Did you mean {near[0]!r}?" if near else "Patterns look like **/mill/*."
    return NotFound(f"There is no signal {pattern[:300]!r}.", remedy=remedy)
