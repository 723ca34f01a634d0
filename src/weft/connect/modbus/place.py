"""Where one value really lies: what an address of the plant's folder comes to, once names are looked up."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct

from weft.model import ValueType

__all__ = ["BIT_TABLES", "KINDS", "NO_FACTOR", "TEXTS", "Kind", "Order", "Place", "Table"]

Table: TypeAlias = Literal["holding", "input", "coil", "discrete"]
Order: TypeAlias = Literal["ABCD", "BADC", "CDAB", "DCBA"]

BIT_TABLES: Final = frozenset({"coil", "discrete"})
NO_FACTOR: Final = -32768  # SunSpec's scale factor that is not implemented


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
    "ipaddr": Kind(2, "", ValueType.STRING),
    "ipv6addr": Kind(8, "", ValueType.STRING),
    "eui48": Kind(4, "", ValueType.STRING),
}
TEXTS: Final = frozenset({"string", "ipaddr", "ipv6addr", "eui48"})


class Place(Struct, frozen=True, kw_only=True):
    """Registers (or bits) ``register`` to ``register + count - 1`` of one unit's table, and how to read them.

    A value times ``multiple`` times ten to the power of ``exponent`` is a Double; with ``factor`` that power stands
    in this register of the same table (SunSpec's sunssf). Whole numbers and powers, because 0.1 is no number that a
    computer has: 2307 with the power -1 is exactly what 230.7 reads as.
    """

    unit: int
    register: int
    table: Table = "holding"
    kind: str = "uint16"
    order: Order = "ABCD"
    count: int = 1
    bit: int | None = None
    bits: tuple[int, int] | None = None
    null: int | None = None
    factor: int | None = None
    exponent: int = 0
    multiple: int = 1
    read_only: bool = False

    @property
    def scaled(self) -> bool:
        return self.factor is not None or self.exponent != 0 or self.multiple != 1

    @property
    def value_type(self) -> ValueType:
        if self.scaled:
            return ValueType.DOUBLE
        return ValueType.BOOLEAN if self.bit is not None else KINDS[self.kind].type

    @property
    def name(self) -> str:
        """As people say it: ``unit 1, holding 40``."""
        return f"unit {self.unit}, {self.table} {self.register}"
