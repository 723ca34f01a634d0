"""A message read into columns: plain metrics together, by the shape of their bytes, the others one by one."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from weft.sparkplug.columns import HISTORICAL, IS_NULL, TRANSIENT, WITHIN_KEY, WITHIN_VALUE
from weft.sparkplug.datatype import Field
from weft.sparkplug.decode import decode_metric
from weft.sparkplug.payload import Metric
from weft.sparkplug.wire import FIXED32, FIXED64, LENGTH, VARINT, BadPayload, Reader

__all__ = ["Scan", "scan"]

MOST_SHAPES: Final = 24  # of one length; beyond them metrics are read one by one
LOOK_AHEAD: Final = 256  # metrics; more at a time would be looked at again and again where lengths change
FEWEST: Final = 4  # metrics of one shape that are worth the columns

Octets = npt.NDArray[np.uint8]


class Scan(Struct):
    """n metrics in their order on the wire.

    alias     uint64, time uint64 (ms), within uint32 (ns), datatype uint8, field uint8, bits uint64, flags uint8
              as in :class:`~weft.sparkplug.columns.Columns`
    present   uint8   1: has an alias, 2: has a time
    others    the rows that are not plain (their columns are 0), as they are
    """

    timestamp: int | None
    seq: int | None
    uuid: str | None
    alias: npt.NDArray[np.uint64]
    time: npt.NDArray[np.uint64]
    within: npt.NDArray[np.uint32]
    datatype: Octets
    field: Octets
    bits: npt.NDArray[np.uint64]
    flags: Octets
    present: Octets
    others: dict[int, Metric]

    def __len__(self) -> int:
        return len(self.alias)


class _Piece(NamedTuple):
    """A field of a plain metric: its number, where its tag is, where its bytes are."""

    number: int
    tag: int
    start: int
    end: int


def scan(data: bytes) -> Scan:
    """Raises BadPayload."""
    reader = Reader(data)
    found = _Frame()
    _walk(reader, found)
    n = len(found.starts)
    reader.count(n)
    result = Scan(
        found.timestamp, found.seq, found.uuid,
        np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.zeros(n, np.uint32), np.zeros(n, np.uint8),
        np.zeros(n, np.uint8), np.zeros(n, np.uint64), np.zeros(n, np.uint8), np.zeros(n, np.uint8), {},
    )  # fmt: skip
    octets = np.frombuffer(data, np.uint8)
    starts, sizes = np.array(found.starts, np.int64), np.array(found.ends, np.int64)
    sizes -= starts
    left = np.ones(n, np.bool_)
    if n >= FEWEST:
        for size in np.unique(sizes).tolist():
            rows = np.flatnonzero(sizes == size)
            if size and len(rows) >= FEWEST:
                _of_one_size(reader, octets, rows, starts[rows], size, result, left)
    for row in np.flatnonzero(left).tolist():
        result.others[row] = decode_metric(reader, found.starts[row], found.ends[row])
    return result


class _Frame:
    def __init__(self) -> None:
        self.timestamp: int | None = None
        self.seq: int | None = None
        self.uuid: str | None = None
        self.starts: list[int] = []
        self.ends: list[int] = []


def _walk(reader: Reader, found: _Frame) -> None:
    """Where the metrics are; the frame's own fields."""
    data, pos, end = reader.data, 0, len(reader.data)
    octets = np.frombuffer(data, np.uint8)
    starts, ends = found.starts, found.ends
    while pos < end:
        if data[pos] == 0x12 and pos + 1 < end and data[pos + 1] < 0x80:  # a metric of less than 128 bytes
            a, size = pos + 2, data[pos + 1]
            pos = a + size
            if pos > end:
                raise BadPayload("ends within a metric")
            starts.append(a)
            ends.append(pos)
            if len(ends) > 1 and ends[-2] - starts[-2] == size:
                pos = _run(octets, pos, size + 2, starts, ends)
            continue
        pos = _other(reader, found, pos, end)


