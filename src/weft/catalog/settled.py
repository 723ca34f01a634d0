"""Watches a plant's folder and tells when saving has settled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio
from watchfiles import Change, awatch

from weft.catalog.folder import HEADER, PARTS

__all__ = ["counts", "watch"]

SETTLE: Final = 0.3
LONGEST: Final = 5.0  # somebody who saves all the time is followed every so often


async def watch(folder: Path, *, settle: float = SETTLE) -> AsyncIterator[tuple[str, ...]]:
    """The relative names of changed files, sorted, each time the folder has been quiet for ``settle``
    seconds. State, git's own files and what editors leave beside a file while saving are not followed."""
    root = Path(await anyio.Path(folder).resolve())

    def wanted(_change: Change, path: str) -> bool:
        return counts(Path(path).relative_to(root)) if Path(path).is_relative_to(root) else False

    async for changes in awatch(
        root,
        watch_filter=wanted,
        step=round(settle * 1000),
        debounce=round(max(LONGEST, settle) * 1000),
        recursive=True,
    ):
        yield tuple(sorted({Path(path).relative_to(root).as_posix() for _change, path in changes}))


def counts(path: Path) -> bool:
    """Whether a path, relative to the plant's folder, is a part of the plant. Folders are, for renaming one
    tells nothing of the files in it."""
    if not path.parts or any(part.startswith((".", "#")) for part in path.parts):
        return False
    if len(path.parts) == 1:
        return path.name == HEADER or path.name in PARTS
    return path.parts[0] in PARTS and (
        path.suffix in {".toml", ".csv"}
        or (not path.suffix and not path.name.isdigit() and path.name[-1] != "~")
    )
