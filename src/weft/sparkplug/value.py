"""A value between a metric and Weft's types, bit for bit reversible.

Where a Sparkplug datatype cannot say all, properties of the metric do: ``weft:type`` names the OPC UA type,
``weft:dimensions`` the shape of a matrix, and ``weft:value`` holds the value itself (msgpack in base64) when the
datatype's own form has lost something. Hosts that do not know them read the datatype's form.
"""

from __future__ import annotations

import base64
import binascii
from math import prod
from typing import Any, Final

import msgspec

from weft.model import ARRAY, ValueType
from weft.model.quality import BAD_DECODING_ERROR, BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH
from weft.sparkplug import arrays
from weft.sparkplug.datatype import ARRAY_DTYPES, FLOATING, SIGNED, WIDTH, DataType, Field
from weft.sparkplug.kinds import EPOCH, datatype_of, null_of, type_of
from weft.sparkplug.payload import DataSet, Metric, PropertySet, PropertyValue, Template
from weft.sparkplug.wire import BadPayload

__all__ = ["DIMENSIONS", "TYPE", "VALUE", "add_text", "has_exact", "natural", "put", "restored"]

TYPE: Final = "weft:type"
DIMENSIONS: Final = "weft:dimensions"
VALUE: Final = "weft:value"

_MOST_DIMENSIONS: Final = 8
_TICKS_PER_MS: Final = 10_000
_INT64: Final = 2**63


# --- from a metric ---------------------------------------------------------------------------------------------


def natural(metric: Metric, datatype: int) -> tuple[int, Any, int]:
    """``(type, value, status)`` as the datatype says; ``status`` is not 0 when the value cannot be read so."""
    code = type_of(datatype)
    if metric.is_null or metric.field == Field.NONE:
        return null_of(code), None, 0
    if metric.spoiled:
        return ValueType.NULL, None, BAD_DECODING_ERROR
    if not code:
        return _untyped(metric)
    try:
        value, status = _typed(metric, datatype)
    except BadPayload:
        return ValueType.NULL, None, BAD_DECODING_ERROR
    return (ValueType.NULL, None, status) if status else (code, value, 0)


def _untyped(metric: Metric) -> tuple[int, Any, int]:
    """A metric whose birth named no datatype we know: the field says what it can."""
    kinds = {
        Field.INT: ValueType.UINT32,
        Field.LONG: ValueType.UINT64,
        Field.FLOAT: ValueType.FLOAT,
        Field.DOUBLE: ValueType.DOUBLE,
        Field.BOOLEAN: ValueType.BOOLEAN,
        Field.STRING: ValueType.STRING,
        Field.BYTES: ValueType.BYTESTRING,
    }
    kind = kinds.get(Field(metric.field))
    return (kind, metric.value, 0) if kind else (ValueType.NULL, None, BAD_TYPE_MISMATCH)


def _typed(metric: Metric, datatype: int) -> tuple[Any, int]:
    field, value = metric.field, metric.value
    if datatype in WIDTH:
        return integer(datatype, value) if field in (Field.INT, Field.LONG) else (None, BAD_TYPE_MISMATCH)
    if datatype in FLOATING:
        return (value, 0) if field in (Field.FLOAT, Field.DOUBLE) else (None, BAD_TYPE_MISMATCH)
    if datatype == DataType.BOOLEAN:
        fits = field == Field.BOOLEAN or (field in (Field.INT, Field.LONG) and value < 2)
        return (bool(value), 0) if fits else (None, BAD_TYPE_MISMATCH)
    if datatype in (DataType.STRING, DataType.TEXT, DataType.UUID):
        return (value, 0) if field == Field.STRING else (None, BAD_TYPE_MISMATCH)
    if datatype == DataType.DATASET:
        return (_table(value), 0) if field == Field.DATASET else (None, BAD_TYPE_MISMATCH)
    if datatype == DataType.TEMPLATE:
        return (_instance(value), 0) if field == Field.TEMPLATE else (None, BAD_TYPE_MISMATCH)
    if field != Field.BYTES:
        return None, BAD_TYPE_MISMATCH
    return (value, 0) if datatype in (DataType.BYTES, DataType.FILE) else _array(datatype, value)


