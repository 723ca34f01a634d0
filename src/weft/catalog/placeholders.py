"""Placeholders in templates: ``{asset}``, ``{path}``, ``{signal}`` and the asset's own parameters.

``"ns=2;s={asset}.Load"`` is filled in as text. A text that is nothing but a placeholder takes the
parameter's own type, and ``"{base+4}"`` adds to a whole number: a block of registers per machine needs one
parameter. ``{{`` and ``}}`` are braces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from weft.catalog.findings import nearest

__all__ = ["BadPlaceholder", "fill"]

_PART: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_SUM: Final = re.compile(r"(.+?)\s*([+-]\s*\d{1,9})")


class BadPlaceholder(ValueError):
    """``message`` and ``remedy`` for people."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def fill(value: Any, known: Mapping[str, Any], used: set[str]) -> Any:
    """``value`` (text, list or table, at any depth) with its placeholders filled in; the names of those met
    are added to ``used``. Raises BadPlaceholder."""
    if isinstance(value, str):
        return _text(value, known, used) if "{" in value or "}" in value else value
    if isinstance(value, dict):
        return {key: fill(inner, known, used) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, known, used) for inner in value]
    return value


def _text(text: str, known: Mapping[str, Any], used: set[str]) -> Any:
    whole = _PART.fullmatch(text)
    if whole and whole[1] is not None:
        return _one(whole[1], text, known, used)

    def replace(match: re.Match[str]) -> str:
        if match[1] is not None:
            return _shown(_one(match[1], text, known, used))
        if len(match[0]) == 2:
            return match[0][0]
        raise BadPlaceholder(
            f"{text!r} has a single {match[0]!r}.", f"Write {match[0] * 2} for a brace that is meant as one."
        )

    return _PART.sub(replace, text)


def _one(name: str, text: str, known: Mapping[str, Any], used: set[str]) -> Any:
    if name in known:
        used.add(name)
        return known[name]
    added = _SUM.fullmatch(name)
    if added and added[1] in known:
        used.add(added[1])
        number = known[added[1]]
        if isinstance(number, bool) or not isinstance(number, int):
            raise BadPlaceholder(f"{{{name}}} in {text!r} adds to what is not a whole number.")
        return number + int(added[2].replace(" ", ""))
    raise BadPlaceholder(
        f"{{{name}}} in {text!r} is neither a parameter nor known.", nearest(name, known, label="Known here")
    )


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
