"""How a plant's folder says where a Modbus device is and where one value lies in it."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from weft.model import ValueType

__all__ = ["BIT_TABLES", "KINDS", "Address", "Config", "DeviceClock", "Kind", "Order", "Table"]

Table: TypeAlias = Literal["holding", "input", "coil", "discrete"]
Order: TypeAlias = Literal["ABCD", "BADC", "CDAB", "DCBA"]
RegisterType: TypeAlias = Literal[
    "bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "string"
]
UnitId: TypeAlias = Annotated[int, Meta(ge=0, le=255)]
Register: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]

BIT_TABLES: Final = frozenset({"coil", "discrete"})


class Kind(Struct, frozen=True):
    """A type of the register map: how many registers it takes, numpy's name of it, and the type that stays."""

    registers: int
    code: str
    type: ValueType


KINDS: Final = {
    "bool": Kind(1, "u2", ValueType.BOOLEAN),
    "int16": Kind(1, "i2", ValueType.INT16),
    "uint16": Kind(1, "u2", ValueType.UINT16),
    "int32": Kind(2, "i4", ValueType.INT32),
    "uint32": Kind(2, "u4", ValueType.UINT32),
    "int64": Kind(4, "i8", ValueType.INT64),
    "uint64": Kind(4, "u8", ValueType.UINT64),
    "float32": Kind(2, "f4", ValueType.FLOAT),
    "float64": Kind(4, "f8", ValueType.DOUBLE),
    "string": Kind(0, "", ValueType.STRING),
}


class DeviceClock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a device keeps its own time, counted since 1970-01-01 UTC."""

    register: Register
    table: Literal["holding", "input"] = "holding"
    type: Literal["uint32", "int32", "uint64", "int64", "float64"] = "uint64"
    order: Order = "ABCD"
    unit: Literal["s", "ms", "us", "ns"] = "ms"

    @property
    def registers(self) -> int:
        return KINDS[self.type].registers


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a device, or a gateway with several units behind it."""

    host: str
    port: Annotated[int, Meta(ge=1, le=65535)] = 502
    unit: UnitId = 1
    interval: Annotated[float, Meta(gt=0)] = 1.0
    timeout: Annotated[float, Meta(gt=0)] = 2.0
    max_registers: Annotated[int, Meta(ge=1, le=125)] = 125
    max_bits: Annotated[int, Meta(ge=1, le=2000)] = 2000
    gap: Annotated[int, Meta(ge=0)] = 8
    clock: DeviceClock | None = None


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one value lies. ``register`` counts from 0 in its table, as on the wire (40001 is holding 0)."""

    register: Register
    table: Table = "holding"
    type: RegisterType | None = None
    order: Order = "ABCD"
    bit: Annotated[int, Meta(ge=0, le=63)] | None = None
    bits: tuple[Annotated[int, Meta(ge=0, le=63)], Annotated[int, Meta(ge=1, le=64)]] | None = None
    length: Annotated[int, Meta(ge=1, le=125)] | None = None
    null: int | None = None
    unit: UnitId | None = None

    def __post_init__(self) -> None:
        fault = self._of_bit_table() if self.table in BIT_TABLES else self._of_registers()
        if not fault and self.register + self.count > 65536:
            fault = "the value reaches beyond the last register, 65535"
        if fault:
            raise ValueError(fault)

    @property
    def kind(self) -> str:
        """The type, with what is usual where none is given."""
        usual = "bool" if self.table in BIT_TABLES else "uint16"
        return self.type or usual

    @property
    def count(self) -> int:
        """How many registers, or bits of a bit table, the value takes."""
        return self.length or KINDS[self.kind].registers

    @property
    def value_type(self) -> ValueType:
        return ValueType.BOOLEAN if self.bit is not None else KINDS[self.kind].type

    def _of_bit_table(self) -> str:
        if self.type not in {None, "bool"}:
            return f"a {self.table} is one bit: its type is bool"
        if any(x is not None for x in (self.bit, self.bits, self.length, self.null)):
            return f"bit, bits, length and null do not go with a {self.table}"
        return ""

    def _of_registers(self) -> str:
        if (self.kind == "string") != (self.length is not None):
            return "a string needs its length in registers, and nothing else has one"
        if self.kind == "string" and self.null is not None:
            return "null is a number; a string has none"
        if self.bit is None and self.bits is None:
            return ""
        if KINDS[self.kind].code[:1] not in {"i", "u"}:
            return f"bit and bits need an integer, not {self.kind}"
        if self.bit is not None and self.bits is not None:
            return "bit is one bit, bits are several: give one of them"
        first, wide = self.bits or (self.bit or 0, 1)
        if first + wide > self.count * 16:
            return f"{self.kind} has bits 0 to {self.count * 16 - 1}"
        return ""
