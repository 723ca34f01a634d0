"""ReadResponse bytes to columns (OPC 10000-4, 5.11.2): as :mod:`decode` does with data changes, whose layout a result
has but for the client handle in front."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import numpy as np
from asyncua.ua.object_ids import ObjectIds

from weft.connect.opcua.change import read_changes
from weft.connect.opcua.decode import response
from weft.connect.opcua.layout import FIXED, Columns, Layout
from weft.ua.variant import Reader

__all__ = ["Readings"]

_READ: Final = f"i={ObjectIds.ReadResponse_Encoding_DefaultBinary}"
_HANDLE: Final = 4  # bytes that a result lacks
_KEPT: Final = 64
_PICOSECONDS: Final = 0x30
_TAILS: Final = ((0x02, 4), (0x04, 8), (0x08, 8))
_NO_HANDLE: Final = bytes(_HANDLE)


class Readings:
    """Remembers how the responses of one connection are laid out."""

    def __init__(self) -> None:
        self._layouts: OrderedDict[tuple[int, int], Layout] = OrderedDict()

    def columns(self, data: bytes) -> Columns:
        """Of all results; ``handle`` is the place in the request. Raises BadEncoding (or struct.error) when it
        cannot be read, UaStatusCodeError when the service failed."""
        reader = Reader(data)
        response(reader, _READ)
        n = max(reader.count(), 0)
        first, size = reader.pos - _HANDLE, reader.end - reader.pos + _HANDLE
        layout = self._layouts.get((n, size))
        columns = layout.read(data, first, size) if layout is not None else None
        if columns is None:
            layout = _laid_out(reader, n)
            if layout is None:
                return _one_by_one(reader, n)
            columns = layout.columns(data, first, size)
            self._keep((n, size), layout)
        return columns._replace(handle=np.arange(n, dtype=np.uint32))

    def _keep(self, key: tuple[int, int], layout: Layout) -> None:
        self._layouts[key] = layout
        if len(self._layouts) > _KEPT:
            self._layouts.popitem(last=False)


def _laid_out(reader: Reader, n: int) -> Layout | None:
    """None, with the reader where it was, when a result has no fixed size or picoseconds."""
    begun = reader.pos
    masks, types = np.zeros(n, dtype=np.uint8), np.zeros(n, dtype=np.uint8)
    starts, tails = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp)
    for row in range(n):
        starts[row] = reader.pos - begun
        mask = reader.u8()
        kind = reader.u8() if mask & 1 else 0
        if mask & _PICOSECONDS or (mask & 1 and kind not in FIXED):
            reader.pos = begun
            return None
        if kind:
            reader.skip(np.dtype(FIXED[kind]).itemsize)
        masks[row], types[row] = mask, kind
        tails[row] = reader.pos - begun + _HANDLE
        reader.skip(sum(size for bit, size in _TAILS if mask & bit))
    return Layout(masks, types, starts, tails)


def _one_by_one(reader: Reader, n: int) -> Columns:
    """Results of any size: each read as the data change that it would be with a handle."""
    parts: list[bytes] = []
    for _ in range(n):
        begun = reader.pos
        mask = reader.u8()
        if mask & 1:
            reader.variant()
        reader.skip(sum(size for bit, size in (*_TAILS, (0x10, 2), (0x20, 2)) if mask & bit))
        parts += (_NO_HANDLE, reader.data[begun : reader.pos])
    columns = read_changes(Reader(b"".join(parts)), n)
    return columns._replace(handle=np.arange(n, dtype=np.uint32))
