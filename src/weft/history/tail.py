"""The live tail: what the stream has delivered and no segment holds yet, in memory as sorted runs."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from weft.history.order import last_wins, pick, pick_unsorted
from weft.model import Batch, concat

__all__ = ["Runs", "Tail"]

RUN_ROWS: Final = 65_536


class Runs:
    """What a tail held at one moment: sorted runs, then batches as they came. Immutable."""

    def __init__(self, number: int, runs: tuple[Batch, ...], recent: tuple[Batch, ...]) -> None:
        self.number = number
        self._runs = runs
        self._recent = recent

    def __len__(self) -> int:
        return sum(map(len, self._runs)) + sum(map(len, self._recent))

    def read(self, signals: npt.NDArray[np.int32] | None, start: int, end: int) -> list[Batch]:
        """Rows of these signals with start <= time < end; later arrivals come later."""
        parts = [pick(run, signals, start, end) for run in self._runs]
        parts += [pick_unsorted(batch, signals, start, end) for batch in self._recent]
        return [part for part in parts if len(part)]

    def joined(self) -> Batch:
        """All rows, sorted by (signal, time), last arrival wins."""
        batches = [*self._runs, *self._recent]
        return last_wins(concat(batches, source="", sequence=0, received=0)) if batches else Batch.empty()


class Tail:
    """Appending is cheap: a batch is kept as it is until enough of them make a run."""

    def __init__(self, number: int, sequence: int) -> None:
        self.number = number
        self.after = sequence
        self.sequence = sequence
        self.rows = 0
        self._runs: list[Batch] = []
        self._recent: list[Batch] = []
        self._recent_rows = 0

    def append(self, batch: Batch, sequence: int) -> None:
        self.sequence = sequence
        if not len(batch):
            return
        self._recent.append(batch)
        self._recent_rows += len(batch)
        self.rows += len(batch)
        if self._recent_rows >= RUN_ROWS:
            self._runs.append(last_wins(concat(self._recent)))
            self._recent, self._recent_rows = [], 0

    def runs(self) -> Runs:
        return Runs(self.number, tuple(self._runs), tuple(self._recent))
