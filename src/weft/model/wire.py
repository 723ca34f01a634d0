"""The one binary form of batches and events outside a process: a msgpack array around raw columns.

``["B", source, sequence, received, n, signal, time, type, bits, status, flags, heap]``: columns are
little-endian bytes; ``type`` is one byte when all rows share it; ``status`` and ``flags`` are empty when all
are zero. ``["E", {...}]`` is an event, ``["R", bytes]`` anything else. Decoded columns are views of the
message, not copies.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from weft.model.batch import NULL_INDEX, Batch
from weft.model.event import Event
from weft.model.quality import BAD, BAD_TYPE_MISMATCH
from weft.model.values import ARRAY, HEAPED, ValueType, is_in

__all__ = ["MAX_ROWS", "BadWire", "Body", "decode", "encode"]

Body: TypeAlias = "Batch | Event | bytes"

MAX_ROWS: Final = 1_000_000

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(list[Any]).decode
_UNSAYABLE: Final = (TypeError, ValueError, OverflowError, RecursionError)
_HEAPED_OR_ARRAY: Final = frozenset({*HEAPED, *range(ARRAY, 256)})


class BadWire(ValueError):
    """The bytes are not a message of this form; the text names the part."""


def encode(body: Body) -> bytes:
    """The message for ``body``. A value that msgpack cannot say (an integer beyond 64 bits, a lone surrogate, an
    object) travels as null with BadTypeMismatch: one bad value never holds up its batch. Raises ValueError
    for a batch of more than MAX_ROWS rows: split it."""
    if isinstance(body, Batch):
        fields = _batch_fields(body)
        try:
            return _pack(fields)
        except _UNSAYABLE:
            return _pack(_batch_fields(_sayable(body)))
    if isinstance(body, Event):
        return _pack(["E", body])
    return _pack(["R", body])


def decode(data: bytes | memoryview) -> Body:
    """The body of a message. Raises BadWire."""
    try:
        fields = _unpack(data)
        tag, rest = fields[0], fields[1:]
        if tag == "B":
            return _batch(rest)
        if tag == "E":
            return msgspec.convert(rest[0], Event)
        if tag == "R" and isinstance(rest[0], bytes):
            return rest[0]
    except BadWire:
        raise
    except (msgspec.MsgspecError, ValueError, TypeError, IndexError, RecursionError) as error:
        raise BadWire(f"not a Weft message: {error}") from error
    raise BadWire(f"not a Weft message: unknown tag {tag!r}")


def _batch_fields(batch: Batch) -> list[Any]:
    if len(batch) > MAX_ROWS:
        raise ValueError(f"{len(batch)} rows in one message; at most {MAX_ROWS}")
    batch = batch.compact() if batch.heap else batch
    uniform = len(batch) > 0 and bool((batch.type == batch.type[0]).all())
    return [
        "B",
        batch.source,
        batch.sequence,
        batch.received,
        len(batch),
        batch.signal.astype("<i4", copy=False).tobytes(),
        batch.time.astype("<i8", copy=False).tobytes(),
        batch.type[:1].tobytes() if uniform else batch.type.tobytes(),
        batch.bits.astype("<i8", copy=False).tobytes(),
        batch.status.astype("<u4", copy=False).tobytes() if batch.status.any() else b"",
        batch.flags.astype("<u2", copy=False).tobytes() if batch.flags.any() else b"",
        list(batch.heap),
    ]


def _can_be_said(value: Any) -> bool:
    try:
        _pack(value)
    except _UNSAYABLE:
        return False
    return True


def _sayable(batch: Batch) -> Batch:
    unsaid = np.array([not _can_be_said(value) for value in batch.heap], dtype=np.bool_)
    rows = np.flatnonzero(batch.on_heap)
    rows = rows[unsaid[batch.bits[rows]]]
    bits, status = batch.bits.copy(), batch.status.copy()
    bits[rows] = NULL_INDEX
    status[rows] = np.where(status[rows] < BAD, BAD_TYPE_MISMATCH, status[rows])
    return batch.replace(bits=bits, status=status)


def _batch(fields: list[Any]) -> Batch:
    source, sequence, received, n, signal, time, type_, bits, status, flags, heap = fields
    if not (isinstance(n, int) and 0 <= n <= MAX_ROWS):
        raise BadWire(f"row count {n!r} is not between 0 and {MAX_ROWS}")
    if not (isinstance(source, str) and isinstance(heap, list)):
        raise BadWire("source is not text or the heap not an array")
    types = np.full(n, type_[0], np.uint8) if len(type_) == 1 else _column("type", type_, "u1", n)
    batch = Batch(
        _column("signal", signal, "<i4", n),
        _column("time", time, "<i8", n),
        types,
        _column("bits", bits, "<i8", n),
        _column("status", status, "<u4", n) if status else np.zeros(n, np.uint32),
        _column("flags", flags, "<u2", n) if flags else np.zeros(n, np.uint16),
        tuple(heap),
        source=source,
        sequence=int(sequence),
        received=int(received),
    )
    _check_values(batch)
    return batch


def _column(name: str, data: bytes, dtype: str, n: int) -> npt.NDArray[Any]:
    column = np.frombuffer(data, dtype=dtype)
    if len(column) != n:
        raise BadWire(f"column {name!r} has {len(column)} rows, not {n}")
    return column


def _check_values(batch: Batch) -> None:
    scalar = batch.type & ~np.uint8(ARRAY)
    if len(batch) and int(scalar.max()) > ValueType.DIAGNOSTICINFO:
        raise BadWire(f"type {int(scalar.max())} is not an OPC UA built-in type")
    places = batch.bits[is_in(batch.type, _HEAPED_OR_ARRAY)]
    if len(places) and (int(places.min()) < NULL_INDEX or int(places.max()) >= len(batch.heap)):
        raise BadWire("a value points outside the heap")