def integer(datatype: int, raw: int) -> tuple[int | None, int]:
    """The number that the wire's bits mean. A negative one may have been sent with 8, 16, 32 or 64 bits."""
    width = WIDTH[DataType(datatype)]
    low, high = raw & ((1 << width) - 1), raw >> width
    if datatype == DataType.DATETIME:
        ticks = raw * _TICKS_PER_MS + EPOCH
        return (ticks, 0) if ticks < _INT64 else (None, BAD_OUT_OF_RANGE)
    if datatype in SIGNED:
        negative = low >> (width - 1)
        extended = {0} if not negative else {0, *((1 << w - width) - 1 for w in (16, 32, 64) if w >= width)}
        return (low - (negative << width), 0) if high in extended else (None, BAD_OUT_OF_RANGE)
    return (low, 0) if not high else (None, BAD_OUT_OF_RANGE)


def _array(datatype: int, data: bytes) -> tuple[Any, int]:
    values = arrays.unpack(datatype, data)
    if datatype == DataType.DATETIMEARRAY:
        values = [ms * _TICKS_PER_MS + EPOCH for ms in values]
        if any(ticks >= _INT64 for ticks in values):
            return None, BAD_OUT_OF_RANGE
    return values, 0


def _table(table: DataSet) -> dict[str, Any]:
    """A data set as a structure, its cells by the column's type."""
    rows = [
        [
            natural(Metric(field=cell.field + 9 if cell.field else 0, value=cell.value), datatype)[1]
            for cell, datatype in zip(row, table.types, strict=False)
        ]
        for row in table.rows
    ]
    return {"type": "DataSet", "body": {"columns": table.columns, "types": table.types, "rows": rows}}


def _instance(template: Template) -> dict[str, Any]:
    members = {
        metric.name or f"#{i}": natural(metric, metric.datatype or 0)[1]
        for i, metric in enumerate(template.metrics)
    }
    return {"type": template.template_ref or "Template", "body": members}


def has_exact(metric: Metric) -> bool:
    """Whether its properties hold the value itself."""
    return metric.properties is not None and _text_of(metric.properties, VALUE) is not None


def restored(metric: Metric, code: int, value: Any, kind: int) -> tuple[Any, int]:
    """The value as it was before it became a metric of type ``code``, where its properties say that it was of
    type ``kind``; and a status."""
    properties = metric.properties
    exact = None if properties is None else _text_of(properties, VALUE)
    if exact is not None:
        try:
            return msgspec.msgpack.decode(base64.b64decode(exact, validate=True)), 0
        except (msgspec.MsgspecError, binascii.Error, ValueError, RecursionError):
            return None, BAD_DECODING_ERROR
    shape = None if properties is None else _text_of(properties, DIMENSIONS)
    if shape is not None and isinstance(value, list):
        return _shaped(value, shape)
    fits = code == kind or {code & ~ARRAY, kind & ~ARRAY} & _ALIKE
    return (value, 0) if fits and code & ARRAY == kind & ARRAY else (None, BAD_DECODING_ERROR)


# Types whose values are the same in Python's hands as those of the datatype that stands in for them.
_ALIKE: Final = {
    ValueType.STATUSCODE,
    ValueType.NODEID,
    ValueType.EXPANDEDNODEID,
    ValueType.QUALIFIEDNAME,
    ValueType.XMLELEMENT,
    ValueType.GUID,
}


def _shaped(values: list[Any], shape: str) -> tuple[Any, int]:
    parts = shape.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return None, BAD_DECODING_ERROR
    sizes = [int(part) for part in parts]
    if len(sizes) > _MOST_DIMENSIONS or prod(sizes) != len(values) or not values:
        return None, BAD_DECODING_ERROR
    for size in reversed(sizes[1:]):
        values = [values[i : i + size] for i in range(0, len(values), size)]
    return values, 0


def _text_of(properties: PropertySet, key: str) -> str | None:
    found = properties.get(key)
    return found.value if found is not None and isinstance(found.value, str) else None


# --- to a metric -----------------------------------------------------------------------------------------------


