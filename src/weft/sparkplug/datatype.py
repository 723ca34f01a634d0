"""Sparkplug's data types (Sparkplug 3.0, 6.4.16) and the fields of a metric that carry them."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

__all__ = ["ARRAY_DTYPES", "ARRAY_OF", "FIELD_OF", "FLOATING", "SIGNED", "WIDTH", "DataType", "Field"]


class DataType(IntEnum):
    """What a metric's ``datatype`` says."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13  # ms since 1970 UTC
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTYSET = 20
    PROPERTYSETLIST = 21
    INT8ARRAY = 22
    INT16ARRAY = 23
    INT32ARRAY = 24
    INT64ARRAY = 25
    UINT8ARRAY = 26
    UINT16ARRAY = 27
    UINT32ARRAY = 28
    UINT64ARRAY = 29
    FLOATARRAY = 30
    DOUBLEARRAY = 31
    BOOLEANARRAY = 32
    STRINGARRAY = 33
    DATETIMEARRAY = 34


class Field(IntEnum):
    """The field of a metric that holds its value; NONE: the metric has none."""

    NONE = 0
    INT = 10
    LONG = 11
    FLOAT = 12
    DOUBLE = 13
    BOOLEAN = 14
    STRING = 15
    BYTES = 16
    DATASET = 17
    TEMPLATE = 18


SIGNED: Final = frozenset({DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64})
FLOATING: Final = frozenset({DataType.FLOAT, DataType.DOUBLE})

WIDTH: Final = {
    DataType.INT8: 8,
    DataType.INT16: 16,
    DataType.INT32: 32,
    DataType.INT64: 64,
    DataType.UINT8: 8,
    DataType.UINT16: 16,
    DataType.UINT32: 32,
    DataType.UINT64: 64,
    DataType.DATETIME: 64,
}
"""Bits of the integer types."""

FIELD_OF: Final[dict[int, Field]] = {
    **dict.fromkeys((DataType.INT8, DataType.INT16, DataType.INT32), Field.INT),
    **dict.fromkeys((DataType.UINT8, DataType.UINT16, DataType.UINT32), Field.INT),
    **dict.fromkeys((DataType.INT64, DataType.UINT64, DataType.DATETIME), Field.LONG),
    DataType.FLOAT: Field.FLOAT,
    DataType.DOUBLE: Field.DOUBLE,
    DataType.BOOLEAN: Field.BOOLEAN,
    **dict.fromkeys((DataType.STRING, DataType.TEXT, DataType.UUID), Field.STRING),
    **dict.fromkeys((DataType.BYTES, DataType.FILE), Field.BYTES),
    DataType.DATASET: Field.DATASET,
    DataType.TEMPLATE: Field.TEMPLATE,
    **dict.fromkeys(range(DataType.INT8ARRAY, DataType.DATETIMEARRAY + 1), Field.BYTES),
}
"""The field that the specification names for a type; others' hosts are read more freely."""

ARRAY_DTYPES: Final = {
    DataType.INT8ARRAY: "i1",
    DataType.INT16ARRAY: "<i2",
    DataType.INT32ARRAY: "<i4",
    DataType.INT64ARRAY: "<i8",
    DataType.UINT8ARRAY: "u1",
    DataType.UINT16ARRAY: "<u2",
    DataType.UINT32ARRAY: "<u4",
    DataType.UINT64ARRAY: "<u8",
    DataType.FLOATARRAY: "<f4",
    DataType.DOUBLEARRAY: "<f8",
    DataType.DATETIMEARRAY: "<u8",
}

ARRAY_OF: Final = {
    DataType.INT8: DataType.INT8ARRAY,
    DataType.INT16: DataType.INT16ARRAY,
    DataType.INT32: DataType.INT32ARRAY,
    DataType.INT64: DataType.INT64ARRAY,
    DataType.UINT8: DataType.UINT8ARRAY,
    DataType.UINT16: DataType.UINT16ARRAY,
    DataType.UINT32: DataType.UINT32ARRAY,
    DataType.UINT64: DataType.UINT64ARRAY,
    DataType.FLOAT: DataType.FLOATARRAY,
    DataType.DOUBLE: DataType.DOUBLEARRAY,
    DataType.BOOLEAN: DataType.BOOLEANARRAY,
    DataType.STRING: DataType.STRINGARRAY,
    DataType.DATETIME: DataType.DATETIMEARRAY,
}
