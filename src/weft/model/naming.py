"""Names for signals and assets from what others call them."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

__all__ = ["safe_name", "unused"]

LONGEST: Final = 120
_BORDER: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_FOREIGN: Final = re.compile(r"[^\w]+|_+")


def safe_name(*parts: str, otherwise: str = "signal") -> str:
    """``("Spindle", "FeedOverride")`` -> ``spindle-feed-override``: lower case letters and digits of any
    script, joined by ``-``, safe as part of a path, an MQTT topic and a bus subject."""
    words = (_FOREIGN.sub("-", _BORDER.sub("-", part)).strip("-").lower() for part in parts)
    return "-".join(word for word in words if word)[:LONGEST].strip("-") or otherwise


def unused(name: str, taken: Collection[str]) -> str:
    """``name``, or with the first number behind it that makes it one of its own."""
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"
