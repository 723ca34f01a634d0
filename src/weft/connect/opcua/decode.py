"""PublishResponse bytes to a batch (OPC 10000-4, 5.13.5; 10000-6, 5.2).

Known layouts are read as columns (:mod:`layout`), long messages walked through once (:mod:`walk`), short ones
read data change by data change (:mod:`change`). Values
keep their type, statuses all 32 bits, and times all that int64 ns can hold.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
from asyncua.ua.object_ids import ObjectIds

from weft.connect.opcua.change import read_changes
from weft.connect.opcua.handles import Handles
from weft.connect.opcua.layout import Columns, Layout
from weft.connect.opcua.walk import walk
from weft.model import Batch, Flag, quality
from weft.model.instant import MAX_NS, MIN_NS, from_filetime, to_filetime
from weft.ua.definition import Definition
from weft.ua.stack import ua
from weft.ua.variant import BadEncoding, Reader

__all__ = [
    "Decoder",
    "Notification",
    "Value",
    "read_call",
    "read_history",
    "read_timed",
    "read_values",
    "response",
]

_IDS: Final = ObjectIds
_PUBLISH: Final = f"i={_IDS.PublishResponse_Encoding_DefaultBinary}"
_REPUBLISH: Final = f"i={_IDS.RepublishResponse_Encoding_DefaultBinary}"
_READ: Final = f"i={_IDS.ReadResponse_Encoding_DefaultBinary}"
_CALL: Final = f"i={_IDS.CallResponse_Encoding_DefaultBinary}"
_HISTORY: Final = f"i={_IDS.HistoryReadResponse_Encoding_DefaultBinary}"
_HISTORY_DATA: Final = f"i={_IDS.HistoryData_Encoding_DefaultBinary}"
_DATA_CHANGE: Final = f"i={_IDS.DataChangeNotification_Encoding_DefaultBinary}"
_EVENTS: Final = f"i={_IDS.EventNotificationList_Encoding_DefaultBinary}"
_STATUS_CHANGE: Final = f"i={_IDS.StatusChangeNotification_Encoding_DefaultBinary}"

_KEPT_LAYOUTS: Final = 64
_LONG: Final = 150  # below that, one by one is as cheap as arrays
_SMALLEST_CHANGE: Final = 5
_FIRST_TICK: Final = to_filetime(MIN_NS) + 1
_LAST_TICK: Final = to_filetime(MAX_NS)
_EPOCH: Final = to_filetime(0)
_OVERFLOW_MASK: Final = np.uint32(0x0C80)  # InfoType DataValue and its Overflow bit (10000-4, 7.39.1)
_OVERFLOW: Final = np.uint32(0x0480)


class Notification(NamedTuple):
    """What one response carries. ``sequence`` of a keep-alive (no data at all) is the next one's. ``events`` are
    (client handle, fields); ``available`` what the server can send again; ``published`` its clock then, in ticks."""

    subscription: int
    sequence: int
    keep_alive: bool
    batches: list[Batch]
    status: int = 0
    events: Sequence[tuple[int, list[Any]]] = ()
    available: tuple[int, ...] = ()
    published: int = 0


class Value(NamedTuple):
    """A DataValue outside of the hot path; times in ns UTC, 0 for none."""

    kind: int
    value: Any
    status: int
    source: int
    server: int


def response(reader: Reader, kind: str) -> None:
    """Reads type and header of a response. Raises UaStatusCodeError when the service failed."""
    found = reader.node()
    reader.skip(12)  # timestamp, request handle
    status = reader.u32()
    reader.diagnostic()
    for _ in range(reader.count(4)):
        reader.octets()
    reader.extension()
    if status & 0x80000000:
        ua.StatusCode(status).check()
    if found != kind:
        raise BadEncoding(f"a response of type {found} where {kind} was due")


def read_values(data: bytes) -> list[tuple[int, int, Any]]:
    """(status, type, plain value) of each result of a ReadResponse."""
    reader = Reader(data)
    response(reader, _READ)
    results = []
    for _ in range(reader.count()):
        mask = reader.u8()
        kind, value = reader.variant() if mask & 1 else (0, None)
        results.append((reader.u32() if mask & 2 else 0, kind, value))
        for bit, size in ((0x04, 8), (0x10, 2), (0x08, 8), (0x20, 2)):
            reader.skip(size if mask & bit else 0)
    return results


def read_timed(
    data: bytes, known: Mapping[str, Definition | None] | None = None, strange: set[str] | None = None
) -> list[Value]:
    """Each result of a ReadResponse with its times."""
    reader = Reader(data, known=known, strange=strange)
    response(reader, _READ)
    return [_value(reader) for _ in range(reader.count())]


def read_history(
    data: bytes, known: Mapping[str, Definition | None] | None = None
) -> list[tuple[int, bytes, list[Value]]]:
    """(status, continuation point, values) of each result of a HistoryReadResponse (OPC 10000-4, 5.11.3)."""
    reader = Reader(data)
    response(reader, _HISTORY)
    results = []
    for _ in range(reader.count(12)):
        status, more = reader.u32(), reader.octets() or b""
        kind, form = reader.node(), reader.u8()
        size = reader.i32() if form else 0
        start = reader.skip(max(size, 0))
        values: list[Value] = []
        if kind == _HISTORY_DATA and form == 1:
            body = Reader(reader.data, start, start + size, known)
            values = [_value(body) for _ in range(body.count())]
        results.append((status, more, values))
    return results


def read_call(
    data: bytes, known: Mapping[str, Definition | None] | None = None
) -> tuple[int, list[int], list[Any]]:
    """(status, statuses of the inputs, outputs) of a CallResponse to one call (OPC 10000-4, 5.12.2)."""
    reader = Reader(data, known=known)
    response(reader, _CALL)
    if reader.count(4) != 1:
        raise BadEncoding("not one result for one call")
    status = reader.u32()
    inputs = [reader.u32() for _ in range(reader.count(4))]
    for _ in range(reader.count()):
        reader.diagnostic()
    return status, inputs, [reader.variant()[1] for _ in range(reader.count())]


def _value(reader: Reader) -> Value:
    mask = reader.u8()
    reader.spoiled = False
    kind, value = reader.variant() if mask & 1 else (0, None)
    spoiled = reader.spoiled
    status = reader.u32() if mask & 2 else 0
    source = reader.i64() if mask & 4 else 0
    fine = reader.u16() if mask & 0x10 else 0
    server = reader.i64() if mask & 8 else 0
    reader.skip(2 if mask & 0x20 else 0)
    if spoiled:
        kind, value, status = 0, None, quality.BAD_DECODING_ERROR
    return Value(
        kind,
        value,
        status,
        from_filetime(source) + min(fine, 9999) // 100 if source > 0 else 0,
        from_filetime(server) if server > 0 else 0,
    )


class Decoder:
    """The decoder of one session: it remembers the layouts of its messages. ``received`` is ns UTC."""

    def __init__(self, handles: Handles, known: Mapping[str, Definition | None] | None = None) -> None:
        self._handles = handles
        self._known = known
        self.strange: set[str] = set()  # encodings of structures that are not known yet
        self._layouts: OrderedDict[tuple[int, int], Layout] = OrderedDict()

    def describe(self, known: Mapping[str, Definition | None]) -> None:
        """Another session's structures from now on."""
        self._known = known

    def publish(self, data: bytes, received: int) -> Notification:
        """Raises BadEncoding (or struct.error) when it cannot be read, UaStatusCodeError when it says so."""
        reader = Reader(data)
        response(reader, _PUBLISH)
        subscription = reader.u32()
        n = max(reader.count(4), 0)
        available = reader.skip(n * 4)
        reader.u8()  # more notifications
        note = self._message(reader, subscription, received)
        if not n or (n == 1 and not note.keep_alive):  # nothing but the message itself
            return note
        return note._replace(available=struct.unpack_from(f"<{n}I", data, available))

    def republish(self, data: bytes, subscription: int, received: int) -> Notification:
        reader = Reader(data)
        response(reader, _REPUBLISH)
        return self._message(reader, subscription, received)

    def _message(self, reader: Reader, subscription: int, received: int) -> Notification:
        sequence = reader.u32()
        published = reader.i64()
        batches: list[Batch] = []
        events: list[tuple[int, list[Any]]] = []
        status = 0
        n = reader.count(3)
        for _ in range(n):
            kind, form = reader.node(), reader.u8()
            size = reader.i32() if form else 0
            start = reader.skip(size)
            body = Reader(reader.data, start, start + size, self._known, self.strange)
            if kind == _DATA_CHANGE:
                batches.append(self.batch(self._columns(body), received))
            elif kind == _STATUS_CHANGE:
                status = body.u32()
            elif kind == _EVENTS:
                events += [_event(body) for _ in range(body.count(8))]
        return Notification(subscription, sequence, n <= 0, batches, status, events, (), published)

    def _columns(self, reader: Reader) -> Columns:
        n = max(reader.count(_SMALLEST_CHANGE), 0)
        size = reader.end - reader.pos
        key = (n, size)
        layout = self._layouts.get(key)
        if layout is not None:
            columns = layout.read(reader.data, reader.pos, size)
            if columns is not None:
                self._layouts.move_to_end(key)
                return columns
        found = walk(reader, n) if n >= _LONG else None
        if found is None:
            return read_changes(reader, n)
        columns, layout = found
        if layout is not None:
            self._layouts[key] = layout
            self._layouts.move_to_end(key)
            if len(self._layouts) > _KEPT_LAYOUTS:
                self._layouts.popitem(last=False)
        return columns

    def batch(self, columns: Columns, received: int) -> Batch:
        """Samples of the signals that the client handles stand for."""
        time, flags = _stamp(columns, received)
        flags[(columns.status & _OVERFLOW_MASK) == _OVERFLOW] |= np.uint16(Flag.OVERFLOW)
        signal = self._handles.signals(columns.handle)
        self._handles.mark_first(columns.handle, flags)
        batch = Batch(
            signal, time, columns.type, columns.bits, columns.status, flags, columns.heap, received=received
        )
        known = signal >= 0
        return batch if known.all() else batch.take(known)


