"""The newest sample of every signal, in columns. A batch is stored with a few array operations however many rows
it has; bytes are only made of what somebody reads or monitors."""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weft.model import ARRAY, Batch, Flag, ValueType
from weft.model.quality import BAD, BAD_WAITING_FOR_INITIAL_DATA
from weft.model.values import HEAPED
from weft.ua import writer

__all__ = ["BAD_ENCODING_ERROR", "OVERFLOW", "Sample", "Values", "samples", "ticks"]

BAD_ENCODING_ERROR: Final = 0x80060000
OVERFLOW: Final = 0x480  # InfoType DataValue, InfoBit Overflow (OPC 10000-4, 7.39.1)
_EPOCH: Final = 116_444_736_000_000_000  # 1970 in 100 ns since 1601
_BACKFILLED: Final = int(Flag.HISTORY | Flag.REPLAYED)
_NULL: Final = -1

_WIDTHS: Final = {
    ValueType.BOOLEAN: 1,
    ValueType.SBYTE: 1,
    ValueType.BYTE: 1,
    ValueType.INT16: 2,
    ValueType.UINT16: 2,
    ValueType.INT32: 4,
    ValueType.UINT32: 4,
    ValueType.INT64: 8,
    ValueType.UINT64: 8,
    ValueType.FLOAT: 4,
    ValueType.DOUBLE: 8,
    ValueType.DATETIME: 8,
    ValueType.STATUSCODE: 4,
}
_MASK: Final = (1 << 64) - 1
_NAN: Final = float("nan")
_FROM_BITS: Final = struct.Struct("<d").unpack
_FIXED: Final = {int(kind): (width, (1 << 8 * width) - 1) for kind, width in _WIDTHS.items()}
_HEAPED: Final = np.zeros(256, dtype=np.bool_)
_HEAPED[[int(kind) for kind in HEAPED]] = True
_HEAPED[ARRAY:] = True


