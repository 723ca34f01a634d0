"""Where the fields of a notification's monitored items lie, found once and then verified and read as columns.

A data change of fixed size is laid out by its mask and its type alone. So when the masks and types of a known
layout are found at their places in a new message, all other fields are at theirs, by induction from the first
item: two comparisons replace the walk, and each field of all items is one strided or indexed read.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from weft.model import ValueType

__all__ = ["FIXED", "Columns", "Layout"]

Places: TypeAlias = "npt.NDArray[np.intp] | slice"

# dtype of the value on the wire; its bits in a batch are int64, or the bits of a double
FIXED: Final[dict[int, str]] = {
    ValueType.NULL: "u1",
    ValueType.BOOLEAN: "u1",
    ValueType.SBYTE: "i1",
    ValueType.BYTE: "u1",
    ValueType.INT16: "<i2",
    ValueType.UINT16: "<u2",
    ValueType.INT32: "<i4",
    ValueType.UINT32: "<u4",
    ValueType.INT64: "<i8",
    ValueType.UINT64: "<i8",  # two's complement, as a batch keeps it
    ValueType.FLOAT: "<f4",
    ValueType.DOUBLE: "<i8",
    ValueType.DATETIME: "<i8",
    ValueType.STATUSCODE: "<u4",
}


class Columns(NamedTuple):
    """n data changes. ``handle`` uint32 client handles; ``source`` and ``server`` int64 ticks, 0 for none;
    ``sub`` int64 ns below the tick of the time that is used (None: all 0)."""

    handle: npt.NDArray[np.uint32]
    type: npt.NDArray[np.uint8]
    bits: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint32]
    source: npt.NDArray[np.int64]
    server: npt.NDArray[np.int64]
    sub: npt.NDArray[np.int64] | None
    heap: tuple[Any, ...]


class Layout:
    """Where everything is, in bytes from the first item: the starts of n items, their masks and types (0
    without value), and the tails, where status and times follow the value. Not for masks with picoseconds.
    Values whose type is not in FIXED are left 0."""

    def __init__(
        self,
        masks: npt.NDArray[np.uint8],
        types: npt.NDArray[np.uint8],
        starts: npt.NDArray[np.intp],
        tails: npt.NDArray[np.intp],
    ) -> None:
        self._n = len(masks)
        self._masks = masks
        self._type = types
        valued = (masks & 1) != 0
        self._mask_at = _places(starts + 4)
        self._handle_at = _places(starts)
        self._types = types[valued]
        self._type_at = _places(starts[valued] + 5)
        self._values = [
            (int(kind), _rows(types == kind), _places(starts[types == kind] + 6))
            for kind in np.flatnonzero(np.bincount(types))
            if kind and kind in FIXED
        ]
        self._fields: list[tuple[int, Places, Places]] = []
        for bit, size in ((0x02, 4), (0x04, 8), (0x08, 8)):
            there = (masks & bit) != 0
            if there.any():
                self._fields.append((bit, _rows(there), _places(tails[there])))
                tails = tails + np.where(there, size, 0)
        self.size = int(tails[-1]) if self._n else 0

    def read(self, data: bytes, start: int, size: int) -> Columns | None:
        """Columns of the items that begin at ``start``; None when the message is laid out differently.
        ``size`` bytes of it may be touched."""
        if size < self.size:
            return None
        octets = np.frombuffer(data, np.uint8, size, start)
        if np.array_equal(octets[self._mask_at], self._masks) and np.array_equal(
            octets[self._type_at], self._types
        ):
            return self.columns(data, start, size)
        return None

    def columns(self, data: bytes, start: int, size: int) -> Columns:
        """As :meth:`read`, of a message that is known to be laid out so."""
        view = _Views(data, start, size)
        handle = np.ascontiguousarray(view["<u4"][self._handle_at])
        fields = [
            self._field(view, bit, dtype) for bit, dtype in ((0x02, "<u4"), (0x04, "<i8"), (0x08, "<i8"))
        ]
        status, source, server = fields
        bits = self._bits(view)
        return Columns(handle, self._type, bits, status.astype(np.uint32), source, server, None, ())

    def _bits(self, view: _Views) -> npt.NDArray[np.int64]:
        bits = np.zeros(self._n, dtype=np.int64)
        for kind, rows, places in self._values:
            raw = view[FIXED[kind]][places]
            if kind == ValueType.BOOLEAN:
                raw = raw != 0
            elif kind == ValueType.FLOAT:
                raw = raw.astype(np.float64).view(np.int64)
            bits[rows] = raw
        return bits

    def _field(self, view: _Views, bit: int, dtype: str) -> npt.NDArray[Any]:
        column = np.zeros(self._n, dtype=np.int64)
        for own, rows, places in self._fields:
            if own == bit:
                column[rows] = view[dtype][places]
        return column


class _Views(dict[str, npt.NDArray[Any]]):
    """All places of a message as one type: overlapping, unaligned, not copied."""

    def __init__(self, data: bytes, start: int, size: int) -> None:
        super().__init__()
        self._data, self._start, self._size = data, start, size

    def __missing__(self, dtype: str) -> npt.NDArray[Any]:
        room = self._size - np.dtype(dtype).itemsize + 1
        self[dtype] = np.ndarray((room,), dtype, self._data, self._start, (1,))
        return self[dtype]


def _rows(mask: npt.NDArray[np.bool_]) -> Places:
    return _places(np.flatnonzero(mask))


def _places(index: npt.NDArray[np.intp]) -> Places:
    """The same places as a slice when they are evenly spaced: a strided read is ten times cheaper."""
    if len(index) == 1:
        return slice(int(index[0]), int(index[0]) + 1)
    if len(index) > 1:
        step = int(index[1] - index[0])
        if step > 0 and bool((np.diff(index) == step).all()):
            return slice(int(index[0]), int(index[-1]) + 1, step)
    return index