def _event(reader: Reader) -> tuple[int, list[Any]]:
    handle = reader.u32()
    return handle, [reader.variant()[1] for _ in range(reader.count())]


def _stamp(columns: Columns, received: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16]]:
    """Source time, else server time, else ``received`` and ns after it; a time of 0 is none (10000-6, 5.2.2.5)."""
    ticks, flags = columns.source, np.zeros(len(columns.handle), dtype=np.uint16)
    if len(ticks) and int(ticks.min()) <= 0:
        ticks = np.where(ticks > 0, ticks, columns.server)
        timeless = ticks <= 0
        flags[timeless] = Flag.RECEIVE_TIME
        ticks = np.where(timeless, _EPOCH, ticks)
    else:
        timeless = None
    if len(ticks) and (int(ticks.min()) < _FIRST_TICK or int(ticks.max()) > _LAST_TICK):
        flags[(ticks < _FIRST_TICK) | (ticks > _LAST_TICK)] |= np.uint16(Flag.CLOCK_SUSPECT)
        ticks = np.clip(ticks, _FIRST_TICK, _LAST_TICK)
    time = (ticks - _EPOCH) * 100
    if columns.sub is not None:
        time += columns.sub
    if timeless is not None:
        # One ns apart: several changes of a signal in one message are several samples, not one.
        time[timeless] = received + np.arange(int(timeless.sum()))
    return time, flags
