"""How a plant's folder says where Modbus devices are and where one value lies in them."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from weft.connect.modbus.place import BIT_TABLES, KINDS, Order, Place, Table
from weft.model import ValueType

__all__ = ["Address", "Config", "Device", "DeviceClock", "SerialPort"]

RegisterType: TypeAlias = Literal[
    "bool", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "string"
]
UnitId: TypeAlias = Annotated[int, Meta(ge=0, le=255)]
Register: TypeAlias = Annotated[int, Meta(ge=0, le=65535)]
Port: TypeAlias = Annotated[int, Meta(ge=1, le=65535)]


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


class SerialPort(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A serial line (Modbus over Serial Line V1.02, 2.5.1). ``echo``: the adapter hears what it sends itself."""

    device: str
    baudrate: Annotated[int, Meta(ge=300, le=4_000_000)] = 19200
    parity: Literal["even", "odd", "none"] = "even"
    stopbits: Literal[1, 2] | None = None
    echo: bool = False

    @property
    def stops(self) -> int:
        """As given; else one with parity and two without, so that a character always has eleven bits."""
        return self.stopbits or (2 if self.parity == "none" else 1)

    @property
    def character(self) -> float:
        """Seconds that one character takes on the line."""
        return (9 + (self.parity != "none") + self.stops) / self.baudrate

    @property
    def silence(self) -> float:
        """Seconds of silence between two frames: 3.5 characters, and 1.75 ms above 19200 baud [2.5.1.1]."""
        return 0.00175 if self.baudrate > 19200 else 3.5 * self.character


class Device(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of many devices of a connection; without a host it is behind the connection's own line."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    host: str = ""
    port: Port = 502
    unit: UnitId = 1


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a device, a gateway with several units behind it, a serial line, or many devices at once."""

    host: str = ""
    port: Port = 502
    transport: Literal["tcp", "rtu_over_tcp", "serial"] = "tcp"
    serial: SerialPort | None = None
    unit: UnitId = 1
    devices: Annotated[tuple[Device, ...], Meta(max_length=2000)] = ()
    interval: Annotated[float, Meta(gt=0)] = 1.0
    timeout: Annotated[float, Meta(gt=0)] = 2.0
    max_registers: Annotated[int, Meta(ge=1, le=125)] = 125
    max_bits: Annotated[int, Meta(ge=1, le=2000)] = 2000
    gap: Annotated[int, Meta(ge=0)] = 8
    clock: DeviceClock | None = None
    map: str = ""
    sunspec_models: str = ""

    def __post_init__(self) -> None:
        if fault := self._of_line() or self._of_devices():
            raise ValueError(fault)

    def _of_line(self) -> str:
        serial = self.transport == "serial"
        if serial != (self.serial is not None):
            return 'transport "serial" and the table serial go together'
        if serial and (self.host or any(device.host for device in self.devices)):
            return "devices on a serial line have no host"
        if not serial and not self.host and not self.devices:
            return "host is missing"
        if not serial and not self.host and any(not device.host for device in self.devices):
            return "a device without a host of its own needs the connection's"
        return ""

    def _of_devices(self) -> str:
        names = [device.name for device in self.devices]
        twice = (
            next((name for name in names if names.count(name) > 1), None)
            if len(set(names)) < len(names)
            else None
        )
        return f"there are two devices {twice!r}" if twice else ""


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one value lies: a ``register``, counted from 0 in its table as on the wire (40001 is holding 0), the
    ``name`` of a line of the connection's own map, or a ``sunspec`` point such as ``103.W``."""

    register: Register | None = None
    table: Table = "holding"
    type: RegisterType | None = None
    order: Order = "ABCD"
    bit: Annotated[int, Meta(ge=0, le=63)] | None = None
    bits: tuple[Annotated[int, Meta(ge=0, le=63)], Annotated[int, Meta(ge=1, le=64)]] | None = None
    length: Annotated[int, Meta(ge=1, le=125)] | None = None
    null: int | None = None
    unit: UnitId | None = None
    name: str = ""
    sunspec: str = ""
    device: str = ""

    def __post_init__(self) -> None:
        fault = self._of_choice()
        if not fault and self.register is not None:
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

    def place(self, unit: int) -> Place:
        """Of an address with a register; ``unit`` is for those that name none."""
        return Place(
            unit=unit if self.unit is None else self.unit,
            register=self.register or 0,
            table=self.table,
            kind=self.kind,
            order=self.order,
            count=self.count,
            bit=self.bit,
            bits=self.bits,
            null=self.null,
            read_only=self.table in {"input", "discrete"},
        )

    def _of_choice(self) -> str:
        given = [self.register is not None, bool(self.name), bool(self.sunspec)]
        if sum(given) != 1:
            return "give one of register, name and sunspec"
        layout = (self.type, self.bit, self.bits, self.length, self.null)
        if self.register is None and any(part is not None for part in layout):
            return "type, bit, bits, length and null go with a register"
        if self.sunspec and "." not in self.sunspec:
            return f"a SunSpec point is written like 103.W, not {self.sunspec!r}"
        return ""

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
