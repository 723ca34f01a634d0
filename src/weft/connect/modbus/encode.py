"""Values as they lie in registers: the way back of :mod:`weft.connect.modbus.layout`."""

from __future__ import annotations

import struct
from decimal import Decimal, InvalidOperation
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any, Final

from msgspec import Struct

from weft.connect.modbus.layout import positions
from weft.connect.modbus.place import KINDS, TEXTS, Place
from weft.model.quality import BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH

__all__ = ["Mask", "Unwritable", "masks", "registers", "switch"]

# What unscaling a decimal number leaves behind is far below this; what somebody meant is far above.
_NEAR: Final = Decimal("1e-6")


class Unwritable(Exception):
    """The value cannot be what the place holds."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Mask(Struct, frozen=True):
    """Of one register: bits to keep, and what the others become."""

    register: int
    keep: int
    set: int


def switch(value: Any) -> bool:
    """Of a coil or a bit. Raises Unwritable."""
    if isinstance(value, bool) or (isinstance(value, (int, float)) and value in {0, 1}):
        return bool(value)
    raise Unwritable(BAD_TYPE_MISMATCH)


def registers(place: Place, value: Any, power: int = 0) -> bytes:
    """The registers that a whole place becomes, as they go onto the wire; ``power`` is the scale factor's present
    value. Raises Unwritable."""
    if place.kind in TEXTS:
        return _swap(_text(place, value), place.order)
    kind = KINDS[place.kind]
    if kind.code[0] == "f":
        data = _float(kind.code, value, place)
    elif place.kind == "bool":
        data = int(switch(value)).to_bytes(2, "big")
    else:
        number = whole(value, place, power)
        data = _integer(number, kind.registers * 2, signed=kind.code[0] == "i")
    return _placed(data, place.order)


def masks(place: Place, value: Any) -> list[Mask]:
    """The registers that a bit or a bit field touches. Raises Unwritable."""
    first, wide = place.bits or (place.bit or 0, 1)
    signed = KINDS[place.kind].code[0] == "i" and place.bits is not None
    number = whole(value, place, 0) if place.bits is not None else int(switch(value))
    low, high = (-(1 << wide - 1), (1 << wide - 1) - 1) if signed else (0, (1 << wide) - 1)
    if not low <= number <= high:
        raise Unwritable(BAD_OUT_OF_RANGE)
    field = ((1 << wide) - 1) << first
    size = place.count * 2
    touched = _placed(field.to_bytes(size, "big"), place.order)
    content = _placed(((number << first) & field).to_bytes(size, "big"), place.order)
    pairs = [
        (i // 2, int.from_bytes(touched[i : i + 2], "big"), int.from_bytes(content[i : i + 2], "big"))
        for i in range(0, size, 2)
    ]
    return [Mask(place.register + i, 0xFFFF & ~bits, new) for i, bits, new in pairs if bits]


def whole(value: Any, place: Place, power: int) -> int:
    """The whole number that stands for ``value``. One between two steps is refused: nobody asked for either."""
    if isinstance(value, str) or value is None:
        raise Unwritable(BAD_TYPE_MISMATCH)
    try:
        exact = Decimal(str(value if not isinstance(value, bool) else int(value)))
        raw = exact.scaleb(-(place.exponent if place.factor is None else power)) / place.multiple
        number = raw.to_integral_value()
    except (InvalidOperation, ValueError):
        raise Unwritable(BAD_TYPE_MISMATCH) from None
    if not raw.is_finite():
        raise Unwritable(BAD_OUT_OF_RANGE)
    if abs(raw - number) > _NEAR * max(Decimal(1), abs(raw)):
        raise Unwritable(BAD_OUT_OF_RANGE if place.scaled else BAD_TYPE_MISMATCH)
    return int(number)


def _integer(number: int, size: int, *, signed: bool) -> bytes:
    try:
        return number.to_bytes(size, "big", signed=signed)
    except OverflowError:
        raise Unwritable(BAD_OUT_OF_RANGE) from None


def _float(code: str, value: Any, place: Place) -> bytes:
    if not isinstance(value, (int, float)):
        raise Unwritable(BAD_TYPE_MISMATCH)
    try:
        number = float(value) / place.multiple / 10.0**place.exponent
        return struct.pack(">f" if code == "f4" else ">d", number)
    except OverflowError:
        raise Unwritable(BAD_OUT_OF_RANGE) from None


def _text(place: Place, value: Any) -> bytes:
    if not isinstance(value, str):
        raise Unwritable(BAD_TYPE_MISMATCH)
    try:
        if place.kind == "ipaddr":
            return IPv4Address(value).packed
        if place.kind == "ipv6addr":
            return IPv6Address(value).packed
        data = bytes(2) + bytes.fromhex(value.replace(":", "")) if place.kind == "eui48" else value.encode()
    except (AddressValueError, ValueError):
        raise Unwritable(BAD_TYPE_MISMATCH) from None
    if len(data) > place.count * 2 or "\0" in value:
        raise Unwritable(BAD_OUT_OF_RANGE)
    return data.ljust(place.count * 2, b"\0")


def _placed(data: bytes, order: str) -> bytes:
    """Big-endian bytes where the device has them."""
    wire = bytearray(len(data))
    for byte, position in zip(data, positions(len(data) // 2, order), strict=True):
        wire[position] = byte
    return bytes(wire)


def _swap(data: bytes, order: str) -> bytes:
    # Words of a text come in reading order everywhere; only the two bytes of a register are ever swapped.
    return _placed(data, "BADC" if order in {"BADC", "DCBA"} else "ABCD")
