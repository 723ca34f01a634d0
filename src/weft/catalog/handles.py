"""Stable handles: the number under which a signal's samples are kept, for ever.

``handles.tsv`` in the state folder has a line ``handle<TAB>path`` per signal, in the order they appeared. Lines
are only added. A later line of the same handle is its new path (``was`` in the plant's folder); a line that
power loss tore is cut off, for nobody was told its handle yet.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from weft.runtime import NeedsHuman

__all__ = ["Handles"]

NAME: Final = "handles.tsv"
HIGHEST: Final = 2**31 - 1


class Handles:
    """path -> handle, from 1, each durable before anybody may use it. Several processes may share the file."""

    def __init__(self, state: Path) -> None:
        """Reads what is there. Raises NeedsHuman when the file is damaged or cannot be read."""
        self._file = state / NAME
        self._read_to = 0
        self._by_path: dict[str, int] = {}
        self._by_handle: dict[int, str] = {}
        self._highest = 0
        with self._opened() as file:
            self._catch_up(file)

    def __len__(self) -> int:
        return len(self._by_handle)

    def get(self, path: str) -> int | None:
        return self._by_path.get(path)

    def path(self, handle: int) -> str | None:
        """The latest path of a handle, also when the plant no longer has that signal."""
        return self._by_handle.get(handle)

    def assign(self, paths: Iterable[str], was: Mapping[str, str] | None = None) -> dict[str, int]:
        """The handle of each path; new paths get new ones, or that of the path they ``was`` (new -> old).
        Returns when all are on the disk. Raises NeedsHuman when they cannot be written."""
        wanted = list(paths)
        former = was or {}
        if any(path not in self._by_path for path in wanted):
            with self._opened() as file:
                self._catch_up(file)
                try:
                    lines = [
                        self._line(path, former.get(path)) for path in wanted if path not in self._by_path
                    ]
                    self._append(file, "".join(lines).encode())
                except (OSError, ValueError, NeedsHuman):
                    self._reread(file)
                    raise
        return {path: self._by_path[path] for path in wanted}

    def _line(self, path: str, former: str | None) -> str:
        if any(mark in path for mark in "\t\n\r"):
            raise ValueError(f"a path cannot hold tabs or line breaks: {path!r}")
        handle = None if former is None else self._by_path.get(former)
        if handle is None:
            handle = self._highest + 1
            if handle > HIGHEST:
                raise NeedsHuman("All handles of this plant are used up.", remedy="Start a new state folder.")
        self._take(handle, path)
        return f"{handle}\t{path}\n"

    def _take(self, handle: int, path: str) -> None:
        old = self._by_handle.get(handle)
        if old is not None:
            del self._by_path[old]
        self._by_path[path] = handle
        self._by_handle[handle] = path
        self._highest = max(self._highest, handle)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            new = not self._file.exists()
            file = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)  # freed with the descriptor, also when the process dies
                if new:
                    _sync_folder(self._file.parent)
                yield file
            finally:
                os.close(file)
        except OSError as error:
            raise NeedsHuman(
                f"{self._file} cannot be read or written: {error.strerror}. Signals would lose their history.",
                remedy="Free space on the disk and make the folder writable.",
            ) from error

    def _catch_up(self, file: int) -> None:
        """Reads what this or another process has added since."""
        size = os.fstat(file).st_size
        if size < self._read_to:
            raise self._damaged(0)
        data = b""
        while len(data) < size - self._read_to:
            part = os.pread(file, size - self._read_to - len(data), self._read_to + len(data))
            if not part:
                break
            data += part
        whole = data[: data.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(keepends=True)):
            self._read(line, number)
        self._read_to += len(whole)
        if len(whole) < len(data):
            os.ftruncate(file, self._read_to)
            os.fsync(file)

    def _read(self, line: bytes, number: int) -> None:
        try:
            handle, tab, path = line.decode("utf-8").rstrip("\n").partition("\t")
            code = int(handle)
        except ValueError:
            raise self._damaged(number) from None
        taken = self._by_path.get(path)
        if not tab or not path or not 0 < code <= HIGHEST or (taken is not None and taken != code):
            raise self._damaged(number)
        self._take(code, path)

    def _damaged(self, number: int) -> NeedsHuman:
        return NeedsHuman(
            f"{self._file} is damaged near line {len(self._by_handle) + number + 1}: a signal's number is not sure.",
            remedy="Restore the file from a backup; its history belongs to it.",
        )

    def _append(self, file: int, data: bytes) -> None:
        at = self._read_to
        while data:
            written = os.pwrite(file, data, at)
            at, data = at + written, data[written:]
        os.fsync(file)
        self._read_to = at

    def _reread(self, file: int) -> None:
        """What was numbered but is not surely on the disk is taken back."""
        os.ftruncate(file, self._read_to)
        self._read_to = self._highest = 0
        self._by_path.clear()
        self._by_handle.clear()
        self._catch_up(file)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