def _run(octets: Octets, pos: int, stride: int, starts: list[int], ends: list[int]) -> int:
    """Passes over the metrics from ``pos`` on that are as long as those before; where they end."""
    frames = min((len(octets) - pos) // stride, LOOK_AHEAD)
    heads = octets[pos : pos + frames * stride].reshape(frames, stride)[:, :2]
    alike = (heads[:, 0] == 0x12) & (heads[:, 1] == stride - 2)
    count = frames if alike.all() else int(np.argmin(alike))
    stop = pos + count * stride
    starts.extend(range(pos + 2, stop + 2, stride))
    ends.extend(range(pos + stride, stop + stride, stride))
    return stop


def _other(reader: Reader, found: _Frame, pos: int, end: int) -> int:
    """One field of the frame in full generality; returns where the next begins."""
    tag, after = reader.varint(pos, end)
    kind = tag & 7
    if kind in (VARINT, LENGTH):
        value, after = reader.varint(after, end)
        stop = after if kind == VARINT else after + value
    else:
        value, stop = 0, end  # nothing of ours: the general reader checks it, groups included
    if stop > end:
        raise BadPayload("ends within a field")
    for number, form, a, b in reader.fields(pos, stop):
        if number == 2 and form == LENGTH:
            found.starts.append(a)
            found.ends.append(b)
        elif number == 1 and form == VARINT:
            found.timestamp = a
        elif number == 3 and form == VARINT:
            found.seq = a
        elif number == 4 and form == LENGTH:
            found.uuid = reader.text(a, b)
    return stop


def _of_one_size(
    reader: Reader,
    octets: Octets,
    rows: npt.NDArray[np.intp],
    starts: npt.NDArray[np.int64],
    size: int,
    result: Scan,
    left: npt.NDArray[np.bool_],
) -> None:
    """Fills in the plain ones among metrics of ``size`` bytes and strikes them off ``left``."""
    stride = size + 2
    if (
        len(starts) * stride == starts[-1] - starts[0] + stride
    ):  # side by side: no need to pick bytes together
        first = int(starts[0])
        table = octets[first - 2 : first - 2 + len(starts) * stride].reshape(-1, stride)[:, 2:]
    else:
        table = octets[starts[:, None] + np.arange(size)]
    for _ in range(MOST_SHAPES):
        if len(rows) < FEWEST:
            return
        shape = _shape(reader, int(starts[0]), size)
        alike = np.zeros(len(rows), np.bool_) if shape is None else _alike(table, shape)
        if shape is not None and alike.any():
            chosen = rows[alike]
            _fill(table[alike], shape, chosen, result)
            left[chosen] = False
        alike[0] = True  # done with the first in any case
        rows, starts, table = rows[~alike], starts[~alike], table[~alike]


def _shape(reader: Reader, start: int, size: int) -> list[_Piece] | None:
    """The fields of the metric there; None when it is not plain."""
    pieces: list[_Piece] = []
    seen: set[int] = set()
    pos, end = start, start + size
    while pos < end:
        tag, after = reader.data[pos], pos + 1
        number, kind = tag >> 3, tag & 7
        group = min(number, 10)
        if group in seen or kind != _KIND.get(number):
            return None
        seen.add(group)
        stop = _stop(reader, number, kind, after, end)
        if not stop or stop > end:
            return None
        if kind == LENGTH:
            after = stop  # the number within is found from the end
        pieces.append(_Piece(number, pos - start, after - start, stop - start))
        pos = stop
    return pieces


_KIND: Final = {
    **dict.fromkeys((2, 3, 4, 5, 6, 7, Field.INT, Field.LONG, Field.BOOLEAN), VARINT),
    9: LENGTH,
    Field.FLOAT: FIXED32,
    Field.DOUBLE: FIXED64,
}


def _stop(reader: Reader, number: int, kind: int, after: int, end: int) -> int:
    """Where the field ends; 0 when it is not a plain one."""
    if kind == VARINT:
        return reader.varint(after, end)[1]
    if kind == FIXED32:
        return after + 4
    if kind == FIXED64:
        return after + 8
    return _within(reader, after, end)


_BEFORE: Final = len(WITHIN_KEY) + 2 + len(WITHIN_VALUE)  # bytes of the property set before its number


def _within(reader: Reader, after: int, end: int) -> int:
    """The end of a property set that holds the nanoseconds and nothing else; 0 for another."""
    data = reader.data
    if after >= end:
        return 0
    digits = data[after] - _BEFORE
    stop = after + 1 + data[after]
    if not 1 <= digits <= 5 or stop > end:
        return 0
    head = WITHIN_KEY + bytes((0x12, len(WITHIN_VALUE) + digits)) + WITHIN_VALUE
    if data[after + 1 : stop - digits] != head or reader.varint(stop - digits, end)[1] != stop:
        return 0
    return stop


def _alike(table: Octets, shape: list[_Piece]) -> npt.NDArray[np.bool_]:
    """Which rows have just this shape: the same tags, numbers of the same width."""
    alike = np.ones(len(table), np.bool_)
    for piece in shape:
        first = piece.tag
        if piece.number == 9:
            digits = int(table[0, first + 1]) - _BEFORE
            constant = slice(first, piece.end - digits)
            alike &= (table[:, constant] == table[0, constant]).all(axis=1)
            alike &= (table[:, piece.end - digits : piece.end - 1] >= 0x80).all(axis=1)
        else:
            alike &= table[:, first] == table[0, first]
            if _KIND[piece.number] != VARINT:
                continue
            alike &= (table[:, piece.start : piece.end - 1] >= 0x80).all(axis=1)
        alike &= table[:, piece.end - 1] < 0x80
    return alike


def _fill(table: Octets, shape: list[_Piece], rows: npt.NDArray[np.intp], into: Scan) -> None:
    present = 0
    for piece in shape:
        number = piece.number
        if number == 9:
            digits = int(table[0, piece.tag + 1]) - _BEFORE
            into.within[rows] = _numbers(table, piece.end - digits, piece.end).astype(np.uint32)
            continue
        value = _read(table, piece)
        if number == 2:
            into.alias[rows], present = value, present | 1
        elif number == 3:
            into.time[rows], present = value, present | 2
        elif number == 4:
            into.datatype[rows] = np.minimum(value & np.uint64(0xFFFFFFFF), np.uint64(255))
        elif number <= 7:
            flag = (0, HISTORICAL, TRANSIENT, IS_NULL)[number - 4]
            into.flags[rows] |= np.where(value != 0, flag, 0).astype(np.uint8)
        else:
            into.field[rows], into.bits[rows] = number, value
    into.present[rows] = present


def _read(table: Octets, piece: _Piece) -> npt.NDArray[np.uint64]:
    if _KIND[piece.number] == VARINT:
        value = _numbers(table, piece.start, piece.end)
        if piece.number == Field.INT:
            return value & np.uint64(0xFFFFFFFF)
        return (value != 0).astype(np.uint64) if piece.number == Field.BOOLEAN else value
    raw = np.ascontiguousarray(table[:, piece.start : piece.end])
    if piece.number == Field.DOUBLE:
        return raw.view("<u8").reshape(-1)
    return raw.view("<f4").reshape(-1).astype(np.float64).view(np.uint64)


def _numbers(table: Octets, start: int, end: int) -> npt.NDArray[np.uint64]:
    """Varints of one width: all bits above the 64th fall off, as everywhere."""
    value = np.zeros(len(table), np.uint64)
    for i in range(end - start):
        value |= (table[:, start + i].astype(np.uint64) & np.uint64(0x7F)) << np.uint64(7 * i)
    return value
