"""Errors of carts as alarms: an event when one appears and when it is gone (VDA 5050 2.1, 6.10.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from weft.model import Kind

__all__ = ["Errors", "error_key", "errors_of", "references_of"]

Tell = Callable[[str, dict[str, Any], int], None]

_SEVERITY: Final = {"WARNING": 500, "FATAL": 900}  # on OPC UA's scale of 1 to 1000
MOST: Final = 500  # of one cart


def errors_of(state: dict[str, Any]) -> Iterator[dict[str, Any]]:
    found = state.get("errors")
    for error in found if isinstance(found, list) else ():
        if isinstance(error, dict):
            yield error


def references_of(error: dict[str, Any]) -> dict[str, str]:
    """What the error is about: ``{"orderId": "7"}``."""
    found = error.get("errorReferences")
    entries = found if isinstance(found, list) else ()
    return {
        str(entry.get("referenceKey", "")): str(entry.get("referenceValue", ""))
        for entry in entries
        if isinstance(entry, dict)
    }


def error_key(error: dict[str, Any]) -> str:
    """The same for the same error in the next state."""
    about = ",".join(f"{key}={value}" for key, value in sorted(references_of(error).items()))
    return f"{error.get('errorType', '')}({about})"[:500]


class Errors:
    """The errors that each cart has. Only what changes is told."""

    def __init__(self, tell: Tell, remembered: Any) -> None:
        self._tell = tell
        self._active: dict[str, dict[str, str]] = {}
        if isinstance(remembered, dict):
            self._active = {
                cart: {key: level for key, level in known.items() if isinstance(level, str)}
                for cart, known in remembered.items()
                if isinstance(known, dict)
            }

    def memory(self) -> dict[str, dict[str, str]]:
        return {cart: dict(known) for cart, known in self._active.items() if known}

    def take(self, cart: str, state: dict[str, Any], time: int) -> None:
        """A state of the cart: its errors are all that it has."""
        known = self._active.setdefault(cart, {})
        there: dict[str, dict[str, Any]] = {error_key(error): error for error in errors_of(state)}
        for key, error in list(there.items())[:MOST]:
            level = str(error.get("errorLevel", ""))
            if known.get(key) != level:
                known[key] = level
                self._say(cart, key, True, level, error, time)
        for key in [key for key in known if key not in there]:
            self._say(cart, key, False, known.pop(key), {}, time)

    def _say(self, cart: str, key: str, active: bool, level: str, error: dict[str, Any], time: int) -> None:
        data = {
            "condition": f"{cart}/{key}",
            "name": key.partition("(")[0],
            "source": cart,
            "active": active,
            "severity": _SEVERITY.get(level, 500),
            "level": level.lower(),
            "message": str(error.get("errorDescription", ""))[:1000],
            "references": references_of(error),
        }
        self._tell(Kind.ALARM, data, time)
