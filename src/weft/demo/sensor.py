"""A sensor: one value of a machine as its protocol shows it. The servers, the ground truth and the plant folder
are made from the same tables of sensors, so that none can know a signal the others do not."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from weft.demo.machine import STEP
from weft.model import ValueType

__all__ = ["Place", "Sensor", "Value"]

M = TypeVar("M")
Value: TypeAlias = bool | int | float | str

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
    value = raw * ``scale`` + ``offset``. ``every`` is how often it is sampled, in s. ``fields`` are further
    fields of the signal in the plant's folder; ``place`` is for Modbus, ``topic`` and ``key`` are for MQTT."""

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

    @property
    def scaled(self) -> bool:
        return (self.scale, self.offset) != (1.0, 0.0)

    @property
    def true_type(self) -> ValueType:
        """The type of :meth:`true`."""
        return ValueType.DOUBLE if self.scaled else self.type

    def raw(self, machine: M) -> Value:
        """What goes onto the wire, exactly."""
        value = self.read(machine)
        if isinstance(value, str):
            return value
        if self.scaled:
            value = (value - self.offset) / self.scale
        if self.type is ValueType.BOOLEAN:
            return bool(value)
        if self.type is ValueType.DOUBLE:
            return float(value)
        if self.type is ValueType.FLOAT:
            return float(_F32.unpack(_F32.pack(value))[0])
        return round(value)

    def true(self, raw: Value) -> Value:
        """What a reader must get from ``raw``, in ``unit``, to the last bit of double arithmetic."""
        return raw * self.scale + self.offset if self.scaled and not isinstance(raw, str) else raw