def put(metric: Metric, code: int, value: Any, datatype: int) -> None:
    """Gives the metric a value of Weft's type ``code`` in the form of ``datatype``, and the properties without
    which :func:`restored` would not have it back. ``weft:type`` is the caller's."""
    if value is None:
        metric.is_null = True
        return
    flat, shape = _flattened(value) if code & ARRAY else (value, "")
    try:
        metric.field, metric.value = _form(code, flat, datatype)
    except (ValueError, OverflowError, TypeError):
        metric.field, metric.value = _empty(datatype)
    if shape:
        add_text(metric, DIMENSIONS, shape)
    if datatype == datatype_of(code) and code in _SAFE:
        return
    back = restored(metric, natural(metric, datatype)[0], natural(metric, datatype)[1], code)
    if back[1] or _packed(back[0]) != _packed(value):
        add_text(metric, VALUE, base64.b64encode(_packed(value)).decode())


# Scalars that their datatype holds whole.
_SAFE: Final = {
    *range(ValueType.BOOLEAN, ValueType.UINT64 + 1),
    ValueType.DOUBLE,
    ValueType.STRING,
    ValueType.GUID,
    ValueType.BYTESTRING,
    ValueType.STATUSCODE,
}


def add_text(metric: Metric, key: str, text: str) -> None:
    properties = metric.properties = metric.properties or PropertySet()
    properties.keys.append(key)
    properties.values.append(PropertyValue(type=DataType.STRING, field=8, value=text))


def _packed(value: Any) -> bytes:
    return msgspec.msgpack.encode(value)


def _form(code: int, value: Any, datatype: int) -> tuple[int, Any]:
    """``(field, value)`` of the metric. Raises ValueError, OverflowError or TypeError for what does not fit."""
    if datatype == DataType.STRING:
        return Field.STRING, value if isinstance(value, str) else _readable(code, value)
    if datatype == DataType.UUID:
        return Field.STRING, value
    if datatype == DataType.DATETIME:
        return Field.LONG, _milliseconds(value)
    if datatype in WIDTH:
        wide = WIDTH[DataType(datatype)] == 64
        return (Field.LONG, value & (2**64 - 1)) if wide else (Field.INT, value & 0xFFFFFFFF)
    if datatype == DataType.FLOAT:
        return Field.FLOAT, arrays.unpack(DataType.FLOATARRAY, arrays.pack(DataType.FLOATARRAY, [value]))[0]
    if datatype == DataType.DOUBLE:
        return Field.DOUBLE, float(value)
    if datatype == DataType.BOOLEAN:
        return Field.BOOLEAN, bool(value)
    if datatype == DataType.DATETIMEARRAY:
        value = [_milliseconds(ticks) for ticks in value]
    if datatype in ARRAY_DTYPES or datatype in (DataType.BOOLEANARRAY, DataType.STRINGARRAY):
        return Field.BYTES, arrays.pack(datatype, value)
    return Field.BYTES, bytes(value)


def _milliseconds(ticks: int) -> int:
    """Raises ValueError before 1970."""
    ms = (ticks - EPOCH) // _TICKS_PER_MS
    if ms < 0:
        raise ValueError("before 1970")
    return ms


def _empty(datatype: int) -> tuple[int, Any]:
    """What stands in the datatype's own form where the value has none in it."""
    if datatype in (DataType.STRING, DataType.UUID, DataType.TEXT):
        return Field.STRING, ""
    return (Field.LONG, 0) if datatype == DataType.DATETIME else (Field.BYTES, b"")


def _readable(code: int, value: Any) -> str:
    """For people: the text of a localized text, JSON of everything else."""
    if code == ValueType.LOCALIZEDTEXT and isinstance(value, dict):
        return str(value.get("text") or "")
    return msgspec.json.encode(value).decode()


def _flattened(values: Any) -> tuple[Any, str]:
    """A matrix row by row and its dimensions; anything else as it is."""
    sizes = []
    level = values
    while isinstance(level, list) and level and all(isinstance(row, list) for row in level):
        sizes.append(len(level))
        if len({len(row) for row in level}) > 1 or len(sizes) >= _MOST_DIMENSIONS:
            return values, ""
        level = [item for row in level for item in row]
    if not sizes or not level:
        return values, ""
    outer: list[int] = []
    inner = values
    while len(outer) <= len(sizes):
        outer.append(len(inner))
        inner = inner[0]
    return level, ",".join(map(str, outer))
