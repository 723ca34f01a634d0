"""Payloads as JSON documents: decoded once a message, bounded, looked into by path."""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = ["ABSENT", "NOT_JSON", "Steps", "look", "parse", "steps"]

Steps = tuple[str, ...]


class _Mark:
    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


ABSENT: Final = _Mark("ABSENT")
NOT_JSON: Final = _Mark("NOT_JSON")

_decode: Final = msgspec.json.Decoder().decode


def parse(payload: bytes) -> Any:
    """The document; NOT_JSON for anything else. Integers of any size are exact."""
    try:
        return _decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError):
        # ValueError: Python's limit on the digits of an integer. RecursionError: nested too deep.
        return NOT_JSON


def steps(path: str) -> Steps:
    """``/a/b/0`` (JSON pointer, RFC 6901), ``a.b.0`` and ``a.b[0]`` alike; empty is the whole document."""
    if not path:
        return ()
    if path.startswith("/"):
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    return tuple(path.removeprefix("$.").replace("[", ".").replace("]", "").removeprefix(".").split("."))


def look(document: Any, path: Steps) -> Any:
    """What lies at ``path``, or ABSENT."""
    for step in path:
        if isinstance(document, dict):
            document = document.get(step, ABSENT)
            if document is ABSENT:
                return ABSENT
        elif isinstance(document, list) and step.isdecimal() and step.isascii() and len(step) < 10:
            index = int(step)
            if index >= len(document):
                return ABSENT
            document = document[index]
        else:
            return ABSENT
    return document
