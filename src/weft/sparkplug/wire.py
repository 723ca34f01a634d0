"""Protocol Buffers' wire format, as much of it as Sparkplug uses, bounded for bytes from anybody."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

__all__ = ["MOST_ELEMENTS", "BadPayload", "Reader", "block", "number", "varint"]

MOST_ELEMENTS: Final = 1_000_000  # metrics, properties, cells … of one payload: each costs memory of ours
MAX_DEPTH: Final = 32  # templates within templates, property sets within property sets

VARINT, FIXED64, LENGTH, GROUP, END_GROUP, FIXED32 = range(6)
_DOUBLE: Final = struct.Struct("<d")
_FLOAT: Final = struct.Struct("<f")
_U32: Final = 2**32 - 1
_U64: Final = 2**64 - 1


class BadPayload(ValueError):
    """The bytes are not a Sparkplug B payload, or larger than any honest one."""


class Reader:
    """Reads one payload; counts what it makes of it."""

    __slots__ = ("data", "elements")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.elements = 0

    def count(self, number: int = 1) -> None:
        """One more thing that is kept. Raises BadPayload when there are too many."""
        self.elements += number
        if self.elements > MOST_ELEMENTS:
            raise BadPayload(f"more than {MOST_ELEMENTS:,} elements")

    def fields(self, pos: int, end: int) -> Iterator[tuple[int, int, int, int]]:
        """``(field number, wire type, a, b)`` of a message in ``data[pos:end]``: for VARINT ``a`` is the number; for
        the others the bytes are ``data[a:b]``. Groups, which Sparkplug does not have, are passed over."""
        data = self.data
        nested = 0
        while pos < end:
            tag, pos = self.varint(pos, end)
            field, kind = tag >> 3, tag & 7
            if not 0 < field < 2**29:
                raise BadPayload(f"field number {field}")
            a = b = pos
            if kind == VARINT:
                a, pos = self.varint(pos, end)
            elif kind == LENGTH:
                size, a = self.varint(pos, end)
                pos = b = a + size
            elif kind == FIXED64:
                pos = b = a + 8
            elif kind == FIXED32:
                pos = b = a + 4
            elif kind in (GROUP, END_GROUP):
                nested += 1 if kind == GROUP else -1
                if not 0 <= nested <= MAX_DEPTH:
                    raise BadPayload("groups that do not match")
                continue
            else:
                raise BadPayload(f"wire type {kind}")
            if pos > end:
                raise BadPayload(f"a field of {pos - a} bytes where {end - a} are left of {len(data)}")
            if not nested:
                yield field, kind, a, b
        if nested:
            raise BadPayload("a group without end")

    def varint(self, pos: int, end: int) -> tuple[int, int]:
        data = self.data
        result = shift = 0
        while shift < 70:
            if pos >= end:
                raise BadPayload("ends within a number")
            byte = data[pos]
            pos += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result & _U64, pos
            shift += 7
        raise BadPayload("a number of more than 64 bits")

    def single(self, pos: int) -> float:
        return float(_FLOAT.unpack_from(self.data, pos)[0])

    def double(self, pos: int) -> float:
        return float(_DOUBLE.unpack_from(self.data, pos)[0])

    def text(self, start: int, end: int) -> str:
        """Raises BadPayload for what is not UTF-8."""
        try:
            return self.data[start:end].decode()
        except UnicodeDecodeError as error:
            raise BadPayload("a text that is not UTF-8") from error


def varint(value: int) -> bytes:
    """The shortest form of a number of 64 bits."""
    if value < 0x80:
        return bytes((value,))
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def number(field: int, value: int) -> bytes:
    """A field of type VARINT."""
    return varint(field << 3) + varint(value & _U64)


def block(field: int, data: bytes) -> bytes:
    """A field of type LENGTH: text, bytes or a message."""
    return b"".join((varint(field << 3 | LENGTH), varint(len(data)), data))


def fixed(field: int, value: float, *, double: bool) -> bytes:
    """A field of type FIXED64 (double) or FIXED32 (float)."""
    if double:
        return varint(field << 3 | FIXED64) + _DOUBLE.pack(value)
    return varint(field << 3 | FIXED32) + _FLOAT.pack(value)
