"""OPC UA binary (OPC 10000-6, 5.2) read into plain values that a batch's heap and its wire form can hold.

Strings, GUIDs and XML elements are ``str``; DateTime is 100 ns ticks since 1601; NodeIds and qualified names
are their text; localized text is ``{"locale", "text"}``; a structure is ``{"type", "body"}``, its body a dict
where asyncua knows the type, else the bytes as they came; a Variant inside another is ``{"type", "value"}``.

What comes from a peer is bounded here: no length reaches beyond the message, no array is longer than its
bytes allow, nothing nests deeper than MAX_DEPTH.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Final

import numpy as np

from weft.model import ARRAY, ValueType
from weft.model.values import type_name
from weft.ua.definition import Definition, read_structure
from weft.ua.structure import structure

__all__ = ["MAX_DEPTH", "BadEncoding", "Reader"]

MAX_DEPTH: Final = 100  # OPC 10000-6, 5.2.2.16 asks decoders for at least that

_DTYPES: Final = {
    ValueType.BOOLEAN: "?",
    ValueType.SBYTE: "i1",
    ValueType.BYTE: "u1",
    ValueType.INT16: "<i2",
    ValueType.UINT16: "<u2",
    ValueType.INT32: "<i4",
    ValueType.UINT32: "<u4",
    ValueType.INT64: "<i8",
    ValueType.UINT64: "<u8",
    ValueType.FLOAT: "<f4",
    ValueType.DOUBLE: "<f8",
    ValueType.DATETIME: "<i8",
    ValueType.STATUSCODE: "<u4",
}
_SCALARS: Final = {
    kind: struct.Struct("<" + np.dtype(code).char.replace("l", "q").replace("L", "Q"))
    for kind, code in _DTYPES.items()
}
_U16: Final = struct.Struct("<H")
_I32: Final = struct.Struct("<i")
_U32: Final = struct.Struct("<I")
_I64: Final = struct.Struct("<q")
_GUID: Final = struct.Struct("<IHH8s")


class BadEncoding(ValueError):
    """The bytes are not OPC UA binary; what follows them cannot be found."""


class Reader:
    """A position in one message. ``spoiled`` tells that a text since it was last cleared was not UTF-8 (the
    wrong bytes read as U+FFFD): the message goes on, that value is not to be used. ``known`` are the server's own
    structures by the NodeId of their encoding, None for those that nobody can describe; ``strange`` takes the
    NodeIds of others."""

    __slots__ = ("data", "end", "known", "pos", "spoiled", "strange")

    def __init__(
        self,
        data: bytes,
        pos: int = 0,
        end: int | None = None,
        known: Mapping[str, Definition | None] | None = None,
        strange: set[str] | None = None,
    ) -> None:
        self.data = data
        self.pos = pos
        self.end = len(data) if end is None else end
        self.spoiled = False
        self.known = known
        self.strange = strange

    def skip(self, size: int) -> int:
        """Moves on by ``size`` bytes; the place where they begin."""
        start = self.pos
        if size < 0 or size > self.end - start:
            raise BadEncoding(f"{size} bytes asked for where {self.end - start} are left")
        self.pos = start + size
        return start

    def u8(self) -> int:
        return self.data[self.skip(1)]

    def u16(self) -> int:
        return int(_U16.unpack_from(self.data, self.skip(2))[0])

    def i32(self) -> int:
        return int(_I32.unpack_from(self.data, self.skip(4))[0])

    def u32(self) -> int:
        return int(_U32.unpack_from(self.data, self.skip(4))[0])

    def i64(self) -> int:
        return int(_I64.unpack_from(self.data, self.skip(8))[0])

    def octets(self) -> bytes | None:
        size = self.i32()
        if size == -1:
            return None
        start = self.skip(size)
        return self.data[start : self.pos]

    def text(self) -> str | None:
        raw = self.octets()
        if raw is None:
            return None
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.spoiled = True
            return raw.decode(errors="replace")

    def count(self, smallest: int = 1) -> int:
        """Length of an array whose elements take at least ``smallest`` bytes; -1 is the null array."""
        n = self.i32()
        if n < -1 or n * smallest > self.end - self.pos:
            raise BadEncoding(f"an array of {n} in {self.end - self.pos} bytes")
        return n

    def guid(self) -> str:
        a, b, c, d = _GUID.unpack_from(self.data, self.skip(16))
        return f"{a:08x}-{b:04x}-{c:04x}-{d[:2].hex()}-{d[2:].hex()}"

    def node(self) -> str:
        """NodeId or ExpandedNodeId (5.2.2.9, 5.2.2.10)."""
        form = self.u8()
        kind = form & 0x3F
        namespace = 0
        if kind == 0:
            text = f"i={self.u8()}"
        elif kind == 1:
            namespace = self.u8()
            text = f"i={self.u16()}"
        else:
            namespace = self.u16()
            text = self._identifier(kind)
        uri = self.text() if form & 0x80 else None
        server = self.u32() if form & 0x40 else 0
        place = f"nsu={uri};" if uri else f"ns={namespace};" if namespace else ""
        return f"svr={server};{place}{text}" if server else place + text

    def _identifier(self, kind: int) -> str:
        if kind == 2:
            return f"i={self.u32()}"
        if kind == 3:
            return f"s={self.text() or ''}"
        if kind == 4:
            return f"g={self.guid()}"
        if kind == 5:
            return "b=" + base64.b64encode(self.octets() or b"").decode()
        raise BadEncoding(f"NodeId of unknown form {kind}")

    def qualified_name(self) -> str:
        index = self.u16()
        name = self.text() or ""
        return f"{index}:{name}" if index else name

    def localized_text(self) -> dict[str, str | None]:
        mask = self.u8()
        locale = self.text() if mask & 1 else None
        return {"locale": locale, "text": self.text() if mask & 2 else None}

    def diagnostic(self, depth: int = 0) -> dict[str, Any] | None:
        """DiagnosticInfo (5.2.2.12)."""
        self.deeper(depth)
        mask = self.u8()
        names = ((1, "symbolic_id"), (2, "namespace"), (8, "locale"), (4, "localized_text"))
        found: dict[str, Any] = {name: self.i32() for bit, name in names if mask & bit}
        if mask & 0x10:
            found["additional"] = self.text()
        if mask & 0x20:
            found["inner_status"] = self.u32()
        if mask & 0x40:
            found["inner"] = self.diagnostic(depth + 1)
        return found or None

    def extension(self, depth: int = 0) -> dict[str, Any] | None:
        """ExtensionObject (5.2.2.15); None when it has neither type nor body."""
        self.deeper(depth)
        kind = self.node()
        form = self.u8()
        if form == 2:
            return {"type": kind, "body": self.text()}
        body = self.octets() if form == 1 else None
        if body is None:
            return None if kind == "i=0" else {"type": kind, "body": None}
        if self.known is None:
            return structure(kind, body)
        return self._known_structure(kind, body, depth)

    def _known_structure(self, kind: str, body: bytes, depth: int) -> dict[str, Any]:
        assert self.known is not None
        definition = self.known.get(kind)
        if definition is None:
            found = structure(kind, body)
            if isinstance(found["body"], bytes) and kind not in self.known and self.strange is not None:
                self.strange.add(kind)
            return found
        reader = Reader(body, 0, None, self.known, self.strange)
        try:
            table = read_structure(reader, definition, depth + 1)
        except (BadEncoding, struct.error):
            return {"type": kind, "body": body}
        if reader.pos != reader.end:  # not all of it: the description is another version's
            return {"type": kind, "body": body}
        self.spoiled |= reader.spoiled
        return {"type": definition.name, "body": table}

    def value(self, kind: int, depth: int = 0) -> Any:
        """A single value of a built-in type, without a header."""
        if kind == ValueType.VARIANT:
            return _inner_variant(self, depth)
        return self._scalar(kind, depth)

    def values(self, kind: int, depth: int = 0) -> list[Any] | None:
        """An array of a built-in type, without a header."""
        return self._array(kind, depth)

    def room(self, n: int) -> None:
        """Raises BadEncoding when n values of at least one byte cannot be there."""
        if n > self.end - self.pos:
            raise BadEncoding(f"{n} values in {self.end - self.pos} bytes")

    @staticmethod
    def shaped(values: list[Any], dimensions: list[int]) -> list[Any] | None:
        """Row-major values as nested lists."""
        return _shaped(values, dimensions)

    def variant(self, depth: int = 0) -> tuple[int, Any]:
        """Type (``| ARRAY``) and plain value (5.2.2.16)."""
        self.deeper(depth)
        form = self.u8()
        kind = form & 0x3F
        if kind > ValueType.DIAGNOSTICINFO:
            if kind > 31:
                raise BadEncoding(f"Variant of unknown type {kind}")
            kind = ValueType.BYTESTRING  # reserved numbers are read as ByteString (5.1.2)
        if not form & 0x80:
            return kind, self._scalar(kind, depth)
        values = self._array(kind, depth)
        if form & 0x40:
            values = _shaped(values, self._dimensions())
        return kind | ARRAY, values

    def data_value(self, depth: int = 0) -> dict[str, Any]:
        """DataValue (5.2.2.17); a field that is not there has no key, no status is Good."""
        self.deeper(depth)
        mask = self.u8()
        kind, value = self.variant(depth + 1) if mask & 1 else (0, None)
        found: dict[str, Any] = {"type": type_name(kind), "value": value}
        for bit, name, read in (
            (0x02, "status", self.u32),
            (0x04, "source_time", self.i64),
            (0x10, "source_picoseconds", self.u16),
            (0x08, "server_time", self.i64),
            (0x20, "server_picoseconds", self.u16),
        ):
            if mask & bit:
                found[name] = read()
        return found

    def _scalar(self, kind: int, depth: int) -> Any:
        fixed = _SCALARS.get(ValueType(kind))
        if fixed is not None:
            return fixed.unpack_from(self.data, self.skip(fixed.size))[0]
        if kind == ValueType.NULL:
            return None
        read = _PLAIN.get(kind)
        return read(self) if read is not None else _NESTED[kind](self, depth + 1)

    def _array(self, kind: int, depth: int) -> list[Any] | None:
        if kind == ValueType.NULL:
            raise BadEncoding("an array of nothing")  # its elements have no bytes: any length would fit
        dtype = _DTYPES.get(ValueType(kind))
        if dtype is not None:
            width = np.dtype(dtype).itemsize
            n = self.count(width)
            if n < 0:
                return None
            numbers = np.frombuffer(self.data, dtype, n, self.skip(n * width))
            return list((numbers.view("u1") != 0).tolist() if dtype == "?" else numbers.tolist())
        n = self.count()
        return None if n < 0 else [self._scalar(kind, depth) for _ in range(n)]

    def _dimensions(self) -> list[int]:
        n = self.count(4)
        return [self.i32() for _ in range(n)]

    @staticmethod
    def deeper(depth: int) -> None:
        if depth > MAX_DEPTH:
            raise BadEncoding(f"nested deeper than {MAX_DEPTH}")


def _shaped(values: list[Any] | None, dimensions: list[int]) -> list[Any] | None:
    """Row-major values as nested lists; the dimensions must hold just them (5.2.2.16)."""
    if values is None or len(dimensions) < 2:
        return values
    if min(dimensions) < 0 or prod(dimensions) != len(values):
        raise BadEncoding(f"{len(values)} values in an array of {dimensions[:10]}")
    for size in reversed(dimensions[1:]):
        if not size:
            return []
        values = [values[i : i + size] for i in range(0, len(values), size)]
    return values


def _inner_variant(reader: Reader, depth: int) -> dict[str, Any]:
    kind, value = reader.variant(depth)
    return {"type": type_name(kind), "value": value}


_PLAIN: Final[dict[int, Callable[[Reader], Any]]] = {
    ValueType.STRING: Reader.text,
    ValueType.GUID: Reader.guid,
    ValueType.BYTESTRING: Reader.octets,
    ValueType.XMLELEMENT: Reader.text,
    ValueType.NODEID: Reader.node,
    ValueType.EXPANDEDNODEID: Reader.node,
    ValueType.QUALIFIEDNAME: Reader.qualified_name,
    ValueType.LOCALIZEDTEXT: Reader.localized_text,
}
_NESTED: Final[dict[int, Callable[[Reader, int], Any]]] = {
    ValueType.EXTENSIONOBJECT: Reader.extension,
    ValueType.DATAVALUE: Reader.data_value,
    ValueType.VARIANT: _inner_variant,
    ValueType.DIAGNOSTICINFO: Reader.diagnostic,
}
