"""Files that are there completely or not at all, also after a power cut."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["PARTIAL", "digest", "sync_folder", "write_private", "write_whole"]

PARTIAL: Final = ".partial"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Lets ``write`` fill a file beside ``path``, makes it safe on disk and gives it its name."""
    partial = path.with_name(path.name + PARTIAL)
    try:
        write(partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_private(path: Path, data: bytes) -> None:
    """``data`` as the file ``path``, readable by its owner alone, whole or not at all. Its folder must exist."""

    def write(partial: Path) -> None:
        partial.unlink(missing_ok=True)  # what a crash left may be open to others
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)

    write_whole(path, write)


def sync_folder(folder: Path) -> None:
    """Makes names in a folder (created, renamed, removed) safe on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest(path: Path) -> str:
    """SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
