"""A bank of Modbus registers: one unit's values and its clock, all of one moment."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from weft.demo.sensor import Place, Sensor, Value
from weft.demo.truth import Shown

__all__ = ["Bank", "words"]

_CODES: Final[Mapping[str, str]] = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}


def words(place: Place, value: Value) -> list[int]:
    """The registers of a value in the order of ``place``: A is a 32-bit value's most significant byte; wider
    values follow the same habit. The words of a text always come in reading order."""
    if place.length is not None:
        data = str(value).encode().ljust(place.length * 2, b"\0")[: place.length * 2]
    else:
        data = struct.pack(f">{_CODES[place.kind]}", value)
    found = [data[i : i + 2] for i in range(0, len(data), 2)]
    if place.order in {"CDAB", "DCBA"} and place.length is None:
        found.reverse()
    big = place.order in {"ABCD", "CDAB"}
    return [int.from_bytes(word, "big" if big else "little") for word in found]


class Bank:
    """The registers of ``unit``: ``sensors`` are pairs of signal path and sensor. ``load`` changes all at once;
    the clock (uint64, ms since 1970) stands at ``clock_register`` and is the time of all others."""

    def __init__(
        self, unit: int, table: int, clock_register: int, sensors: Sequence[tuple[str, Sensor[Any]]]
    ) -> None:
        self.unit = unit
        self.table = table
        self._sensors = sensors
        self._clock = clock_register
        places = [Place(clock_register, "uint64"), *(s.place for _, s in sensors if s.place is not None)]
        self._used = frozenset(r for place in places for r in range(place.register, _end(place)))
        self.first, self._end = min(self._used), max(self._used) + 1
        self._image = [0] * (self._end - self.first)
        self._unread = set(self._used)
        self.rows: list[Shown] = []
        self.touched = False

    def load(self, machine: object, time: int) -> None:
        """The present values of ``machine``; ``time`` is ns UTC."""
        image = [0] * len(self._image)
        self.rows = []
        self._put(image, Place(self._clock, "uint64"), time // 1_000_000)
        for signal, sensor in self._sensors:
            raw = sensor.raw(machine)
            if sensor.place is not None:
                self._put(image, sensor.place, raw)
            self.rows.append(Shown(signal, time, sensor.true_type, sensor.true(raw)))
        self._image = image
        self._unread = set(self._used)
        self.touched = False

    @property
    def complete(self) -> bool:
        """Every register in use was read since ``load``."""
        return not self._unread

    def holds(self, start: int, count: int) -> bool:
        return self.first <= start and start + count <= self._end

    def read(self, start: int, count: int) -> bytes:
        """``count`` registers, big-endian. They count as read when :meth:`sent` says so."""
        self.touched = True
        return struct.pack(f">{count}H", *self._image[start - self.first : start - self.first + count])

    def sent(self, start: int, count: int) -> None:
        self._unread.difference_update(range(start, start + count))

    def _put(self, image: list[int], place: Place, raw: Value) -> None:
        at = place.register - self.first
        shift = place.bit if place.bit is not None else place.bits[0] if place.bits else None
        if shift is not None and isinstance(raw, int):
            image[at] |= raw << shift
            return
        for i, word in enumerate(words(place, raw)):
            image[at + i] = word


def _end(place: Place) -> int:
    return place.register + (place.length or struct.calcsize(f">{_CODES[place.kind]}") // 2)
