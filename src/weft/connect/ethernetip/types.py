"""CIP's elementary types: what stays of them, and how a value lies in an attribute's bytes (little-endian)."""

from __future__ import annotations

import struct
from typing import Any, Final

from weft.model import ARRAY, ValueType

__all__ = ["ELEMENTARY", "BadValue", "decode", "encode", "kind_of"]

V = ValueType
ELEMENTARY: Final[dict[str, tuple[ValueType, str]]] = {
    "BOOL": (V.BOOLEAN, "?"),
    "SINT": (V.SBYTE, "b"),
    "INT": (V.INT16, "h"),
    "DINT": (V.INT32, "i"),
    "LINT": (V.INT64, "q"),
    "USINT": (V.BYTE, "B"),
    "UINT": (V.UINT16, "H"),
    "UDINT": (V.UINT32, "I"),
    "ULINT": (V.UINT64, "Q"),
    "REAL": (V.FLOAT, "f"),
    "LREAL": (V.DOUBLE, "d"),
    "BYTE": (V.BYTE, "B"),
    "WORD": (V.UINT16, "H"),
    "DWORD": (V.UINT32, "I"),
    "LWORD": (V.UINT64, "Q"),
}


class BadValue(ValueError):
    """Bytes that are no value of the type, or a value that the type cannot hold."""


def kind_of(name: str) -> int | None:
    """Of a type as pycomm3 names it (``DINT``, ``REAL[5]``, ``STRING``); None for a structure."""
    element, bracket, _ = name.partition("[")
    if element in ELEMENTARY:
        kind = ELEMENTARY[element][0]
    elif element.upper().startswith(("STRING", "SHORT_STRING")):
        kind = V.STRING
    else:
        return None
    return kind | ARRAY if bracket else int(kind)


def decode(data: bytes, name: str, offset: int, count: int | None) -> tuple[Any, int]:
    """A value at ``offset`` of an attribute, and its type. No name is all the bytes. Raises BadValue."""
    if not name:
        return data[offset:], V.BYTESTRING
    if name in {"STRING", "SHORT_STRING"}:
        head = 1 if name == "SHORT_STRING" else 2
        size = int.from_bytes(data[offset : offset + head], "little")
        text = data[offset + head : offset + head + size]
        if len(data) < offset + head or len(text) != size:
            raise BadValue("the text is cut off")
        return text.decode("latin-1"), V.STRING
    kind, code = ELEMENTARY[name]
    try:
        values = list(struct.unpack_from(f"<{count or 1}{code}", data, offset))
    except struct.error:
        raise BadValue(f"the attribute has {len(data)} bytes") from None
    return (values, kind | ARRAY) if count is not None else (values[0], int(kind))


def encode(value: Any, name: str, count: int | None) -> bytes:
    """An attribute's whole content. Raises BadValue."""
    if not name:
        if not isinstance(value, (bytes, bytearray)):
            raise BadValue("bytes are needed")
        return bytes(value)
    if name in {"STRING", "SHORT_STRING"}:
        text = value.encode("latin-1", "replace") if isinstance(value, str) else None
        if text is None or len(text) >= 1 << (8 if name == "SHORT_STRING" else 16):
            raise BadValue(f"{value!r:.80} is no {name}")
        return len(text).to_bytes(1 if name == "SHORT_STRING" else 2, "little") + text
    values = value if count is not None else [value]
    try:
        return struct.pack(f"<{count or 1}{ELEMENTARY[name][1]}", *values)
    except (struct.error, TypeError, OverflowError):
        raise BadValue(f"{value!r} is no {name}") from None
