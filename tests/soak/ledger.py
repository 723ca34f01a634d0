"""What a field server has said: a line per value, written before it is shown, so that a kill hides nothing."""

from __future__ import annotations

import os
from typing import NamedTuple

__all__ = ["Ledger", "Said", "read"]


class Said(NamedTuple):
    value: int
    time: int


class Ledger:
    """``name value time``, appended without a buffer. Who opens it again counts on from its last value."""

    def __init__(self, path):
        self.last = {name: said[-1].value for name, said in read(path).items()} if path.exists() else {}
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def next(self, name):
        """The value that comes after the last one."""
        value = self.last.get(name, 0) + 1
        self.last[name] = value
        return value

    def say(self, *lines):
        """``(name, value, time in ns)`` each."""
        os.write(self._file, "".join(f"{name} {value} {time}\n" for name, value, time in lines).encode())


def read(path):
    """``{name: [Said, …]}`` in order."""
    found = {}
    for line in path.read_text().splitlines():
        name, value, time = line.split()
        found.setdefault(name, []).append(Said(int(value), int(time)))
    return found