def ticks(nanoseconds: int) -> int:
    """OPC UA's DateTime of a time since 1970; what 64 bits cannot say is cut off at the ends (5.2.2.5)."""
    return max(nanoseconds // 100 + _EPOCH, 0)


class Sample:
    """One value as clients get it. ``variant`` is empty for a null; times are ns UTC, ``source`` None when there
    is none. ``number`` is for deadbands; NaN when it is none."""

    __slots__ = ("number", "server", "source", "status", "variant")

    def __init__(self, variant: bytes, status: int, source: int | None, server: int, number: float) -> None:
        self.variant = variant
        self.status = status
        self.source = source
        self.server = server
        self.number = number

    def data_value(self, stamps: int, *, overflow: bool = False) -> bytes:
        """A DataValue (OPC 10000-6, 5.2.2.17) with the timestamps asked for: 0 source, 1 server, 2 both, 3 none."""
        status = self.status | OVERFLOW if overflow else self.status
        mask = (1 if self.variant else 0) | (2 if status else 0)
        body = self.variant + (status.to_bytes(4, "little") if status else b"")
        if stamps in {0, 2} and self.source is not None:
            mask |= 4
            body += ticks(self.source).to_bytes(8, "little")
            rest = self.source % 100
            if rest:
                mask |= 0x10
                body += (rest * 100).to_bytes(2, "little")  # in 10 ps
        if stamps in {1, 2}:
            mask |= 8
            body += ticks(self.server).to_bytes(8, "little")
        return bytes((mask,)) + body


class Values:
    """Columns by slot. A signal keeps its slot as long as its handle is known."""

    def __init__(self) -> None:
        self.changes = 0
        self.watched = np.zeros(0, dtype=np.bool_)
        self._slots: dict[int, int] = {}
        self._lookup = np.full(0, -1, dtype=np.int32)
        self._free: list[int] = []
        self._type = np.zeros(0, dtype=np.uint8)
        self._bits = np.zeros(0, dtype=np.int64)
        self._status = np.zeros(0, dtype=np.uint32)
        self._time = np.zeros(0, dtype=np.int64)
        self._received = np.zeros(0, dtype=np.int64)
        self._seen = np.zeros(0, dtype=np.bool_)
        self._heap: list[Any] = []

    def add(self, handle: int) -> int:
        """The slot of a signal, a new one when it has none."""
        if handle in self._slots:
            return self._slots[handle]
        if not self._free:
            self._grow()
        if handle >= len(self._lookup):
            more = np.full(max(handle + 1, 2 * len(self._lookup)) - len(self._lookup), -1, dtype=np.int32)
            self._lookup = np.concatenate([self._lookup, more])
        slot = self._free.pop()
        self._slots[handle] = slot
        self._lookup[handle] = slot
        self._seen[slot] = False
        self._type[slot] = 0
        return slot

    def remove(self, handle: int) -> None:
        slot = self._slots.pop(handle, None)
        if slot is not None:
            self._lookup[handle] = -1
            self._heap[slot] = None
            self.watched[slot] = False
            self._free.append(slot)

    def store(self, batch: Batch, now: int) -> tuple[Batch, npt.NDArray[np.int32]]:
        """Takes a batch in; the rows that somebody watches, in order, with their slots. Rows read back from a
        source's history do not replace what is newer."""
        known = (batch.signal >= 0) & (batch.signal < len(self._lookup))
        slots = np.full(len(batch), -1, dtype=np.int32)
        slots[known] = self._lookup[batch.signal[known]]
        keep = slots >= 0
        late = (batch.flags & _BACKFILLED) != 0
        if late.any():
            late &= keep & self._seen[slots] & (batch.time < self._time[slots])
            keep &= ~late
        if not keep.all():
            batch, slots = batch.take(keep), slots[keep]
        self._type[slots] = batch.type
        self._bits[slots] = batch.bits
        self._status[slots] = batch.status
        self._time[slots] = batch.time
        self._received[slots] = now
        self._seen[slots] = True
        heaped = _HEAPED[batch.type] & (batch.bits != _NULL)
        for i in np.flatnonzero(heaped).tolist():
            self._heap[slots[i]] = batch.heap[batch.bits[i]]
        self.changes += len(batch)
        watched = self.watched[slots]
        return batch.take(watched), slots[watched]

    def kind(self, slot: int) -> int:
        """The type of the newest value; 0 while there is none."""
        return int(self._type[slot]) if self._seen[slot] else 0

    def plain(self, slot: int) -> Any:
        """The newest value of a heaped type."""
        return self._heap[slot]

    def sample(self, slot: int) -> Sample:
        """The newest sample; before the first one BadWaitingForInitialData."""
        server = int(self._received[slot])
        if not self._seen[slot]:
            return Sample(b"", BAD_WAITING_FOR_INITIAL_DATA, None, server, float("nan"))
        heaped = _HEAPED[self._type[slot]] and self._bits[slot] != _NULL
        return _made(
            int(self._type[slot]),
            int(self._bits[slot]),
            self._heap[slot] if heaped else None,
            int(self._status[slot]),
            int(self._time[slot]),
            server,
        )

    def _grow(self) -> None:
        old, new = len(self._type), max(1024, 2 * len(self._type))
        for name in ("_type", "_bits", "_status", "_time", "_received", "_seen", "watched"):
            column = getattr(self, name)
            setattr(self, name, np.concatenate([column, np.zeros(new - old, dtype=column.dtype)]))
        self._heap.extend([None] * (new - old))
        self._free.extend(range(new - 1, old - 1, -1))


def samples(batch: Batch, now: int) -> list[Sample]:
    """Each row of a batch as clients get it."""
    columns = (batch.type, batch.bits, batch.status, batch.time, _HEAPED[batch.type])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    heap = batch.heap
    return [
        _made(kind, bits, heap[bits] if heaped and bits != _NULL else None, status, time, now)
        for kind, bits, status, time, heaped in rows
    ]


def _made(kind: int, bits: int, heap: Any, status: int, time: int, server: int) -> Sample:
    if kind == ValueType.DOUBLE:
        return Sample(b"\x0b" + (bits & _MASK).to_bytes(8, "little"), status, time, server, _double(bits))
    if kind == ValueType.FLOAT:
        number = _double(bits)
        with np.errstate(over="ignore"):
            return Sample(b"\x0a" + np.float32(number).tobytes(), status, time, server, number)
    fixed = _FIXED.get(kind)
    if fixed is not None:
        width, mask = fixed
        number = float(bits + (1 << 64) if kind == ValueType.UINT64 and bits < 0 else bits)
        return Sample(bytes((kind,)) + (bits & mask).to_bytes(width, "little"), status, time, server, number)
    if kind == ValueType.NULL:
        return Sample(b"", status, time, server, _NAN)
    try:
        return Sample(writer.variant(kind, heap), status, time, server, _NAN)
    except writer.Unwritable:
        return Sample(b"", status if status >= BAD else BAD_ENCODING_ERROR, time, server, _NAN)


def _double(bits: int) -> float:
    return float(_FROM_BITS((bits & _MASK).to_bytes(8, "little"))[0])
