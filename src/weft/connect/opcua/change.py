"""Data changes one by one, for short messages and those with picoseconds: a precompiled form per (mask, type), and the
:class:`~weft.ua.variant.Reader` for what has no fixed size."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, Final

import numpy as np

from weft.connect.opcua.layout import FIXED, Columns
from weft.model import ARRAY, ValueType, quality
from weft.model.batch import NULL_INDEX
from weft.model.values import HEAPED
from weft.ua.variant import Reader

__all__ = ["Changes", "read_changes"]

_FORMATS: Final = {
    ValueType.NULL: "",
    ValueType.BOOLEAN: "?",
    ValueType.SBYTE: "b",
    ValueType.BYTE: "B",
    ValueType.INT16: "h",
    ValueType.UINT16: "H",
    ValueType.INT32: "i",
    ValueType.UINT32: "I",
    ValueType.INT64: "q",
    ValueType.UINT64: "q",
    ValueType.FLOAT: "f",
    ValueType.DOUBLE: "q",
    ValueType.DATETIME: "q",
    ValueType.STATUSCODE: "I",
}
_DOUBLE: Final = struct.Struct("<d")
_DOUBLE_BITS: Final = struct.Struct("<q")
_TAIL: Final = ((0x02, "I"), (0x04, "q"), (0x10, "H"), (0x08, "q"), (0x20, "H"))  # OPC 10000-6, 5.2.2.17


class _Form:
    """One layout of a data change, or of what follows its value; places in the unpacked tuple, -1 absent."""

    __slots__ = ("server", "server_pico", "size", "source", "source_pico", "status", "unpack", "valued")

    def __init__(self, mask: int, head: str, valued: bool) -> None:
        form, place = "<" + head, len(head)
        at: dict[int, int] = {}
        for bit, code in _TAIL:
            if mask & bit:
                at[bit] = place
                form += code
                place += 1
        self.valued = valued
        self.status, self.source, self.server = at.get(2, -1), at.get(4, -1), at.get(8, -1)
        self.source_pico, self.server_pico = at.get(0x10, -1), at.get(0x20, -1)
        compiled = struct.Struct(form)
        self.unpack, self.size = compiled.unpack_from, compiled.size


@cache
def _whole(mask: int, kind: int) -> _Form | None:
    """Client handle, mask, [type, value] and tail; None when the value has no fixed size."""
    if not mask & 1:
        return _Form(mask, "IB", valued=False)
    if kind not in FIXED:
        return None
    code = _FORMATS[ValueType(kind)]
    return _Form(mask, "IBB" + code, valued=bool(code))


@cache
def _tail(mask: int) -> _Form:
    return _Form(mask, "", valued=False)


class Changes:
    """Columns in the making."""

    def __init__(self) -> None:
        self.handle: list[int] = []
        self.type: list[int] = []
        self.bits: list[int] = []
        self.status: list[int] = []
        self.source: list[int] = []
        self.server: list[int] = []
        self.floats: dict[int, float] = {}
        self.sub: dict[int, int] = {}
        self.heap: list[Any] = []

    def columns(self) -> Columns:
        bits = np.array(self.bits, dtype=np.int64)
        if self.floats:
            bits[list(self.floats)] = np.array(list(self.floats.values()), dtype=np.float64).view(np.int64)
        sub = np.zeros(len(bits), dtype=np.int64) if self.sub else None
        if sub is not None:
            sub[list(self.sub)] = list(self.sub.values())
        return Columns(
            np.array(self.handle, dtype=np.uint32),
            np.array(self.type, dtype=np.uint8),
            bits,
            np.array(self.status, dtype=np.uint32),
            np.array(self.source, dtype=np.int64),
            np.array(self.server, dtype=np.int64),
            sub,
            tuple(self.heap),
        )

    def put(
        self, handle: int, kind: int, bits: int, form: _Form, record: tuple[Any, ...], bad: int = 0
    ) -> None:
        """One data change; ``bad`` replaces the source's status."""
        source = record[form.source] if form.source >= 0 else 0
        server = record[form.server] if form.server >= 0 else 0
        pico = form.source_pico if source > 0 else form.server_pico
        if pico >= 0:
            # Counted in 10 ps; above 9999 reads as 9999 (OPC 10000-4, 7.11.2).
            self.sub[len(self.handle)] = min(record[pico], 9999) // 100
        self.handle.append(handle)
        self.type.append(kind)
        self.bits.append(bits)
        self.status.append(bad or (record[form.status] if form.status >= 0 else 0))
        self.source.append(source)
        self.server.append(server)

    def variable(self, reader: Reader) -> None:
        """One data change whose value has no fixed size."""
        handle, mask = reader.u32(), reader.u8()
        reader.spoiled = False
        kind, value = reader.variant()
        bad = quality.BAD_DECODING_ERROR if reader.spoiled else 0
        form = _tail(mask & 0x3E)
        record = form.unpack(reader.data, reader.skip(form.size))
        bits = NULL_INDEX
        if kind < ARRAY and kind not in HEAPED:
            bits = _bits(kind, value)  # a single value that claims to have dimensions
        elif value is not None and not bad:
            bits = len(self.heap)
            self.heap.append(value)
        self.put(handle, kind, bits, form, record, bad)


def _bits(kind: int, value: Any) -> int:
    """A single value of fixed size as a batch has it."""
    if kind in (ValueType.FLOAT, ValueType.DOUBLE):
        return int(_DOUBLE_BITS.unpack(_DOUBLE.pack(value))[0])
    number = int(value or 0)
    return number - 2**64 if number >= 2**63 else number


def read_changes(reader: Reader, n: int) -> Columns:
    """The next n data changes."""
    changes = Changes()
    data = reader.data
    for _ in range(n):
        at = reader.pos
        start = reader.skip(6) if reader.end - at >= 6 else reader.skip(5)
        mask = data[start + 4]
        kind = data[start + 5] if mask & 1 else 0
        form = _whole(mask & 0x3F, kind)
        reader.pos = at
        if form is None:
            changes.variable(reader)
            continue
        record = form.unpack(data, reader.skip(form.size))
        value = record[3] if form.valued else 0
        if kind == ValueType.FLOAT:
            changes.floats[len(changes.handle)] = value
            value = 0
        changes.put(record[0], kind, value, form, record)
    return changes.columns()
