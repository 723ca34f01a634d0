"""Watches a plant's folder and tells when saving has settled."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Final, TypeAlias

import anyio
import anyio.to_thread
from watchfiles import Change, awatch

from weft.catalog.folder import HEADER, PARTS
from weft.runtime import Retry

__all__ = ["counts", "watch"]

SETTLE: Final = 0.3
LONGEST: Final = 5.0  # somebody who saves all the time is followed every so often
AGAIN: Final = 1.0

# Relative name -> (time, size, number) of a file, None for a folder.
Snapshot: TypeAlias = "dict[str, tuple[int, int, int] | None]"


async def watch(folder: Path, *, settle: float = SETTLE) -> AsyncIterator[tuple[str, ...]]:
    """The relative names of changed files, sorted, each time the folder has been quiet for ``settle``
    seconds. What editors leave beside a file while saving is not followed. Raises Retry when the folder is
    away."""
    root = Path(await anyio.Path(folder).resolve())
    known = await _look(root)
    while True:
        # Folder by folder, never recursively: the streams and segments in .weft change all the time, and the
        # plant's folder would never be quiet.
        folders = _folders(known)
        stands = False
        async with aclosing(_rounds(root, folders, settle)) as rounds:
            async for news in rounds:
                now = await _look(root) if news or not stands else known  # once for what came before it stood
                differing = sorted(
                    name for name in now.keys() | known.keys() if now.get(name, ()) != known.get(name, ())
                )
                stands, known = True, now
                if differing:
                    yield tuple(differing)
                if _folders(known) != folders:
                    break


async def _rounds(root: Path, folders: list[str], settle: float) -> AsyncGenerator[bool, None]:
    """True when something changed and has settled; False now and then when nothing did."""

    def wanted(_change: Change, path: str) -> bool:
        return counts(Path(path).relative_to(root))

    rounds = awatch(
        *(root / name for name in folders),
        watch_filter=wanted,
        step=round(settle * 1000),
        debounce=round(max(LONGEST, settle) * 1000),
        rust_timeout=round(AGAIN * 1000),
        yield_on_timeout=True,
        recursive=False,
        ignore_permission_denied=True,
    )
    try:
        async with aclosing(rounds):
            async for changes in rounds:
                yield bool(changes)
    except FileNotFoundError as error:
        raise Retry(f"The plant's folder {root} changes too fast to be watched: {error}.") from error


async def _look(root: Path) -> Snapshot:
    return await anyio.to_thread.run_sync(_snapshot, root)


def _snapshot(root: Path) -> Snapshot:
    if not root.is_dir():
        raise Retry(f"The plant's folder {root} is away; the plant goes on as it is.")
    found: Snapshot = {".": None}
    for top in (HEADER, *PARTS):
        for directory, _folders, names in os.walk(root / top):
            relative = Path(directory).relative_to(root)
            if counts(relative):
                found[relative.as_posix()] = None
                found.update(_marks(root, [relative / name for name in names]))
    found.update(_marks(root, [Path(HEADER)]))
    return found


def _marks(root: Path, files: list[Path]) -> Snapshot:
    marks: Snapshot = {}
    for file in files:
        if counts(file):
            try:
                status = (root / file).stat()
            except OSError:
                continue  # it went while we looked: that is a change as well
            marks[file.as_posix()] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return marks


def _folders(snapshot: Snapshot) -> list[str]:
    return sorted(name for name, mark in snapshot.items() if mark is None)


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
