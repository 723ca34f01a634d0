"""A sensor: one value of a machine as its protocol shows it. The servers, the ground truth and the plant folder
are made from the same tables of sensors, so that none can know a signal the others do not."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from weft.demo.machine import STEP
from weft.model import ARRAY, ValueType

__all__ = ["Place", "Sensor", "Value"]

M = TypeVar("M")
Value: TypeAlias = bool | int | float | str | bytes | tuple[float, ...]

_F32 = struct.Struct("<f")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value lies among the registers of a Modbus unit; the words are the trade's (order A-D)."""

    register: int
    kind: str
    order: str = "ABCD"
    bit: int | None = None
    bits: tuple[int, int] | None = None
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Sensor(Generic[M]):
    """``read`` gives the physical value in ``unit`` (UCUM). On the wire goes the raw one, of ``type``, with
    value = raw * ``scale`` + ``offset``; an ``array`` is a tuple of such. ``every`` is how often it is sampled, in s.
    ``place`` is for Modbus, ``topic`` and ``key`` are for MQTT, ``address`` is for protocols without such a form; it
    is the signal's address in the plant's folder, ``more`` are further fields there. ``command`` is what a write to
    it means to the machine."""

    name: str
    type: ValueType
    read: Callable[[M], Value]
    unit: str = ""
    description: str = ""
    every: float = STEP
    step: bool = False
    scale: float = 1.0
    offset: float = 0.0
    limits: Mapping[str, float] = field(default_factory=dict)
    states: Mapping[int, str] = field(default_factory=dict)
    place: Place | None = None
    topic: str = ""
    key: str = ""
    address: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    array: bool = False
    command: str = ""

    @property
    def scaled(self) -> bool:
        return (self.scale, self.offset) != (1.0, 0.0)

    @property
    def true_type(self) -> int:
        """The type of :meth:`true`, an array's with the bit ARRAY."""
        if self.array:
            return self.type | ARRAY
        return ValueType.DOUBLE if self.scaled else self.type

    def raw(self, machine: M) -> Value:
        """What goes onto the wire, exactly."""
        value = self.read(machine)
        if isinstance(value, tuple):
            return tuple(self._fit(each) for each in value)
        if isinstance(value, (str, bytes)):
            return value
        if self.scaled:
            value = (value - self.offset) / self.scale
        return self._fit(value)

    def _fit(self, value: float) -> bool | int | float:
        if self.type is ValueType.BOOLEAN:
            return bool(value)
        if self.type is ValueType.DOUBLE:
            return float(value)
        if self.type is ValueType.FLOAT:
            return float(_F32.unpack(_F32.pack(value))[0])
        return round(value)

    def true(self, raw: Value) -> Value:
        """What a reader must get from ``raw``, in ``unit``, to the last bit of double arithmetic."""
        if self.scaled and isinstance(raw, (int, float)):
            return raw * self.scale + self.offset
        return raw
