"""From the fields of an observation to a typed value with a status."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from weft.connect.api import Point
from weft.connect.shdr.address import AXES, CONDITION, MESSAGE, PARTS, Address, Category
from weft.connect.shdr.dataset import dataset
from weft.model import ARRAY, ValueType, quality
from weft.model.instant import parse_instant, to_filetime
from weft.model.values import FLOATS, INTEGERS, type_name
from weft.runtime import Invalid

__all__ = ["MISSING", "Reading", "Value", "is_unavailable", "reading_of"]

Value: TypeAlias = tuple[Any, int, int]  # value, ValueType, StatusCode
Reading: TypeAlias = Callable[[Sequence[str], float | None], Value]
Scalar: TypeAlias = Callable[[str], Value]

# The adapter is there but has no connection to what it should read: MTConnect part 1, "UNAVAILABLE".
UNAVAILABLE: Final[Value] = (None, ValueType.NULL, quality.BAD_NO_COMMUNICATION)
MISMATCH: Final[Value] = (None, ValueType.NULL, quality.BAD_TYPE_MISMATCH)
MISSING: Final[Value] = (None, ValueType.NULL, quality.BAD_DECODING_ERROR)
ABSENT: Final[Value] = (None, ValueType.STRING, quality.GOOD)

_INTEGER: Final = re.compile(r"\s*[+-]?\d{1,40}\s*", re.ASCII)
_TRUTH: Final = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}
_json = msgspec.json.Encoder().encode


def is_unavailable(text: str) -> bool:
    return len(text) == 11 and text.upper() == "UNAVAILABLE"


def reading_of(point: Point) -> Reading:
    """How this point reads an observation. Raises Invalid when its address or type cannot be served."""
    address: Address = point.address
    category, part = address.category, address.part
    if part and part not in PARTS[category]:
        raise Invalid(
            f"A {category} has no part {part!r}.", remedy=f"Parts are: {', '.join(PARTS[category])}."
        )
    if part == "duration":
        return _duration
    if part == "reset":
        return _reset
    if part in AXES:
        return _axis(AXES.index(part))
    if category is Category.CONDITION:
        return _named(CONDITION, part, _scalar(point.type))
    if category is Category.MESSAGE:
        return _named(MESSAGE, part, _scalar(point.type))
    if category is Category.TIMESERIES:
        return _series(part)
    if category in (Category.DATASET, Category.TABLE):
        return _dataset
    scalar = _sample(point.type) if category is Category.SAMPLE else _scalar(point.type)
    return lambda fields, _: scalar(fields[0])


def _scalar(wanted: ValueType | None) -> Scalar:
    if wanted in FLOATS:
        return lambda text: _number(text, wanted)
    if wanted in INTEGERS:
        return lambda text: _integer(text, wanted)
    if wanted == ValueType.BOOLEAN:
        return _boolean
    if wanted == ValueType.DATETIME:
        return _date
    if wanted is None or wanted == ValueType.STRING:
        return _text
    raise Invalid(f"SHDR carries text; it cannot be read as {type_name(wanted)}.")


def _text(text: str) -> Value:
    return UNAVAILABLE if is_unavailable(text) else (text, ValueType.STRING, 0)


def _sample(wanted: ValueType | None) -> Scalar:
    if wanted is None:
        return _position
    inner = _scalar(wanted)
    if wanted == ValueType.STRING:
        return inner
    if wanted in INTEGERS:
        return lambda text: value if (value := inner(_untriggered(text)))[1] != ValueType.STRING else MISMATCH
    return lambda text: inner(_untriggered(text))


def _position(text: str) -> Value:
    """A number, or the numbers of a position in space (``x y z``)."""
    value = _number(text, ValueType.DOUBLE)
    if value is not MISMATCH:
        return value
    if ":" in text:
        return _number(_untriggered(text), ValueType.DOUBLE)
    numbers = text.split()
    if len(numbers) < 2:
        return MISMATCH
    return _numbers(numbers)


def _axis(place: int) -> Reading:
    def axis(fields: Sequence[str], _: float | None) -> Value:
        value, type_, status = _position(fields[0])
        if status:
            return value, type_, status
        if not isinstance(value, list) or len(value) != len(AXES):
            return MISMATCH
        return value[place], ValueType.DOUBLE, quality.GOOD

    return axis


def _numbers(texts: Sequence[str]) -> Value:
    values = [_number(text, ValueType.DOUBLE) for text in texts]
    if any(status for _, _, status in values):
        return MISMATCH
    return [value for value, _, _ in values], ValueType.DOUBLE | ARRAY, 0


def _number(text: str, wanted: int) -> Value:
    try:
        number = float(text)
    except ValueError:
        return UNAVAILABLE if is_unavailable(text) else MISMATCH
    # Python reads "1_0" and "nan" as numbers; MTConnect (part 2, 6.2) does not.
    if number - number != 0 or "_" in text:
        return MISMATCH
    return number, wanted, 0


def _integer(text: str, wanted: int) -> Value:
    """Text that is no number stays text: the edge may know it as the name of a state."""
    if _INTEGER.fullmatch(text):
        return int(text), wanted, 0
    number = _number(text, wanted)
    return (text, ValueType.STRING, 0) if number is MISMATCH and text.strip() else number


def _boolean(text: str) -> Value:
    truth = _TRUTH.get(text.strip().lower())
    if truth is None:
        return UNAVAILABLE if is_unavailable(text) else MISMATCH
    return truth, ValueType.BOOLEAN, 0


def _date(text: str) -> Value:
    try:
        return to_filetime(parse_instant(text)), ValueType.DATETIME, 0
    except ValueError:
        return UNAVAILABLE if is_unavailable(text) else MISMATCH


def _untriggered(text: str) -> str:
    """A value without its reset trigger (``0.0:DAY``, MTConnect part 2, resetTriggered)."""
    return text.partition(":")[0]


def _reset(fields: Sequence[str], _: float | None) -> Value:
    trigger = fields[0].partition(":")[2]
    return (trigger, ValueType.STRING, 0) if trigger else ABSENT


def _duration(_: Sequence[str], duration: float | None) -> Value:
    return MISSING if duration is None else (duration, ValueType.DOUBLE, 0)


def _named(names: tuple[str, ...], part: str, scalar: Scalar) -> Reading:
    """One field, or all that are not empty as a JSON object. The first level or last text decides whether the
    observation is available at all."""
    judge = 0 if names is CONDITION else -1
    if part:
        place = names.index(part)
        return lambda fields, _: UNAVAILABLE if is_unavailable(fields[judge]) else scalar(fields[place])

    def whole(fields: Sequence[str], _: float | None) -> Value:
        if is_unavailable(fields[judge]):
            return UNAVAILABLE
        filled = {name: text for name, text in zip(names, fields, strict=True) if text}
        return _json(filled).decode(), ValueType.STRING, 0

    return whole


def _series(part: str) -> Reading:
    if part:
        place = ("count", "rate").index(part)
        return lambda fields, _: _number(fields[place], ValueType.DOUBLE)

    def values(fields: Sequence[str], _: float | None) -> Value:
        if is_unavailable(fields[2]):
            return UNAVAILABLE
        value, type_, status = _numbers(fields[2].split())
        if not status and _integer(fields[0], ValueType.INT32)[0] != len(value):
            return value, type_, quality.UNCERTAIN
        return value, type_, status

    return values


def _dataset(fields: Sequence[str], _: float | None) -> Value:
    if is_unavailable(fields[0]):
        return UNAVAILABLE
    entries = dataset(fields[0])
    return MISSING if entries is None else (_json(entries).decode(), ValueType.STRING, 0)
