"""Decodes all answers of one cycle at once.

The data of all blocks lie one behind the other in one buffer: registers as they came (big-endian), bits one to
a byte. Where each value's bytes are, most significant first, is worked out once per plan; decoding is then one
gather per type, however many registers there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from weft.connect.modbus.address import DeviceClock
from weft.connect.modbus.place import BIT_TABLES, KINDS, TEXTS, Place
from weft.connect.modbus.plan import FACTOR, Block, Span
from weft.connect.modbus.scale import Scale
from weft.connect.modbus.text import reader_of
from weft.model import ValueType
from weft.model.quality import BAD_SENSOR_FAILURE

__all__ = ["Columns", "Layout", "clock_time", "positions"]

Bytes: TypeAlias = npt.NDArray[np.uint8]

_NS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


def positions(registers: int, order: str) -> list[int]:
    """Where the bytes of a value are, most significant first, when its registers came in ``order``: A is the
    most significant of a 32-bit value's four bytes, and wider values follow the same habit."""
    words = list(range(registers))
    if order in {"CDAB", "DCBA"}:
        words.reverse()
    pair = (1, 0) if order in {"BADC", "DCBA"} else (0, 1)
    return [word * 2 + byte for word in words for byte in pair]


class Columns(Struct, frozen=True):
    """What a cycle's values are: types, bits and statuses (n) and the heap, as in a batch."""

    type: npt.NDArray[np.uint8]
    bits: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint32]
    heap: tuple[str, ...]


class _Gather(Struct, frozen=True):
    """The rows of one type: their bytes, and what bits of them are wanted."""

    code: str
    rows: npt.NDArray[np.intp]
    index: npt.NDArray[np.intp]
    shift: npt.NDArray[np.int64]
    width: npt.NDArray[np.int64]
    null: npt.NDArray[np.uint64]
    marked: npt.NDArray[np.bool_]
    boolean: bool


class Layout:
    """The buffer of a plan's blocks and the rows (n) of its points, in the blocks' order."""

    def __init__(self, blocks: Sequence[Block], places: Sequence[Place]) -> None:
        self.points: list[int] = [point for block in blocks for point in block.points]
        self.row_of = {point: row for row, point in enumerate(self.points)}
        self.offsets: dict[Block, int] = {}
        size = 0
        for block in blocks:
            self.offsets[block] = size
            size += block.count if block.table in BIT_TABLES else block.count * 2
        self.buffer: Bytes = np.zeros(size, dtype=np.uint8)
        self._types = np.array([places[i].value_type for i in self.points], dtype=np.uint8)
        at = {
            span.point: (offset, span.start - block.start)
            for block, offset in self.offsets.items()
            for span in block.spans
            if span.point >= 0
        }
        found = [(places[i], *at[i]) for i in self.points]
        self._bits = _bit_rows(found)
        self._texts = _text_rows(found)
        self._gathers = _gathers(found)
        self._scale = Scale([place for place, _, _ in found], self._factors())

    def __len__(self) -> int:
        return len(self.points)

    def rows(self, block: Block) -> slice:
        """The rows of a block, or of a part of one."""
        points = block.points
        return slice(self.row_of[points[0]], self.row_of[points[-1]] + 1) if points else slice(0, 0)

    def store(self, whole: Block, part: Block, data: bytes) -> None:
        """Puts the answer to ``part`` of the block ``whole`` into its place."""
        values = np.frombuffer(data, dtype=np.uint8)
        begin = self.offsets[whole]
        if part.table in BIT_TABLES:
            values = np.unpackbits(values, bitorder="little")[: part.count]
            begin += part.start - whole.start
        else:
            begin += (part.start - whole.start) * 2
        self.buffer[begin : begin + len(values)] = values

    def data(self, block: Block) -> bytes:
        """All bytes of a block, as they were stored last."""
        size = block.count if block.table in BIT_TABLES else block.count * 2
        return self.buffer[self.offsets[block] : self.offsets[block] + size].tobytes()

    def part(self, block: Block, span: Span) -> bytes:
        """The bytes of one span of a register block."""
        return self.data(block)[(span.start - block.start) * 2 : (span.end - block.start) * 2]

    def decode(self) -> Columns:
        """All rows as the buffer has them now."""
        n = len(self.points)
        bits = np.zeros(n, dtype=np.int64)
        status = np.zeros(n, dtype=np.uint32)
        types = self._types.copy()
        rows, index = self._bits
        bits[rows] = self.buffer[index]
        for gather in self._gathers:
            values, null = _values(self.buffer, gather)
            bits[gather.rows] = values
            status[gather.rows[null]] = BAD_SENSOR_FAILURE
            bits[gather.rows[null]] = 0
            types[gather.rows[null]] = ValueType.NULL
        self._scale.apply(self.buffer, types, bits, status)
        heap = tuple(read(self.buffer[index].tobytes()) for _, index, read in self._texts)
        for i, (row, _, _) in enumerate(self._texts):
            bits[row] = i
        return Columns(types, bits, status, heap)

    def _factors(self) -> dict[tuple[int, str, int], int]:
        """Where the scale factors of the plan are in the buffer, by unit, table and register."""
        return {
            (span.unit, span.table, span.start): offset + (span.start - block.start) * 2
            for block, offset in self.offsets.items()
            for span in block.spans
            if span.point == FACTOR
        }


