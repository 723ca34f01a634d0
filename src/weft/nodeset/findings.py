"""What a person should know about the files."""

from __future__ import annotations

import msgspec

__all__ = ["Finding"]


class Finding(msgspec.Struct, frozen=True):
    """``mild``: the rest is not harmed by it."""

    what: str
    message: str
    mild: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.message}"
