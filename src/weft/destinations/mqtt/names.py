"""Names of the plant as levels of a topic, and back.

A space in a topic makes some brokers hang up, a dot means a level to others, and UMH allows letters, digits, ``-``
and ``_`` only. So every other byte is escaped, once, reversibly.
"""

from __future__ import annotations

import re
from typing import Final

from weft.bus import escape, unescape
from weft.runtime import Invalid

__all__ = ["percent", "read_percent", "read_strict", "strict"]

_FORBIDDEN: Final = re.compile(rb"[^A-Za-z0-9_-]")
_LOOKS_ESCAPED: Final = re.compile(r"_(?=x[0-9A-F]{2}[^A-Za-z0-9-])")
_ESCAPED: Final = re.compile(rb"_x([0-9A-F]{2})_")


def percent(path: str) -> str:
    """Each name with ``%XX`` for what is neither letter, digit, ``-``, ``_`` nor ``~``, as on Weft's own bus."""
    return "/".join(map(escape, path.split("/")))


def read_percent(topic: str) -> str:
    """Raises Invalid for what :func:`percent` never makes."""
    return "/".join(map(unescape, topic.split("/")))


def strict(path: str) -> str:
    """Each name with ``_xXX_`` for every byte that is neither letter, digit, ``-`` nor ``_``; a ``_`` at the
    beginning too, where UMH expects contracts only."""
    return "/".join(map(_strict, path.split("/")))


def read_strict(topic: str) -> str:
    """Raises Invalid for what :func:`strict` never makes."""
    path = "/".join(map(_read_strict, topic.split("/")))
    if strict(path) != topic:
        raise Invalid(f"{topic!r} is not an escaped topic.")
    return path


def _strict(name: str) -> str:
    name = _LOOKS_ESCAPED.sub("_x5F_", name)
    if name.startswith("_") and not name.startswith("_x5F_"):
        name = f"_x5F_{name[1:]}"
    data = name.encode("utf-8", "surrogatepass")
    return _FORBIDDEN.sub(lambda match: b"_x%02X_" % match[0][0], data).decode("ascii")


def _read_strict(name: str) -> str:
    data = _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), name.encode("ascii", "replace"))
    return data.decode("utf-8", "surrogatepass")
