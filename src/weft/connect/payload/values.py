"""From what stands in a payload to a typed value with a status."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec

from weft.connect.payload.document import NOT_JSON, parse
from weft.model import ARRAY, ValueType, quality
from weft.model.instant import parse_instant, to_filetime
from weft.model.values import FLOATS, INTEGERS, RANGES, type_name
from weft.runtime import Invalid

__all__ = ["MALFORMED", "MISSING", "Value", "check_type", "plain", "typed"]

Value: TypeAlias = tuple[Any, int, int]  # value, ValueType, StatusCode

EMPTY: Final[Value] = (None, ValueType.NULL, quality.BAD_SENSOR_FAILURE)  # the source says: no value
MISMATCH: Final[Value] = (None, ValueType.NULL, quality.BAD_TYPE_MISMATCH)
MALFORMED: Final[Value] = (None, ValueType.NULL, quality.BAD_DECODING_ERROR)
MISSING: Final[Value] = (None, ValueType.NULL, quality.BAD_NODE_ID_UNKNOWN)
TOO_LARGE: Final[Value] = (None, ValueType.NULL, quality.BAD_OUT_OF_RANGE)

_SERVED: Final = INTEGERS | FLOATS | {
    ValueType.BOOLEAN, ValueType.STRING, ValueType.DATETIME, ValueType.BYTESTRING,
}  # fmt: skip
_INTEGER: Final = re.compile(r"\s*[+-]?\d{1,40}\s*", re.ASCII)
_FLOAT: Final = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?\s*", re.ASCII)
_TRUTH: Final = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}
_INT64: Final = RANGES[ValueType.INT64]
_UINT64: Final = RANGES[ValueType.UINT64]
_EXACT: Final = 2**53
_json = msgspec.json.Encoder().encode


def check_type(wanted: ValueType | None) -> None:
    """Raises Invalid for a type that neither text nor JSON can carry."""
    if wanted is not None and wanted not in _SERVED:
        raise Invalid(f"A payload cannot be read as {type_name(wanted)}.")


def plain(payload: bytes, wanted: ValueType | None) -> Value:
    """The whole payload. Without a wanted type JSON is read as JSON, other text is String (``000123`` is text),
    other bytes are ByteString."""
    if wanted == ValueType.BYTESTRING:
        return payload, wanted, quality.GOOD
    document = parse(payload)
    if document is not NOT_JSON and not (wanted == ValueType.STRING and not isinstance(document, str)):
        return typed(document, wanted)
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return MALFORMED if wanted is not None else (payload, ValueType.BYTESTRING, quality.GOOD)
    return typed(text, wanted)


def typed(value: Any, wanted: ValueType | None) -> Value:
    """A JSON value as ``wanted``, or as it comes: numbers are Int64, UInt64 or Double (larger integers String,
    every digit kept), arrays of one kind arrays, anything else JSON text."""
    if value is None:
        return EMPTY
    if isinstance(value, bool):
        return _boolean(value, wanted)
    if isinstance(value, int):
        return _integer(value, wanted)
    if isinstance(value, float):
        return _float(value, wanted)
    if isinstance(value, str):
        return _text(value, wanted)
    if wanted is None and isinstance(value, list):
        return _array(value)
    if wanted is None or wanted == ValueType.STRING:
        return _as_json(value)
    return MISMATCH


def _as_json(value: Any) -> Value:
    try:
        return _json(value).decode(), ValueType.STRING, quality.GOOD
    except RecursionError:
        return MALFORMED


def _boolean(value: bool, wanted: ValueType | None) -> Value:
    if wanted == ValueType.STRING:
        return _as_json(value)
    if wanted in INTEGERS:
        return int(value), wanted or 0, quality.GOOD
    return (value, ValueType.BOOLEAN, quality.GOOD) if wanted in (None, ValueType.BOOLEAN) else MISMATCH


def _integer(value: int, wanted: ValueType | None) -> Value:
    if wanted is None:
        if _INT64[0] <= value <= _INT64[1]:
            return value, ValueType.INT64, quality.GOOD
        return (value, ValueType.UINT64, quality.GOOD) if 0 < value <= _UINT64[1] else (
            str(value), ValueType.STRING, quality.GOOD,
        )  # fmt: skip
    if wanted in INTEGERS:
        low, high = RANGES[wanted]
        return (value, wanted, quality.GOOD) if low <= value <= high else TOO_LARGE
    if wanted in FLOATS:
        return (float(value), wanted, quality.GOOD) if abs(value) <= _EXACT else TOO_LARGE
    if wanted == ValueType.STRING:
        return str(value), wanted, quality.GOOD
    return (
        (bool(value), wanted, quality.GOOD) if wanted == ValueType.BOOLEAN and value in (0, 1) else MISMATCH
    )


def _float(value: float, wanted: ValueType | None) -> Value:
    if wanted is None:
        return value, ValueType.DOUBLE, quality.GOOD
    if wanted in FLOATS:
        return value, wanted, quality.GOOD
    if wanted in INTEGERS:
        return _integer(int(value), wanted) if value.is_integer() else MISMATCH
    return _as_json(value) if wanted == ValueType.STRING else MISMATCH


def _text(value: str, wanted: ValueType | None) -> Value:
    if wanted is None or wanted == ValueType.STRING:
        return value, ValueType.STRING, quality.GOOD
    if wanted in INTEGERS:
        return _integer_text(value, wanted)
    if wanted in FLOATS:
        return (float(value), wanted, quality.GOOD) if _FLOAT.fullmatch(value) else MISMATCH
    if wanted == ValueType.BOOLEAN:
        truth = _TRUTH.get(value.strip().lower())
        return MISMATCH if truth is None else (truth, wanted, quality.GOOD)
    if wanted == ValueType.DATETIME:
        try:
            return to_filetime(parse_instant(value)), wanted, quality.GOOD
        except ValueError:
            return MISMATCH
    return value.encode(), ValueType.BYTESTRING, quality.GOOD


def _integer_text(value: str, wanted: ValueType) -> Value:
    """Text that is no number stays text: the edge may know it as the name of a state."""
    if _INTEGER.fullmatch(value):
        return _integer(int(value), wanted)
    if _FLOAT.fullmatch(value):
        return _float(float(value), wanted)
    return (value, ValueType.STRING, quality.GOOD) if value.strip() else MISMATCH


def _array(values: Sequence[Any]) -> Value:
    kinds = set(map(type, values))
    if kinds == {int} and _INT64[0] <= min(values) and max(values) <= _INT64[1]:
        return list(values), ValueType.INT64 | ARRAY, quality.GOOD
    if kinds == {float} or (
        kinds == {int, float} and all(abs(v) <= _EXACT for v in values if type(v) is int)
    ):
        return [float(value) for value in values], ValueType.DOUBLE | ARRAY, quality.GOOD
    if kinds == {str}:
        return list(values), ValueType.STRING | ARRAY, quality.GOOD
    if kinds == {bool}:
        return list(values), ValueType.BOOLEAN | ARRAY, quality.GOOD
    return _as_json(values)
