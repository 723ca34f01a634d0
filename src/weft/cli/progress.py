"""How far a long look has come."""

from __future__ import annotations

import sys
from typing import Final, Self

__all__ = ["Progress"]

STEP: Final = 10


class Progress:
    """The count so far, in one line of standard error that is gone at the end; nothing without a terminal."""

    def __enter__(self) -> Self:
        self._shown = sys.stderr.isatty()
        self.show(0)
        return self

    def __exit__(self, *error: object) -> None:
        self._write("\r\x1b[K")

    def show(self, count: int) -> None:
        if count % STEP == 0:
            self._write(f"\rlooking: {count} found so far")

    def _write(self, text: str) -> None:
        if self._shown:
            sys.stderr.write(text)
            sys.stderr.flush()
