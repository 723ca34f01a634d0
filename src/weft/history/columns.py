"""The columns of a segment: a batch as an Arrow table and back, bit for bit.

=========  =====================  ==================================================================
signal     int32                  the catalog's handle
time       timestamp[ns, UTC]     source time
value      double, null           of Float and Double
integer    int64, null            of Boolean, integers, DateTime (ticks), StatusCode; UInt64 keeps its bits
text       string, null           of String and other types whose value is text
data       binary, null           of arrays, bytes, structures: msgpack
type       uint8                  OPC UA built-in type, + 128 for an array of it
status     uint32                 OPC UA StatusCode
flags      uint16                 :class:`weft.model.Flag`
=========  =====================  ==================================================================
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weft.model import ARRAY, Batch, ValueType
from weft.model.values import FLOATS, HEAPED, is_in

__all__ = ["SAMPLES", "TIME", "bits_of", "from_table", "to_table"]

TIME: Final = pa.timestamp("ns", "UTC")

SAMPLES: Final = pa.schema(
    [
        pa.field("signal", pa.int32(), nullable=False),
        pa.field("time", TIME, nullable=False),
        pa.field("value", pa.float64()),
        pa.field("integer", pa.int64()),
        pa.field("text", pa.string()),
        pa.field("data", pa.binary()),
        pa.field("type", pa.uint8(), nullable=False),
        pa.field("status", pa.uint32(), nullable=False),
        pa.field("flags", pa.uint16(), nullable=False),
    ]
)

_NULL_INDEX: Final = -1


def _plain(value: Any) -> Any:
    """What msgpack does not know: numpy's arrays and numbers by their contents, anything else by its text."""
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


_pack: Final = msgspec.msgpack.Encoder(enc_hook=_plain).encode
_unpack: Final = msgspec.msgpack.Decoder().decode


def to_table(batch: Batch) -> pa.Table:
    """The rows as a table of the schema SAMPLES."""
    floats = is_in(batch.type, FLOATS)
    fixed = ~floats & ~_heaped(batch.type) & (batch.type != ValueType.NULL)
    text, data = _heap_columns(batch)
    columns = [
        pa.array(batch.signal),
        pa.array(batch.time).view(TIME),
        # As int64 and then re-labelled: the bits of NaN and -0.0 survive.
        _nullable(batch.bits, floats).view(pa.float64()),
        _nullable(batch.bits, fixed),
        text,
        data,
        pa.array(batch.type),
        pa.array(batch.status),
        pa.array(batch.flags),
    ]
    return pa.Table.from_arrays(columns, schema=SAMPLES)


def from_table(table: pa.Table) -> Batch:
    """The batch that :func:`to_table` was given. ``text`` and ``data`` may be missing when all null."""
    types = bits_of(table, "type", np.dtype(np.uint8))
    floats = is_in(types, FLOATS)
    value = bits_of(table, "value", np.dtype(np.int64))
    bits = value if floats.all() else np.where(floats, value, bits_of(table, "integer", np.dtype(np.int64)))
    bits, heap = _heap(table, types, bits)
    return Batch(
        bits_of(table, "signal", np.dtype(np.int32)),
        bits_of(table, "time", np.dtype(np.int64)),
        types,
        bits,
        bits_of(table, "status", np.dtype(np.uint32)),
        bits_of(table, "flags", np.dtype(np.uint16)),
        heap,
    )


def bits_of(table: pa.Table, name: str, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """A fixed-width column as it lies in memory; what stands at a null is undefined."""
    chunks = table.column(name).chunks
    parts = [_chunk(chunk, dtype) for chunk in chunks if len(chunk)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _chunk(chunk: pa.Array, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    buffer = chunk.buffers()[1]
    if buffer is None:
        return np.zeros(len(chunk), dtype)
    return np.frombuffer(buffer, dtype=dtype, count=chunk.offset + len(chunk))[chunk.offset :]


def _heaped(types: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return np.asarray(is_in(types, HEAPED) | (types >= ARRAY), dtype=np.bool_)


def _nullable(bits: npt.NDArray[np.int64], present: npt.NDArray[np.bool_]) -> pa.Array:
    if present.all():
        return pa.array(bits)
    return pa.array(bits, mask=~present) if present.any() else pa.nulls(len(bits), pa.int64())


def _heap_columns(batch: Batch) -> tuple[pa.Array, pa.Array]:
    n = len(batch)
    used = np.flatnonzero(batch.on_heap)
    if not len(used):
        return pa.nulls(n, pa.string()), pa.nulls(n, pa.binary())
    text: list[str | None] = [None] * n
    data: list[bytes | None] = [None] * n
    for row, place, code in zip(
        used.tolist(), batch.bits[used].tolist(), batch.type[used].tolist(), strict=True
    ):
        value = batch.heap[place]
        if isinstance(value, str) and code < ARRAY:
            # A lone surrogate has no UTF-8: it becomes "?", so that one bad text never stops the rest.
            text[row] = value if value.isascii() else value.encode("utf-8", "replace").decode()
        else:
            data[row] = _pack(value)
    return pa.array(text, pa.string()), pa.array(data, pa.binary())


def _heap(
    table: pa.Table, types: npt.NDArray[np.uint8], bits: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], tuple[Any, ...]]:
    """Bits with the places of heap values, -1 for their nulls and 0 for Null, and the heap."""
    heaped = _heaped(types)
    null = types == ValueType.NULL
    if not (heaped.any() or null.any()):
        return bits, ()
    bits = bits.copy()
    bits[null] = 0
    rows = np.flatnonzero(heaped)
    values = _texts(table, rows)
    for i, packed in enumerate(_cells(table, "data", rows)):
        if packed is not None:
            values[i] = _Packed(packed)
    there = np.array([value is not None for value in values], dtype=np.bool_)
    bits[rows] = np.where(there, np.cumsum(there) - 1, _NULL_INDEX)
    heap = tuple(_unpack(v.data) if isinstance(v, _Packed) else v for v in values if v is not None)
    return bits, heap


class _Packed:
    """A msgpack value, which may itself be null, apart from a missing one."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


def _texts(table: pa.Table, rows: npt.NDArray[np.intp]) -> list[Any]:
    cells: list[Any] = list(_cells(table, "text", rows))
    return cells or [None] * len(rows)


def _cells(table: pa.Table, name: str, rows: npt.NDArray[np.intp]) -> list[Any]:
    """The cells of these rows; none at all when the whole column is null."""
    if name not in table.column_names or table.column(name).null_count == len(table):
        return []
    cells: list[Any] = table.column(name).take(pa.array(rows)).to_pylist()
    return cells
