"""The outcome of one cycle, row by row, until it becomes a batch."""

from __future__ import annotations

import numpy as np

from weft.connect.modbus.registers import RegisterMap
from weft.model import Batch, Flag, ValueType

__all__ = ["Round"]


class Round:
    """Rows (n) in the order of the layout; only those that were decided on go into the batch."""

    def __init__(self, registers: RegisterMap) -> None:
        n = len(registers.layout)
        self._registers = registers
        self._layout = registers.layout
        self._decided = np.zeros(n, dtype=np.bool_)
        self._time = np.zeros(n, dtype=np.int64)
        self._status = np.zeros(n, dtype=np.uint32)
        self._flags = np.zeros(n, dtype=np.uint16)

    def read(self, rows: slice, time: int) -> None:
        """These were read; ``time`` is when the answer came."""
        self._set(rows, time, 0)

    def bad(self, rows: slice, status: int, time: int) -> None:
        """These could not be read."""
        self._set(rows, time, status)

    def missing(self, rows: slice, status: int, time: int) -> None:
        """Those of them that nothing is known of could not be read."""
        for row in np.flatnonzero(~self._decided[rows]).tolist():
            self.bad(slice(rows.start + row, rows.start + row + 1), status, time)

    def stamp(self, rows: slice, time: int, flags: int) -> None:
        """Gives what was read the device's own time."""
        good = np.flatnonzero(self._decided[rows] & (self._status[rows] == 0)) + rows.start
        self._time[good] = time
        self._flags[good] = flags

    def mark(self, rows: slice, flag: Flag) -> None:
        self._flags[rows] |= np.uint16(flag)

    def failed(self, rows: slice) -> bool:
        """Whether any of them could not be read."""
        return bool(self._status[rows].any())

    def withdraw(self, rows: slice) -> None:
        """These say nothing new."""
        self._decided[rows] = False

    def batch(self, flags: int = 0) -> Batch:
        """The decided rows; ``flags`` go onto all of them."""
        columns = self._layout.decode()
        failed = self._status != 0
        types = np.where(failed, np.uint8(ValueType.NULL), columns.type)
        whole = Batch(
            self._registers.handles[self._layout.points],
            self._time,
            types,
            np.where(failed, 0, columns.bits),
            np.where(failed, self._status, columns.status),
            self._flags | np.uint16(flags),
            columns.heap,
        )
        return whole if self._decided.all() else whole.take(self._decided)

    def _set(self, rows: slice, time: int, status: int) -> None:
        self._decided[rows] = True
        self._time[rows] = time
        self._status[rows] = status
        self._flags[rows] = Flag.RECEIVE_TIME
