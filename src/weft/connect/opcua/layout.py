"""Where the fields of a notification's monitored items lie, found once and then verified and read as columns.

A data change of fixed size is laid out by its mask and its type alone. So when the masks and types of a known
layout are found at their places in a new message, all other fields are at theirs, by induction from the first
item: two comparisons replace the walk, and each field of all items is one strided or indexed read.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """For n items whose masks, types (0 without value) and starts, in bytes from the first item, are given.
    Only for masks without picoseconds and types in FIXED."""

    def __init__(self, masks: Sequence[int], types: Sequence[int], starts: Sequence[int]) -> None:
        self._n = len(masks)
        self._masks = np.array(masks, dtype=np.uint8)
        self._type = np.array(types, dtype=np.uint8)
        start = np.array(starts, dtype=np.intp)
        valued = (self._masks & 1) != 0
        width = np.array(
            [np.dtype(FIXED[kind]).itemsize if kind else 0 for kind in range(32) if kind in FIXED]
        )
        widths = np.zeros(32, dtype=np.intp)
        widths[list(FIXED)] = width
        tail = start + 5 + valued + widths[self._type]
        self._mask_at = _places(start + 4)
        self._handle_at = _places(start)
        self._types = self._type[valued]
        self._type_at = _places(start[valued] + 5)
        self._values = [
            (int(kind), _rows(self._type == kind), _places(start[self._type == kind] + 6))
            for kind in np.unique(self._type[self._type != 0])
        ]
        self._fields: list[tuple[int, Places, Places]] = []
        for bit, size in ((0x02, 4), (0x04, 8), (0x08, 8)):
            there = (self._masks & bit) != 0
            if there.any():
                self._fields.append((bit, _rows(there), _places(tail[there])))
            tail = tail + np.where(there, size, 0)
        self.size = int(tail[-1]) if self._n else 0

    def read(self, data: bytes, start: int, size: int) -> Columns | None:
        """Columns of the items that begin at ``start``; None when the message is laid out differently.
        ``size`` bytes of it may be touched."""
        if size < self.size:
            return None
        octets = np.frombuffer(data, np.uint8, size, start)
        if not (
            np.array_equal(octets[self._mask_at], self._masks)
            and np.array_equal(octets[self._type_at], self._types)
        ):
            return None
        views: dict[str, npt.NDArray[Any]] = {}

        def view(dtype: str) -> npt.NDArray[Any]:
            # All places of the message as this type: overlapping, unaligned, not copied.
            if dtype not in views:
                room = size - np.dtype(dtype).itemsize + 1
                views[dtype] = np.ndarray((room,), dtype, data, start, (1,))
            return views[dtype]

        handle = np.ascontiguousarray(view("<u4")[self._handle_at])
        found = {bit: view("<u4" if bit == 2 else "<i8") for bit, _, _ in self._fields}
        status, source, server = (self._field(bit, found.get(bit)) for bit in (0x02, 0x04, 0x08))
        bits = self._bits(view)
        return Columns(handle, self._type, bits, status.astype(np.uint32), source, server, None, ())

    def _bits(self, view: Any) -> npt.NDArray[np.int64]:
        bits = np.zeros(self._n, dtype=np.int64)
        for kind, rows, places in self._values:
            raw = view(FIXED[kind])[places]
            if kind == ValueType.BOOLEAN:
                raw = raw != 0
            elif kind == ValueType.FLOAT:
                raw = raw.astype(np.float64).view(np.int64)
            bits[rows] = raw
        return bits

    def _field(self, bit: int, view: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
        column = np.zeros(self._n, dtype=np.int64)
        if view is not None:
            for own, rows, places in self._fields:
                if own == bit:
                    column[rows] = view[places]
        return column


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
