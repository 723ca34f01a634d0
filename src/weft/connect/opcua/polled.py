"""Signals that are read together, and what was last handed over of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from weft.connect.api import Point
from weft.connect.opcua.readings import Readings
from weft.connect.opcua.seen import Seen
from weft.model import ARRAY, Batch
from weft.model.values import FLOATS, HEAPED, is_in

__all__ = ["Group"]

_NOTHING = 0xFF  # no type: nothing handed over yet


class Group:
    """Of one interval; columns by row."""

    def __init__(
        self, interval: float, points: Sequence[Point], handles: Sequence[int], *, only_changes: bool
    ) -> None:
        n = len(points)
        self.interval = interval
        self.points = list(points)
        self.handles = np.array(handles, dtype=np.uint32)
        self.nodes: list[bytes] = [b""] * n
        self.readings = Readings()
        self._only_changes = only_changes
        self._deadband = np.array([point.address.deadband for point in points], dtype=np.float64)
        self._time = np.zeros(n, dtype=np.int64)
        self._bits = np.zeros(n, dtype=np.int64)
        self._type = np.full(n, _NOTHING, dtype=np.uint8)
        self._status = np.zeros(n, dtype=np.uint32)
        self._heaped = np.zeros(n, dtype=np.bool_)
        self._values: dict[int, object] = {}

    def place(self, row: int, node: bytes) -> None:
        self.nodes[row] = node

    def served(self) -> list[Point]:
        """Those whose place at the server is known."""
        return [point for point, node in zip(self.points, self.nodes, strict=True) if node]

    def batches(self, size: int) -> list[npt.NDArray[np.intp]]:
        """Rows to read, call by call. Those of no fixed size go together: one text among a thousand numbers would
        make all of them slow to read."""
        there = np.array([bool(node) for node in self.nodes], dtype=np.bool_)
        parts = [np.flatnonzero(there & ~self._heaped), np.flatnonzero(there & self._heaped)]
        return [rows[at : at + size] for rows in parts for at in range(0, len(rows), size)]

    def news(self, batch: Batch, rows: npt.NDArray[np.intp], seen: Seen) -> Batch:
        """What of a batch, one sample a row, was not handed over before: never the same sample twice, and unless
        every reading is wanted none that says what the last one said."""
        refused = np.array([not self.nodes[row] for row in rows.tolist()], dtype=np.bool_)
        heaped = _heaped(batch)
        same = (batch.type == self._type[rows]) & (batch.status == self._status[rows])
        same &= np.where(heaped, self._same_values(batch, rows, heaped), batch.bits == self._bits[rows])
        begun = self._type[rows] == _NOTHING
        again = (same | begun) & (batch.time == np.where(begun, seen.of(batch.signal), self._time[rows]))
        if self._only_changes:
            again |= same | (~begun & self._within_deadband(batch, rows))
        fresh = ~again & ~refused
        taken = rows[fresh]
        self._time[rows] = np.where(fresh | same, batch.time, self._time[rows])
        self._bits[taken], self._type[taken] = batch.bits[fresh], batch.type[fresh]
        self._status[taken] = batch.status[fresh]
        self._heaped[rows] |= heaped
        return batch if fresh.all() else batch.take(fresh)

    def _same_values(
        self, batch: Batch, rows: npt.NDArray[np.intp], heaped: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        same = np.zeros(len(rows), dtype=np.bool_)
        for at in np.flatnonzero(heaped).tolist():
            row, value = int(rows[at]), batch.value(at)
            same[at] = row in self._values and self._values[row] == value
            self._values[row] = value
        return same

    def _within_deadband(self, batch: Batch, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        band = self._deadband[rows]
        if not band.any():
            return np.zeros(len(rows), dtype=np.bool_)
        alike = (batch.type == self._type[rows]) & (batch.status == self._status[rows]) & (band > 0)
        within: npt.NDArray[np.bool_] = alike & (
            np.abs(_number(batch.type, batch.bits) - _number(batch.type, self._bits[rows])) <= band
        )
        return within


def _heaped(batch: Batch) -> npt.NDArray[np.bool_]:
    heaped: npt.NDArray[np.bool_] = ((batch.type & ARRAY) != 0) | is_in(batch.type, HEAPED)
    return heaped


def _number(types: npt.NDArray[np.uint8], bits: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    number: npt.NDArray[np.float64] = np.where(
        is_in(types, FLOATS), bits.view(np.float64), bits.astype(np.float64)
    )
    return number
