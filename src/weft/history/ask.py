"""What a question over HTTP says: which signals, from when to when, in what steps."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from weft.catalog.api import Plant
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
_NEVER: Final = re.compile(r"(?!)")
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
        return now - duration(text[1:])
    try:
        return instant.parse_instant(_LOST_PLUS.sub("+", text))
    except ValueError as error:
        raise Invalid(f"{error}.", remedy="A time before now is written like -1h.") from error


def selected(plant: Plant, patterns: Sequence[str]) -> list[Signal]:
    """The signals of these paths or patterns, in the plant's order: ``*`` stands for anything within a name,
    ``?`` for one sign, ``**`` for any number of names. Raises NotFound for one that nothing answers to."""
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
    if "*" not in pattern:
        return []
    forms = [_form(part) for part in pattern[:1_000].split("/")]
    return [signal for path, signal in plant.signals.items() if _fits(path.split("/"), forms)]


@lru_cache(maxsize=1_024)
def _form(part: str) -> re.Pattern[str] | None:
    """How one name of the path may read; None for any number of names."""
    return None if part == "**" else re.compile(fnmatch.translate(part.replace("[", "[[]")))


def _fits(names: list[str], forms: list[re.Pattern[str] | None]) -> bool:
    """Whether the names are those of the forms. Takes back only the latest ``**``, so that a pattern of many
    costs no more than names times forms."""
    name = form = 0
    again: tuple[int, int] | None = None
    while name < len(names):
        here = forms[form] if form < len(forms) else _NEVER
        if here is None:
            form += 1
            again = (name, form)
        elif here.match(names[name]):
            name, form = name + 1, form + 1
        elif again is not None:
            name, form = again = (again[0] + 1, again[1])
        else:
            return False
    return all(rest is None for rest in forms[form:])


def _unknown(plant: Plant, pattern: str) -> NotFound:
    near = difflib.get_close_matches(pattern[:300], plant.signals, n=1)
    remedy = f"Did you mean {near[0]!r}?" if near else "Patterns look like **/mill/*."
    return NotFound(f"There is no signal {pattern[:300]!r}.", remedy=remedy)
