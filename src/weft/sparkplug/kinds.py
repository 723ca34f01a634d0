"""OPC UA's built-in types and Sparkplug's: which stands for which."""

from __future__ import annotations

from typing import Final

from weft.model import ARRAY, ValueType
from weft.model.values import HEAPED, type_name
from weft.sparkplug.datatype import ARRAY_OF, DataType

__all__ = ["EPOCH", "code_named", "datatype_of", "null_of", "type_of"]

EPOCH: Final = 116_444_736_000_000_000  # 100 ns ticks from 1601 to 1970

_DIRECT: Final = {
    ValueType.BOOLEAN: DataType.BOOLEAN,
    ValueType.SBYTE: DataType.INT8,
    ValueType.BYTE: DataType.UINT8,
    ValueType.INT16: DataType.INT16,
    ValueType.UINT16: DataType.UINT16,
    ValueType.INT32: DataType.INT32,
    ValueType.UINT32: DataType.UINT32,
    ValueType.INT64: DataType.INT64,
    ValueType.UINT64: DataType.UINT64,
    ValueType.FLOAT: DataType.FLOAT,
    ValueType.DOUBLE: DataType.DOUBLE,
    ValueType.STRING: DataType.STRING,
    ValueType.DATETIME: DataType.DATETIME,
    ValueType.GUID: DataType.UUID,
    ValueType.BYTESTRING: DataType.BYTES,
}
_STANDING_IN: Final = {ValueType.STATUSCODE: DataType.UINT32}  # for all others: a text

_TYPE_OF: Final[dict[int, int]] = {
    **{datatype: kind for kind, datatype in _DIRECT.items()},
    **{ARRAY_OF[d]: k | ARRAY for k, d in _DIRECT.items() if d in ARRAY_OF},
    DataType.TEXT: ValueType.STRING,
    DataType.FILE: ValueType.BYTESTRING,
    DataType.DATASET: ValueType.EXTENSIONOBJECT,
    DataType.TEMPLATE: ValueType.EXTENSIONOBJECT,
}
_CODES: Final = {type_name(kind | array): kind | array for kind in ValueType for array in (0, ARRAY)}


def datatype_of(code: int) -> DataType:
    """The datatype for a Weft type (``| ARRAY`` for arrays); String where Sparkplug has none."""
    kind = ValueType(code & ~ARRAY)
    datatype = _DIRECT.get(kind) or _STANDING_IN.get(kind) or DataType.STRING
    if not code & ARRAY:
        return datatype
    if datatype == DataType.UUID:
        return DataType.STRINGARRAY
    return ARRAY_OF.get(datatype, DataType.STRING) if kind in _ARRAYS else DataType.STRING


# Arrays of these are readable element by element; of others the whole is one text.
_ARRAYS: Final = {*_DIRECT, ValueType.STATUSCODE, ValueType.NODEID, ValueType.EXPANDEDNODEID,
                  ValueType.QUALIFIEDNAME, ValueType.XMLELEMENT}  # fmt: skip


def type_of(datatype: int) -> int:
    """The Weft type that a datatype stands for by itself; 0 (Null) for what is not known."""
    return _TYPE_OF.get(datatype, ValueType.NULL)


def null_of(code: int) -> int:
    """The type of a null where values are of type ``code``: what lives on the heap has nulls of its own."""
    return code if code >= ARRAY or code in HEAPED else ValueType.NULL


def code_named(name: str) -> int | None:
    """The type of a :func:`~weft.model.values.type_name`."""
    return _CODES.get(name)
