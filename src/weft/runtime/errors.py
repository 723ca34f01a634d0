"""What went wrong, told by what the caller should do about it.

WeftError
├── Retry        the other side is away or busy: the same call may work later
├── NeedsHuman   somebody must change something outside first (a certificate, a password, a cable)
├── Invalid      the input is wrong; it will never work unchanged
├── Denied       not allowed for this identity
├── NotFound     there is no such thing
└── Conflict     it collides with what is there now

Messages say what happened, what it means and what to do next; ``remedy`` holds the last part.
"""

from __future__ import annotations

__all__ = ["Conflict", "Denied", "Invalid", "NeedsHuman", "NotFound", "Retry", "WeftError"]


class WeftError(Exception):
    """Every error that Weft raises on purpose."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class Retry(WeftError):
    """Try the same again later."""


class NeedsHuman(WeftError):
    """A person must act first; retrying is only worth it now and then."""


class Invalid(WeftError):
    """The input can never work as it is."""


class Denied(WeftError):
    """Not allowed."""


class NotFound(WeftError):
    """No such thing."""


class Conflict(WeftError):
    """Collides with the present state."""
