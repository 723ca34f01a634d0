"""A clock for one process that can be made to jump (libfaketime); its monotonic time goes on."""

from __future__ import annotations

import pathlib

__all__ = ["FakedClock"]


class FakedClock:
    def __init__(self, file):
        self._file = file
        self.jump(0)

    @staticmethod
    def library():
        """Empty where libfaketime is not installed."""
        return str(next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), ""))

    @property
    def env(self):
        """What a process of this clock needs."""
        return {
            "LD_PRELOAD": self.library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",  # s; to read the file at each look would slow it down
        }

    def jump(self, seconds):
        self._file.write_text(f"{seconds:+d}s\n")
