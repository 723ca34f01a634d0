"""Plain values written as OPC UA binary (OPC 10000-6, 5.2): the counterpart of :mod:`weft.ua.variant`, whose
forms these are. What one of them reads, the other writes again bit for bit, up to the choice among equal
encodings of a NodeId."""

from __future__ import annotations

import base64
import binascii
import struct
import uuid
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from weft.model import ARRAY, ValueType
from weft.model.values import type_name
from weft.ua.compose import Uncomposable, body_of
from weft.ua.nodes import parse

__all__ = [
    "MAX_DEPTH",
    "Unwritable",
    "data_value",
    "inner",
    "localized_text",
    "node",
    "qualified_name",
    "text",
    "variant",
]

MAX_DEPTH: Final = 100

_NULL_TEXT: Final = b"\xff\xff\xff\xff"
_I32: Final = struct.Struct("<i").pack
_U32: Final = struct.Struct("<I").pack
_I64: Final = struct.Struct("<q").pack
_U16: Final = struct.Struct("<H").pack
_FIXED: Final = {
    ValueType.BOOLEAN: "?",
    ValueType.SBYTE: "b",
    ValueType.BYTE: "B",
    ValueType.INT16: "<h",
    ValueType.UINT16: "<H",
    ValueType.INT32: "<i",
    ValueType.UINT32: "<I",
    ValueType.INT64: "<q",
    ValueType.UINT64: "<Q",
    ValueType.FLOAT: "<f",
    ValueType.DOUBLE: "<d",
    ValueType.DATETIME: "<q",
    ValueType.STATUSCODE: "<I",
}
_PACK: Final = {int(kind): struct.Struct(form).pack for kind, form in _FIXED.items()}
_CODES: Final = {type_name(kind): int(kind) for kind in ValueType}


class Unwritable(ValueError):
    """The value is not one of its type."""


