"""What a browse shows of a poll's answer: the values of its first document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from weft.connect.api import Found
from weft.connect.payload.leaves import clock, leaves, short
from weft.connect.payload.values import typed
from weft.connect.webhook.bodies import payloads_of
from weft.model import ARRAY, ValueType

__all__ = ["found"]

SHOWN: Final = 200  # characters of a value


def found(name: str, body: bytes, form: str) -> Iterator[Found]:
    """Raises Invalid for a body that cannot be read."""
    for payload in payloads_of(body, form)[:1]:
        document = payload.at(())
        about_time = clock(document) if isinstance(document, dict) else {}
        for path, value in leaves(document):
            if about_time and path == f"/{about_time['time']}":
                continue
            shown, code, status = typed(value, None)
            if isinstance(shown, str):
                shown = shown[:SHOWN]
            yield Found(
                name=f"{name}{path}",
                address={"source": name, "path": short(path), **about_time} if path else {"source": name},
                type=ValueType(code) if code and code < ARRAY else None,
                value=shown,
                status=status,
                folder=name,
            )
