"""A batch: columns of samples. The only form in which samples move through Weft.

Every value keeps its original type and its full status. Values of fixed size are 64 bits wide: integers and
dates as int64 (UInt64 in two's complement), floats as the bits of a double, booleans as 0 and 1. Text, bytes,
arrays and structures lie on the heap, and their 64 bits are the heap's index; -1 is the null of such a type.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from weft.model.quality import BAD, BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH
from weft.model.values import ARRAY, FLOATS, HEAPED, NUMERIC, RANGES, ValueType, is_in

__all__ = ["Batch", "BatchBuilder", "Row", "concat"]

Handles: TypeAlias = npt.NDArray[np.int32]
Times: TypeAlias = npt.NDArray[np.int64]
Types: TypeAlias = npt.NDArray[np.uint8]
Bits: TypeAlias = npt.NDArray[np.int64]
Statuses: TypeAlias = npt.NDArray[np.uint32]
Flags: TypeAlias = npt.NDArray[np.uint16]

NULL_INDEX: Final = -1
_UINT64 = 2**64


class Row(NamedTuple):
    """One sample, for people, tests and rules; never on the data path."""

    signal: int
    time: int
    value: Any
    type: int
    status: int
    flags: int


class Batch:
    """n samples in arrival order, all columns of length n.

    signal  int32   handle given by the catalog
    time    int64   source time, ns since 1970 UTC
    type    uint8   original type (:class:`ValueType`, ``| ARRAY`` for arrays)
    bits    int64   the value, or its place on the heap
    status  uint32  OPC UA StatusCode
    flags   uint16  :class:`~weft.model.quality.Flag`

    ``source`` names the connection, ``sequence`` counts its batches, ``received`` is when the gateway got
    them (ns UTC). Treat a batch as immutable: it is shared by everybody in the process who subscribed.
    """

    __slots__ = (
        "bits",
        "flags",
        "heap",
        "received",
        "sequence",
        "signal",
        "source",
        "status",
        "time",
        "type",
    )

    def __init__(
        self,
        signal: Handles,
        time: Times,
        type: Types,
        bits: Bits,
        status: Statuses,
        flags: Flags,
        heap: Sequence[Any] = (),
        *,
        source: str = "",
        sequence: int = 0,
        received: int = 0,
    ) -> None:
        self.signal = signal
        self.time = time
        self.type = type
        self.bits = bits
        self.status = status
        self.flags = flags
        self.heap = heap
        self.source = source
        self.sequence = sequence
        self.received = received

    @classmethod
    def empty(cls) -> Batch:
        return BatchBuilder().build()

    @classmethod
    def of(cls, rows: Iterable[tuple[Any, ...]], **meta: Any) -> Batch:
        """From ``(signal, time, value, type[, status[, flags]])`` rows."""
        builder = BatchBuilder()
        for row in rows:
            builder.add(*row)
        return builder.build(**meta)

    @classmethod
    def doubles(cls, signal: npt.ArrayLike, time: npt.ArrayLike, values: npt.ArrayLike, **meta: Any) -> Batch:
        """Good doubles, given as three columns."""
        handles = np.asarray(signal, dtype=np.int32)
        n = len(handles)
        return cls(
            handles,
            np.asarray(time, dtype=np.int64),
            np.full(n, ValueType.DOUBLE, dtype=np.uint8),
            np.asarray(values, dtype=np.float64).view(np.int64),
            np.zeros(n, dtype=np.uint32),
            np.zeros(n, dtype=np.uint16),
            **meta,
        )

    def __len__(self) -> int:
        return len(self.signal)

    def __iter__(self) -> Iterator[Row]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, i: int) -> Row:
        return Row(
            int(self.signal[i]),
            int(self.time[i]),
            self.value(i),
            int(self.type[i]),
            int(self.status[i]),
            int(self.flags[i]),
        )

    def __eq__(self, other: object) -> bool:
        """Equal rows (bit for bit) and equal origin; the heap's own layout does not matter."""
        if not isinstance(other, Batch):
            return NotImplemented
        return (
            (self.source, self.sequence, self.received) == (other.source, other.sequence, other.received)
            and all(
                np.array_equal(getattr(self, c), getattr(other, c))
                for c in ("signal", "time", "type", "status", "flags")
            )
            and self._same_values(other)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def __repr__(self) -> str:
        return f"<Batch of {len(self)} from {self.source!r} #{self.sequence}>"

    @property
    def on_heap(self) -> npt.NDArray[np.bool_]:
        """Which values (n) are on the heap; nulls of such types are not."""
        typed = is_in(self.type, HEAPED) | (self.type >= ARRAY)
        return np.asarray(typed & (self.bits != NULL_INDEX), dtype=np.bool_)

    def value(self, i: int) -> Any:
        """The value as Python knows it; None for a null."""
        code = int(self.type[i])
        bits = int(self.bits[i])
        if code == ValueType.NULL:
            return None
        if code >= ARRAY or code in HEAPED:
            return None if bits == NULL_INDEX else self.heap[bits]
        if code in FLOATS:
            return float(self.bits[i : i + 1].view(np.float64)[0])
        if code == ValueType.BOOLEAN:
            return bool(bits)
        return bits + _UINT64 if code == ValueType.UINT64 and bits < 0 else bits

    def values(self) -> list[Any]:
        return [self.value(i) for i in range(len(self))]

    def numbers(self) -> npt.NDArray[np.float64]:
        """Values as doubles (n); NaN where a value is not a number. Integers above 2^53 are rounded."""
        floats = is_in(self.type, FLOATS)
        if floats.all():
            return self.bits.view(np.float64)
        numbers = np.where(floats, self.bits.view(np.float64), self.bits.astype(np.float64))
        unsigned = (self.type == ValueType.UINT64) & (self.bits < 0)
        numbers[unsigned] += float(_UINT64)
        numbers[~is_in(self.type, frozenset(NUMERIC))] = np.nan
        return numbers

    def take(self, index: npt.NDArray[Any] | slice) -> Batch:
        """The rows of a mask, an index array or a slice, in that order. The heap is shared, not copied."""
        return self.replace(
            signal=self.signal[index],
            time=self.time[index],
            type=self.type[index],
            bits=self.bits[index],
            status=self.status[index],
            flags=self.flags[index],
        )

    def replace(self, **changes: Any) -> Batch:
        """A batch with other columns or another origin; what is not named is shared."""
        parts = {name: getattr(self, name) for name in self.__slots__} | changes
        return Batch(**parts)

    def split(self, limit: int) -> list[Batch]:
        """Pieces of at most ``limit`` rows, in order."""
        if len(self) <= limit:
            return [self]
        return [self.take(slice(i, i + limit)) for i in range(0, len(self), limit)]

    def order(self) -> npt.NDArray[np.intp]:
        """The stable order by (signal, time): among equals the later arrival stays later."""
        return np.lexsort((self.time, self.signal))

    def sort(self) -> Batch:
        """By (signal, time), arrival order kept among equals."""
        return self.take(self.order())

    def last_wins(self) -> Batch:
        """Sorted by (signal, time), and of equal (signal, time) only the row that arrived last."""
        rows = self.sort()
        if len(rows) < 2:
            return rows
        keep = np.ones(len(rows), dtype=np.bool_)
        keep[:-1] = (np.diff(rows.signal) != 0) | (np.diff(rows.time) != 0)
        return rows if keep.all() else rows.take(keep)

    def compact(self) -> Batch:
        """The same rows with a heap that holds just their values."""
        used = self.on_heap
        count = int(used.sum())
        if count == len(self.heap) and np.array_equal(self.bits[used], np.arange(count)):
            return self
        heap = tuple(self.heap[i] for i in self.bits[used].tolist())
        bits = self.bits.copy()
        bits[used] = np.arange(count)
        return self.replace(bits=bits, heap=heap)

    def _same_values(self, other: Batch) -> bool:
        heaped = self.on_heap
        if not np.array_equal(heaped, other.on_heap):
            return False
        mine, theirs = self.bits[heaped].tolist(), other.bits[heaped].tolist()
        return np.array_equal(self.bits[~heaped], other.bits[~heaped]) and all(
            self.heap[i] == other.heap[j] for i, j in zip(mine, theirs, strict=True)
        )


class BatchBuilder:
    """Collects samples one by one, for protocols that deliver them so."""

    def __init__(self) -> None:
        self._signal: list[int] = []
        self._time: list[int] = []
        self._type: list[int] = []
        self._bits: list[int] = []
        self._status: list[int] = []
        self._flags: list[int] = []
        self._heap: list[Any] = []
        self._floats: list[tuple[int, float]] = []

    def __len__(self) -> int:
        return len(self._signal)

    def add(self, signal: int, time: int, value: Any, type: int, status: int = 0, flags: int = 0) -> None:
        """Appends a sample. A value that its type cannot hold becomes null with BadTypeMismatch or
        BadOutOfRange; a bad status of the source's own says more and is kept."""
        bits, fault = self._store(value, type)
        if fault:
            type, bits, status = ValueType.NULL, 0, status if status >= BAD else fault
        self._signal.append(signal)
        self._time.append(time)
        self._type.append(type)
        self._bits.append(bits)
        self._status.append(status)
        self._flags.append(flags)

    def build(self, *, source: str = "", sequence: int = 0, received: int = 0) -> Batch:
        bits = np.array(self._bits, dtype=np.int64)
        if self._floats:
            at, values = zip(*self._floats, strict=True)
            bits[list(at)] = np.array(values, dtype=np.float64).view(np.int64)
        return Batch(
            np.array(self._signal, dtype=np.int32),
            np.array(self._time, dtype=np.int64),
            np.array(self._type, dtype=np.uint8),
            bits,
            np.array(self._status, dtype=np.uint32),
            np.array(self._flags, dtype=np.uint16),
            tuple(self._heap),
            source=source,
            sequence=sequence,
            received=received,
        )

    def _store(self, value: Any, type: int) -> tuple[int, int]:
        if type == ValueType.NULL:
            return 0, 0
        if type >= ARRAY or type in HEAPED:
            if value is None:
                return NULL_INDEX, 0
            if type == ValueType.STRING and not isinstance(value, str):
                return 0, BAD_TYPE_MISMATCH
            self._heap.append(value)
            return len(self._heap) - 1, 0
        if not isinstance(value, (int, float, np.number, np.bool_)):
            return 0, BAD_TYPE_MISMATCH
        if type in FLOATS:
            return self._store_float(value)
        return self._store_integer(value, type)

    def _store_float(self, value: Any) -> tuple[int, int]:
        try:
            number = float(value)
        except OverflowError:  # an integer beyond 1.8e308
            return 0, BAD_OUT_OF_RANGE
        self._floats.append((len(self._signal), number))
        return 0, 0

    @staticmethod
    def _store_integer(value: Any, type: int) -> tuple[int, int]:
        if not isinstance(value, int) and (not math.isfinite(value) or int(value) != value):
            return 0, BAD_TYPE_MISMATCH
        low, high = RANGES[type]
        if not low <= value <= high:
            return 0, BAD_OUT_OF_RANGE
        number = int(value)
        return (number - _UINT64 if number > RANGES[ValueType.INT64][1] else number), 0


def concat(batches: Sequence[Batch], **meta: Any) -> Batch:
    """One batch of all rows, in order. The origin is the first one's unless ``meta`` names another."""
    if not batches:
        return Batch.empty()
    first = batches[0]
    if len(batches) == 1:
        return first.replace(**meta) if meta else first
    heap: list[Any] = []
    bits: list[Bits] = []
    for batch in batches:
        column = batch.bits
        if heap and batch.heap:
            column = np.where(batch.on_heap, column + len(heap), column)
        bits.append(column)
        heap.extend(batch.heap)
    joined = {
        name: np.concatenate([getattr(batch, name) for batch in batches])
        for name in ("signal", "time", "type", "status", "flags")
    }
    return first.replace(**joined, bits=np.concatenate(bits), heap=tuple(heap), **meta)