def variant(kind: int, value: Any, depth: int = 0) -> bytes:
    """A Variant of ``kind`` (``| ARRAY``); nested lists are a matrix. Raises Unwritable."""
    scalar = kind & ~ARRAY
    try:
        if not kind & ARRAY:
            if scalar == ValueType.NULL or (value is None and scalar not in _NULLABLE):
                return b"\0"
            return bytes((scalar,)) + _scalar(scalar, value, depth)
        if value is None:
            return bytes((scalar | 0x80,)) + _NULL_TEXT
        flat, dimensions = _flattened(value)
        form = scalar | 0x80 | (0x40 if len(dimensions) > 1 else 0)
        shape = _I32(len(dimensions)) + b"".join(map(_I32, dimensions)) if len(dimensions) > 1 else b""
        return bytes((form,)) + _I32(len(flat)) + _elements(scalar, flat, depth) + shape
    except Unwritable:
        raise
    except (struct.error, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise Unwritable(f"{_short(value)} is not a {type_name(kind)}: {error}") from error


def data_value(value: dict[str, Any], depth: int = 0) -> bytes:
    """From the form that :meth:`weft.ua.variant.Reader.data_value` gives."""
    kind = _kind(value.get("type", "Null"))
    parts = [b"" if kind == ValueType.NULL else variant(kind, value.get("value"), depth)]
    mask = 1 if parts[0] else 0
    for bit, name, pack in (
        (0x02, "status", _U32),
        (0x04, "source_time", _I64),
        (0x10, "source_picoseconds", _U16),
        (0x08, "server_time", _I64),
        (0x20, "server_picoseconds", _U16),
    ):
        if name in value:
            mask |= bit
            parts.append(pack(value[name]))
    return bytes((mask,)) + b"".join(parts)


def text(value: str | None) -> bytes:
    return octets(None if value is None else value.encode())


def octets(value: bytes | None) -> bytes:
    return _NULL_TEXT if value is None else _I32(len(value)) + value


def node(value: str) -> bytes:
    """A NodeId or ExpandedNodeId from its text (5.2.2.9, 5.2.2.10)."""
    server, rest = 0, value
    if value.startswith("svr="):
        number, _, rest = value[4:].partition(";")
        server = int(number)
    parsed = parse(rest)
    uri = parsed.namespace if isinstance(parsed.namespace, str) else None
    index = 0 if uri is not None else int(parsed.namespace)
    form, body = _identifier(index, parsed.kind, parsed.identifier)
    form |= (0x80 if uri is not None else 0) | (0x40 if server else 0)
    return bytes((form,)) + body + (text(uri) if uri is not None else b"") + (_U32(server) if server else b"")


def guid(value: str) -> bytes:
    return uuid.UUID(value).bytes_le


def qualified_name(value: str) -> bytes:
    """``name`` or ``index:name``."""
    index, colon, name = value.partition(":")
    if colon and index.isdecimal() and index == str(int(index[:6])) and int(index) <= 0xFFFF:
        return _U16(int(index)) + text(name)
    return _U16(0) + text(value)


def localized_text(value: dict[str, str | None]) -> bytes:
    locale, words = value.get("locale"), value.get("text")
    mask = (1 if locale is not None else 0) | (2 if words is not None else 0)
    return (
        bytes((mask,)) + (b"" if locale is None else text(locale)) + (b"" if words is None else text(words))
    )


def extension(value: dict[str, Any] | None) -> bytes:
    """An ExtensionObject; a body that is a dict is written by its type's name (5.2.2.15)."""
    if value is None:
        return b"\0\0\0"
    body = value.get("body")
    if isinstance(body, dict):
        try:
            kind, raw = body_of(value["type"], body)
        except Uncomposable as error:
            raise Unwritable(str(error)) from error
        return node(kind) + b"\1" + octets(raw)
    if isinstance(body, str):
        return node(value["type"]) + b"\2" + text(body)
    return node(value["type"]) + (b"\0" if body is None else b"\1" + octets(body))


def inner(value: dict[str, Any]) -> bytes:
    """A Variant from the form that names its type: ``{"type", "value"}``. Raises Unwritable."""
    return variant(_kind(value["type"]), value["value"])


def diagnostic(value: dict[str, Any] | None, depth: int = 0) -> bytes:
    """DiagnosticInfo (5.2.2.12)."""
    _deeper(depth)
    found, mask, parts = value or {}, 0, []
    for bit, name, pack in (
        (1, "symbolic_id", _I32),
        (2, "namespace", _I32),
        (8, "locale", _I32),
        (4, "localized_text", _I32),
        (0x10, "additional", text),
        (0x20, "inner_status", _U32),
        (0x40, "inner", lambda inner: diagnostic(inner, depth + 1)),
    ):
        if name in found:
            mask |= bit
            parts.append(pack(found[name]))
    return bytes((mask,)) + b"".join(parts)


def _scalar(kind: int, value: Any, depth: int) -> bytes:
    _deeper(depth)
    pack = _PACK.get(kind)
    if pack is not None:
        return pack(bool(value) if kind == ValueType.BOOLEAN else value)
    return _WRITE[kind](value, depth + 1)


def _elements(kind: int, flat: list[Any], depth: int) -> bytes:
    form = _FIXED.get(ValueType(kind))
    if form is None:
        return b"".join(_scalar(kind, value, depth) for value in flat)
    if kind in {ValueType.FLOAT, ValueType.DOUBLE, ValueType.BOOLEAN}:
        return np.array(flat, form).tobytes()
    return struct.pack(f"<{len(flat)}{form[-1]}", *flat)


def _flattened(value: Any) -> tuple[list[Any], list[int]]:
    """Row-major values and the dimensions of nested lists, which must be even."""
    if not isinstance(value, (list, tuple)):
        raise Unwritable(f"{_short(value)} is not an array")
    flat, dimensions = list(value), [len(value)]
    while flat and isinstance(flat[0], (list, tuple)):
        width = len(flat[0])
        if any(not isinstance(row, (list, tuple)) or len(row) != width for row in flat):
            raise Unwritable("rows of different lengths are not a matrix")
        dimensions.append(width)
        flat = [element for row in flat for element in row]
        if len(dimensions) > MAX_DEPTH:
            raise Unwritable(f"more than {MAX_DEPTH} dimensions")
    return flat, dimensions


def _identifier(index: int, kind: str, identifier: Any) -> tuple[int, bytes]:
    if kind == "i":
        if index == 0 and identifier <= 0xFF:
            return 0, bytes((identifier,))
        if index <= 0xFF and identifier <= 0xFFFF:
            return 1, bytes((index,)) + _U16(identifier)
        return 2, _U16(index) + _U32(identifier)
    if kind == "s":
        return 3, _U16(index) + text(identifier)
    if kind == "g":
        return 4, _U16(index) + identifier.bytes_le
    return 5, _U16(index) + octets(identifier)


def _kind(name: str) -> int:
    array = name.endswith("[]")
    code = _CODES.get(name.removesuffix("[]"))
    if code is None:
        raise Unwritable(f"{name!r} is not a built-in type")
    return code | ARRAY if array else code


def _inner(value: dict[str, Any], depth: int) -> bytes:
    return variant(_kind(value["type"]), value["value"], depth)


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):  # JSON and configuration say bytes as base64
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise Unwritable(f"{_short(value)} is not base64") from error
    return bytes(value)


def _words(value: Any) -> str:
    if not isinstance(value, str):
        raise Unwritable(f"{_short(value)} is not text")
    return value


def _deeper(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Unwritable(f"nested deeper than {MAX_DEPTH}")


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 60 else said[:57] + "..."


def _no_depth(write: Callable[[Any], bytes]) -> Callable[[Any, int], bytes]:
    return lambda value, _depth: write(value)


_WRITE: Final[dict[int, Callable[[Any, int], bytes]]] = {
    ValueType.NULL: lambda _value, _depth: b"",
    ValueType.STRING: lambda value, _: text(None if value is None else _words(value)),
    ValueType.GUID: _no_depth(guid),
    ValueType.BYTESTRING: lambda value, _: octets(None if value is None else _bytes(value)),
    ValueType.XMLELEMENT: lambda value, _: text(None if value is None else _words(value)),
    ValueType.NODEID: _no_depth(node),
    ValueType.EXPANDEDNODEID: _no_depth(node),
    ValueType.QUALIFIEDNAME: _no_depth(qualified_name),
    ValueType.LOCALIZEDTEXT: _no_depth(
        lambda value: localized_text({"text": value} if isinstance(value, str) else value)
    ),
    ValueType.EXTENSIONOBJECT: _no_depth(extension),
    ValueType.DATAVALUE: data_value,
    ValueType.VARIANT: _inner,
    ValueType.DIAGNOSTICINFO: diagnostic,
}
_NULLABLE: Final = frozenset(
    {
        ValueType.STRING,
        ValueType.BYTESTRING,
        ValueType.XMLELEMENT,
        ValueType.EXTENSIONOBJECT,
        ValueType.DIAGNOSTICINFO,
    }
)
