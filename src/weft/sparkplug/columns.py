"""Many plain metrics at once: alias, time, datatype, flags and a number each. What DATA messages are made of.

A metric of a text, bytes, a name or properties of its own is not plain: it goes one by one
(:mod:`weft.sparkplug.encode`). The one property that is plain, too, is :data:`WITHIN`: nanoseconds within the
millisecond, which a Sparkplug timestamp cannot hold.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from weft.sparkplug.datatype import Field

__all__ = ["HISTORICAL", "IS_NULL", "TRANSIENT", "WITHIN", "Columns", "encode_columns", "widths"]

HISTORICAL: Final = 1
TRANSIENT: Final = 2
IS_NULL: Final = 4

WITHIN: Final = "weft:ns"
# keys ["weft:ns"], values [{type: UInt32, int_value: …}] up to the number
WITHIN_KEY: Final = b"\x0a\x07weft:ns"
WITHIN_VALUE: Final = b"\x08\x07\x18"

Unsigned: TypeAlias = npt.NDArray[np.uint64]
Octets: TypeAlias = npt.NDArray[np.uint8]

_STEPS: Final = np.array([1 << 7 * k for k in range(1, 10)], dtype=np.uint64)
_SEVEN: Final = np.arange(0, 70, 7, dtype=np.uint64)
_LOW: Final = np.uint64(0x7F)
_TAG: Final = {Field.INT: 0x50, Field.LONG: 0x58, Field.FLOAT: 0x65, Field.DOUBLE: 0x69, Field.BOOLEAN: 0x70}


class Columns(NamedTuple):
    """n plain metrics, all columns of length n.

    alias     uint64
    time      uint64  ms since 1970 UTC
    within    uint32  ns within that ms, 0 is not sent
    datatype  uint8   0: not sent, it is known from the birth
    field     uint8   :class:`~weft.sparkplug.datatype.Field`: INT … BOOLEAN, or NONE
    bits      uint64  the number: integers as the wire has them, floats and doubles as the bits of a double
    flags     uint8   HISTORICAL, TRANSIENT, IS_NULL
    """

    alias: Unsigned
    time: Unsigned
    within: npt.NDArray[np.uint32]
    datatype: Octets
    field: Octets
    bits: Unsigned
    flags: Octets


def widths(values: Unsigned) -> Octets:
    """Bytes of each number as a varint."""
    if not len(values):
        return np.zeros(0, dtype=np.uint8)
    low, high = np.searchsorted(_STEPS, (values.min(), values.max()), side="right")
    if low == high:
        return np.full(len(values), low + 1, dtype=np.uint8)
    return (np.searchsorted(_STEPS, values, side="right") + 1).astype(np.uint8)


def encode_columns(columns: Columns) -> tuple[bytes, npt.NDArray[np.int64]]:
    """The metrics, each with tag and length, fields in order and numbers in their shortest form; and where each
    begins (n + 1, the last is the end)."""
    n = len(columns.alias)
    shapes = _shapes(columns)
    first = int(shapes[0]) if n else 0
    if not n or bool((shapes == first).all()):
        block = _block(columns, first, slice(None)) if n else np.zeros((0, 0), dtype=np.uint8)
        return block.tobytes(), np.arange(n + 1, dtype=np.int64) * block.shape[1]
    found, which = np.unique(shapes, return_inverse=True)
    blocks = []
    sizes = np.zeros(len(found), dtype=np.int64)
    for i, shape in enumerate(found.tolist()):
        rows = np.flatnonzero(which == i)
        blocks.append((rows, _block(columns, shape, rows)))
        sizes[i] = blocks[-1][1].shape[1]
    starts = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(sizes[which], out=starts[1:])
    out = np.empty(int(starts[-1]), dtype=np.uint8)
    for rows, block in blocks:
        out[starts[rows][:, None] + np.arange(block.shape[1])] = block
    return out.tobytes(), starts


def _shapes(c: Columns) -> npt.NDArray[np.uint64]:
    """A number for each metric that says which fields of which width it has. Of equal shape, equal length."""
    width = np.zeros(len(c.alias), dtype=np.uint64)
    integer = (c.field == Field.INT) | (c.field == Field.LONG)
    if integer.all():
        width[:] = widths(c.bits)
    elif integer.any():
        width[integer] = widths(c.bits[integer])
    shape = widths(c.alias).astype(np.uint64) | widths(c.time).astype(np.uint64) << np.uint64(4)
    shape |= width << np.uint64(8) | c.field.astype(np.uint64) << np.uint64(12)
    shape |= c.flags.astype(np.uint64) << np.uint64(16) | (c.datatype != 0).astype(np.uint64) << np.uint64(20)
    if c.within.any():
        within = widths(c.within.astype(np.uint64)).astype(np.uint64)
        within[c.within == 0] = 0
        shape |= within << np.uint64(24)
    return shape


def _block(c: Columns, shape: int, rows: slice | npt.NDArray[np.intp]) -> Octets:
    """Metrics of one shape (m x bytes)."""
    parts: list[bytes | tuple[int, Octets]] = [
        b"\x10", _varints(c.alias[rows], shape & 15), b"\x18", _varints(c.time[rows], shape >> 4 & 15)
    ]  # fmt: skip
    flags = shape >> 16 & 15
    if shape >> 20 & 1:
        parts += [b"\x20", (1, c.datatype[rows][:, None])]
    for flag, sent in ((HISTORICAL, b"\x28\x01"), (TRANSIENT, b"\x30\x01"), (IS_NULL, b"\x38\x01")):
        if flags & flag:
            parts.append(sent)
    if within := shape >> 24:
        value = bytes((0x12, len(WITHIN_VALUE) + within)) + WITHIN_VALUE
        size = len(WITHIN_KEY) + len(value) + within
        parts += [bytes((0x4A, size)) + WITHIN_KEY + value]
        parts += [_varints(c.within[rows].astype(np.uint64), within)]
    field = shape >> 12 & 15
    if field:
        parts += [bytes((_TAG[Field(field)],)), _value(c.bits[rows], field, shape >> 8 & 15)]
    return _joined(parts)


def _value(bits: Unsigned, field: int, width: int) -> tuple[int, Octets]:
    if field == Field.DOUBLE:
        return 8, np.ascontiguousarray(bits).view(np.uint8).reshape(-1, 8)
    if field == Field.FLOAT:
        with np.errstate(over="ignore", invalid="ignore"):  # what a float cannot hold is infinite
            singles = np.ascontiguousarray(bits).view(np.float64).astype("<f4")
        return 4, singles.view(np.uint8).reshape(-1, 4)
    if field == Field.BOOLEAN:
        return 1, (bits != 0).astype(np.uint8)[:, None]
    return _varints(bits, width)


def _varints(values: Unsigned, width: int) -> tuple[int, Octets]:
    """Numbers that all take ``width`` bytes."""
    digits = (values[:, None] >> _SEVEN[:width] & _LOW).astype(np.uint8)
    digits[:, : width - 1] |= 0x80
    return width, digits


def _joined(parts: list[bytes | tuple[int, Octets]]) -> Octets:
    """Constant pieces and columns side by side, behind the tag and length of a metric."""
    size = sum(len(part) if isinstance(part, bytes) else part[0] for part in parts)
    count = next(len(part[1]) for part in parts if not isinstance(part, bytes))
    out = np.empty((count, size + 2), dtype=np.uint8)
    template = bytearray((0x12, size))
    for part in parts:
        template += part if isinstance(part, bytes) else bytes(part[0])
    out[:] = np.frombuffer(bytes(template), dtype=np.uint8)
    at = 2
    for part in parts:
        if isinstance(part, bytes):
            at += len(part)
        else:
            out[:, at : at + part[0]] = part[1]
            at += part[0]
    return out
