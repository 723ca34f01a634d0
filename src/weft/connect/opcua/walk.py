"""The way through a long message without a known layout: only its steps are taken one by one, everything else
is read as columns afterwards."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from weft.connect.opcua.layout import FIXED, Columns, Layout
from weft.model import ARRAY, quality
from weft.model.batch import NULL_INDEX
from weft.model.values import HEAPED
from weft.ua.variant import BadEncoding, Reader

__all__ = ["walk"]

_HEAD: Final = 5  # client handle and mask
_PICOSECONDS: Final = 0x30
_VARIABLE: Final = 0
_WIDTHS: Final = np.zeros(256, dtype=np.intp)
for _kind, _dtype in FIXED.items():
    _WIDTHS[_kind] = np.dtype(_dtype).itemsize if _kind else 0


def _tail(mask: int) -> int:
    return sum(size for bit, size in ((0x02, 4), (0x04, 8), (0x08, 8), (0x10, 2), (0x20, 2)) if mask & bit)


class _Steps(dict[int, int]):
    """Bytes of an item by ``mask | type << 8``; a mask without value is followed by any byte."""

    def __missing__(self, key: int) -> int:
        mask, kind = key & 0xFF, key >> 8
        if not mask & 1:
            step = _HEAD + _tail(mask)
        elif kind in FIXED:
            step = _HEAD + 1 + int(_WIDTHS[kind]) + _tail(mask)
        else:
            step = _VARIABLE
        self[key] = step
        return step


_steps: Final = _Steps()


def walk(reader: Reader, n: int) -> tuple[Columns, Layout | None] | None:
    """The next n data changes, and their layout when none is of variable size; None, with the reader where it
    was, when some have picoseconds."""
    data, first = reader.data, reader.pos
    pos = first
    starts = []
    variable: list[tuple[int, int, int, Any]] = []
    for row in range(n):
        starts.append(pos)
        step = _steps[data[pos + 4] | data[pos + 5] << 8]
        if step:
            pos += step
        else:
            reader.pos = pos + _HEAD
            variable.append((row, *_value(reader)))
            pos = reader.skip(_tail(data[pos + 4])) + _tail(data[pos + 4])
    if pos > reader.end:
        raise BadEncoding(f"{n} data changes reach {pos - reader.end} bytes beyond the message")
    octets = np.frombuffer(data, np.uint8)
    start = np.array(starts, dtype=np.intp)
    masks = octets[start + 4]
    if (masks & _PICOSECONDS).any():
        reader.pos = first
        return None
    reader.pos = pos
    types = np.where(masks & 1, octets[start + 5], 0).astype(np.uint8)
    tails = start + _HEAD + (masks & 1) + _WIDTHS[types]
    for row, end, kind, _ in variable:
        tails[row], types[row] = end, kind
    layout = Layout(masks, types, start - first, tails - first)
    columns = layout.columns(data, first, reader.end - first)
    return (_with_values(columns, variable), None) if variable else (columns, layout)


_SPOILED: Final = object()


def _value(reader: Reader) -> tuple[int, int, Any]:
    """Where a value of variable size ends, its type, and itself."""
    reader.spoiled = False
    kind, value = reader.variant()
    return reader.pos, kind, _SPOILED if reader.spoiled else value


def _with_values(columns: Columns, variable: list[tuple[int, int, int, Any]]) -> Columns:
    heap: list[Any] = []
    for row, _, kind, value in variable:
        if kind < ARRAY and kind not in HEAPED:
            continue
        columns.bits[row] = NULL_INDEX
        if value is _SPOILED:
            columns.status[row] = quality.BAD_DECODING_ERROR
        elif value is not None:
            columns.bits[row] = len(heap)
            heap.append(value)
    return columns._replace(heap=tuple(heap))
