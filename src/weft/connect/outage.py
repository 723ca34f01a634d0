"""What a line has missed whose other side keeps nothing: polled devices, and sources that speak to whoever listens."""

from __future__ import annotations

import numpy as np

from weft.model import Batch, Flag, quality

__all__ = ["Outage"]


class Outage:
    """From the newest sample before an outage to the first good one after it. Times are source times, ns UTC."""

    def __init__(self) -> None:
        self._newest = 0
        self._cause = ""

    def learn(self, kept: Batch) -> None:
        """What is kept of the time before our start: whatever came after it, is lost."""
        if len(kept):
            self._newest = int(kept.time.max())
            self._cause = "Weft was not running"

    def begin(self, cause: str) -> None:
        """Nothing comes any more. A second cause changes nothing."""
        self._cause = self._cause or cause

    def heard(self, batch: Batch) -> tuple[int, int, str] | None:
        """First and last time and the cause of the outage that ends with this batch."""
        rows = (batch.status < quality.BAD) & ((batch.flags & np.uint16(Flag.SYNTHETIC)) == 0)
        if not rows.any():
            return None
        before, cause = self._newest, self._cause
        times = batch.time[rows]
        self._newest, self._cause = max(before, int(times.max())), ""
        return (before, max(before, int(times.min())), cause) if cause and before else None
