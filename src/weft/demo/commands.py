"""Commands from outside, so that the factory stays one factory: each process runs the whole simulation, and all of
them must learn of a command, and obey it at the same step. They share a file that is only added to, a line each:
``step machine name value``, the value as JSON. A process that was killed finds there what it had been told."""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path
from typing import Any, Final, NamedTuple

__all__ = ["Command", "Commands"]

LONGEST: Final = 65_536  # bytes of a line


class Command(NamedTuple):
    step: int
    machine: str
    name: str
    value: Any


class Commands:
    """Without a file there are only one's own commands."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._read = 0
        self._waiting: deque[Command] = deque()

    def give(self, step: int, machine: str, name: str, value: Any) -> None:
        """To be obeyed at ``step`` by everybody. Raises ValueError for a value that is too long."""
        line = json.dumps([step, machine, name, value], separators=(",", ":")) + "\n"
        if len(line) > LONGEST:
            raise ValueError(f"a command of {len(line)} bytes is longer than {LONGEST}")
        if self._file is None:
            self._waiting.append(Command(step, machine, name, value))
            return
        file = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, line.encode())  # one write at the end of a file is whole
        finally:
            os.close(file)

    def look(self) -> None:
        """Reads what is new."""
        if self._file is None:
            return
        try:
            with self._file.open("rb") as file:
                if os.fstat(file.fileno()).st_size <= self._read:
                    return
                file.seek(self._read)
                new = file.read()
        except FileNotFoundError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        self._waiting.extend(Command(*json.loads(line)) for line in whole.splitlines())

    def due(self, step: int) -> list[Command]:
        """Those for this step, and those that came too late for theirs, in the order in which they were given."""
        if not self._waiting:
            return []
        found = [command for command in self._waiting if command.step <= step]
        if found:
            self._waiting = deque(command for command in self._waiting if command.step > step)
        return found