def _bit_rows(places: list[tuple[Place, int, int]]) -> tuple[Any, Any]:
    found = [
        (row, offset + start)
        for row, (place, offset, start) in enumerate(places)
        if place.table in BIT_TABLES
    ]
    both = np.array(found, dtype=np.intp).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _text_rows(places: list[tuple[Place, int, int]]) -> list[tuple[int, Any, Any]]:
    # Words of a text come in reading order everywhere; only the two bytes of a register are ever swapped.
    swapped = {"ABCD": "ABCD", "CDAB": "ABCD", "BADC": "BADC", "DCBA": "BADC"}
    return [
        (
            row,
            offset + start * 2 + np.array(positions(place.count, swapped[place.order])),
            reader_of(place.kind),
        )
        for row, (place, offset, start) in enumerate(places)
        if place.kind in TEXTS
    ]


def _gathers(places: list[tuple[Place, int, int]]) -> list[_Gather]:
    groups: dict[tuple[str, bool], list[tuple[int, Place, int]]] = defaultdict(list)
    for row, (place, offset, start) in enumerate(places):
        if place.table in BIT_TABLES or place.kind in TEXTS:
            continue
        boolean = place.value_type is ValueType.BOOLEAN
        groups[KINDS[place.kind].code, boolean].append((row, place, offset + start * 2))
    return [_gather(code, boolean, members) for (code, boolean), members in groups.items()]


def _gather(code: str, boolean: bool, members: list[tuple[int, Place, int]]) -> _Gather:
    whole = int(code[1]) * 8
    fields = [
        (a.bit, 1) if a.bit is not None else a.bits if a.bits is not None else (0, whole)
        for _, a, _ in members
    ]
    return _Gather(
        code=code,
        rows=np.array([row for row, _, _ in members], dtype=np.intp),
        index=np.array(
            [[at + p for p in positions(a.count, a.order)] for _, a, at in members], dtype=np.intp
        ),
        shift=np.array([first for first, _ in fields], dtype=np.int64),
        width=np.array([wide for _, wide in fields], dtype=np.int64),
        null=np.array([(a.null or 0) & (2**whole - 1) for _, a, _ in members], dtype=np.uint64),
        marked=np.array([a.null is not None for _, a, _ in members], dtype=np.bool_),
        boolean=boolean,
    )


def _values(buffer: Bytes, gather: _Gather) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The 64 bits of each value as a batch stores them, and which values the device says it does not have."""
    raw = buffer[gather.index]
    size = gather.code[1]
    plain = raw.view(f">u{size}")[:, 0].astype(np.uint64)
    null = gather.marked & (plain == gather.null)
    if gather.code[0] == "f":
        return raw.view(f">f{size}")[:, 0].astype(np.float64).view(np.int64), null
    signed = gather.code[0] == "i" and not gather.boolean
    values = _field(plain.view(np.int64), gather.shift, gather.width, signed=signed)
    whole_register = gather.boolean & (gather.width > 1)
    return np.where(whole_register, values != 0, values), null


def _field(
    plain: npt.NDArray[np.int64], shift: npt.NDArray[np.int64], width: npt.NDArray[np.int64], *, signed: bool
) -> npt.NDArray[np.int64]:
    # Left until the field's top bit is the word's, then right again: that cuts on both sides and, done on
    # signed words, carries the sign.
    left, right = (64 - shift - width), (64 - width)
    up = plain << left
    if signed:
        return up >> right
    return (up.view(np.uint64) >> right.view(np.uint64)).view(np.int64)


def clock_time(data: bytes, clock: DeviceClock) -> int | None:
    """ns UTC of a device's clock registers; None when that is no time int64 nanoseconds can hold."""
    raw = np.frombuffer(data, dtype=np.uint8)[positions(clock.registers, clock.order)]
    count = raw.view(f">{KINDS[clock.type].code}")[0]
    if not np.isfinite(count):
        return None
    ns = round(float(count) * _NS[clock.unit]) if clock.type == "float64" else int(count) * _NS[clock.unit]
    return ns if -(2**63) <= ns < 2**63 else None
