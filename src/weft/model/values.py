"""The types a value can have on the wire of a field protocol, and how a batch stores them.

Type numbers are the OPC UA built-in types (OPC 10000-6, table 1), so that no protocol's type is lost: the
other protocols have subsets. A value of fixed size lives in 64 bits; anything else lives on a batch's heap.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "ARRAY",
    "FLOATS",
    "HEAPED",
    "INTEGERS",
    "NUMERIC",
    "RANGES",
    "ValueType",
    "is_in",
    "type_name",
]


class ValueType(IntEnum):
    """A value's original type. ``type | ARRAY`` is an array of it."""

    NULL = 0
    BOOLEAN = 1
    SBYTE = 2
    BYTE = 3
    INT16 = 4
    UINT16 = 5
    INT32 = 6
    UINT32 = 7
    INT64 = 8
    UINT64 = 9
    FLOAT = 10
    DOUBLE = 11
    STRING = 12
    DATETIME = 13  # 100 ns ticks since 1601-01-01 UTC: int64 nanoseconds could not hold every OPC UA date
    GUID = 14
    BYTESTRING = 15
    XMLELEMENT = 16
    NODEID = 17
    EXPANDEDNODEID = 18
    STATUSCODE = 19
    QUALIFIEDNAME = 20
    LOCALIZEDTEXT = 21
    EXTENSIONOBJECT = 22
    DATAVALUE = 23
    VARIANT = 24
    DIAGNOSTICINFO = 25


ARRAY: Final = 0x80

FLOATS: Final = frozenset({ValueType.FLOAT, ValueType.DOUBLE})
INTEGERS: Final = frozenset(range(ValueType.SBYTE, ValueType.UINT64 + 1))
NUMERIC: Final = INTEGERS | FLOATS | {ValueType.BOOLEAN}
HEAPED: Final = frozenset(
    {*range(ValueType.STRING, ValueType.DIAGNOSTICINFO + 1)} - {ValueType.DATETIME, ValueType.STATUSCODE}
)

RANGES: Final[dict[int, tuple[int, int]]] = {
    ValueType.BOOLEAN: (0, 1),
    ValueType.SBYTE: (-(2**7), 2**7 - 1),
    ValueType.BYTE: (0, 2**8 - 1),
    ValueType.INT16: (-(2**15), 2**15 - 1),
    ValueType.UINT16: (0, 2**16 - 1),
    ValueType.INT32: (-(2**31), 2**31 - 1),
    ValueType.UINT32: (0, 2**32 - 1),
    ValueType.INT64: (-(2**63), 2**63 - 1),
    ValueType.UINT64: (0, 2**64 - 1),
    ValueType.DATETIME: (-(2**63), 2**63 - 1),
    ValueType.STATUSCODE: (0, 2**32 - 1),
}


def _membership(members: frozenset[int]) -> npt.NDArray[np.bool_]:
    table = np.zeros(256, dtype=np.bool_)
    table[list(members)] = True
    return table


_TABLES: Final = {
    members: _membership(members) for members in (FLOATS, INTEGERS, frozenset(NUMERIC), frozenset(HEAPED))
}


def is_in(types: npt.NDArray[np.uint8], members: frozenset[int]) -> npt.NDArray[np.bool_]:
    """Which of ``types`` (n) belong to ``members``: one table look-up for the whole column."""
    table = _TABLES.get(members)
    return (_membership(members) if table is None else table)[types]


def type_name(code: int) -> str:
    """``Int32``, ``Double[]``: the name OPC UA gives the type."""
    name = _NAMES[ValueType(code & ~ARRAY)]
    return f"{name}[]" if code & ARRAY else name


_NAMES: Final = dict(
    zip(
        ValueType,
        "Null Boolean SByte Byte Int16 UInt16 Int32 UInt32 Int64 UInt64 Float Double String DateTime Guid "
        "ByteString XmlElement NodeId ExpandedNodeId StatusCode QualifiedName LocalizedText ExtensionObject "
        "DataValue Variant DiagnosticInfo".split(),
        strict=True,
    )
)
