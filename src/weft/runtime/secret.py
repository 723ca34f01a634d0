"""References to secrets: ``env:NAME`` and ``file:path``. What they point to is never logged."""

from __future__ import annotations

import os
import pathlib

from weft.runtime import NeedsHuman

__all__ = ["resolve"]


def resolve(reference: str, what: str) -> str:
    """The text behind a reference; other text is itself. Raises NeedsHuman when there is nothing: an empty password
    would let everybody in."""
    kind, colon, name = reference.partition(":")
    if colon and kind == "env":
        value = os.environ.get(name)
        if not value:
            raise NeedsHuman(
                f"The environment variable {name} with the {what} is {'not set' if value is None else 'empty'}.",
                remedy="Set it where Weft is started.",
            )
        return value
    if colon and kind == "file":
        try:
            text = pathlib.Path(name).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise NeedsHuman(
                f"The file {name} with the {what} cannot be read.", remedy="Check path and permissions."
            ) from error
        if not text:
            raise NeedsHuman(f"The file {name} with the {what} is empty.", remedy="Write the secret into it.")
        return text
    return reference
