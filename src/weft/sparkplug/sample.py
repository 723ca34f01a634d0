"""A sample of Weft's as a metric, and back: value, type, status and the nanoseconds of its time."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from weft.model import Flag, ValueType, quality
from weft.model.values import type_name
from weft.sparkplug.columns import WITHIN
from weft.sparkplug.datatype import DataType
from weft.sparkplug.kinds import code_named, null_of, type_of
from weft.sparkplug.payload import Metric, PropertySet, PropertyValue
from weft.sparkplug.quality import QUALITY, STATUS, quality_of, status_of
from weft.sparkplug.value import TYPE, add_text, has_exact, natural, put, restored

__all__ = ["DECLARED", "TIME", "Sample", "declared_type", "metric_of", "sample_of"]

DECLARED: Final = (
    "weft:declared"  # in a birth whose value is not of the type that is declared, such as a null
)
TIME: Final = "weft:time"  # ns UTC where a count of milliseconds since 1970 does not reach
_MS: Final = 1_000_000
_UINT32, _INT64 = 7, 4  # datatypes of the properties


class Sample(NamedTuple):
    """``time`` in ns UTC, 0 when the metric has none."""

    type: int
    value: Any
    status: int
    time: int
    flags: int


def metric_of(sample: Sample, datatype: int, declared: int, *, exact_time: bool = True) -> Metric:
    """``datatype`` and ``declared`` are the metric's datatype and Weft's type as its birth tells them."""
    metric = Metric(timestamp=max(0, sample.time // _MS))
    if sample.flags & Flag.HISTORY:
        metric.is_historical = True
    if sample.value is None or sample.type == ValueType.NULL:
        metric.is_null = True
        if sample.type != null_of(declared):
            add_text(metric, TYPE, type_name(sample.type))
    else:
        if sample.type != declared:
            add_text(metric, TYPE, type_name(sample.type))
        put(metric, sample.type, sample.value, datatype)
    if sample.time < 0:
        _add(metric, TIME, _INT64, 4, sample.time & (2**64 - 1))
    elif exact_time and sample.time % _MS:
        _add(metric, WITHIN, _UINT32, 3, sample.time % _MS)
    if sample.status:
        _add(metric, QUALITY, DataType.INT32, 3, quality_of(sample.status))
        _add(metric, STATUS, _UINT32, 3, sample.status)
    return metric


def _add(metric: Metric, key: str, kind: int, field: int, value: int) -> None:
    properties = metric.properties = metric.properties or PropertySet()
    properties.keys.append(key)
    properties.values.append(PropertyValue(type=kind, field=field, value=value))


def declared_type(metric: Metric) -> int:
    """The Weft type that a birth's metric announces: by its properties, else by its datatype."""
    named = _named_type(metric, DECLARED)
    named = _named_type(metric) if named is None else named
    return type_of(metric.datatype or 0) if named is None else named


def sample_of(metric: Metric, datatype: int, declared: int) -> Sample:
    """What a metric says, whoever sent it."""
    code, value, status = natural(metric, datatype)
    named = _named_type(metric)
    kind = declared if named is None else named
    if status and not has_exact(metric):
        code, value = ValueType.NULL, None
    elif value is None and not status:
        code = kind if named is not None else null_of(kind)
    elif kind and (kind != code or metric.properties is not None):
        value, status = restored(metric, code, value, kind)
        code = ValueType.NULL if status else kind
    properties = metric.properties
    time = (metric.timestamp or 0) * _MS
    if properties is not None:
        time = _time(properties, time)
        status = _status(properties, status)
    flags = Flag.HISTORY if metric.is_historical else 0
    return Sample(code, value, status, time if time < 2**63 else 0, int(flags))


def _named_type(metric: Metric, key: str = TYPE) -> int | None:
    found = None if metric.properties is None else metric.properties.get(key)
    return code_named(found.value) if found is not None and isinstance(found.value, str) else None


def _number(properties: PropertySet, key: str) -> int | None:
    found = properties.get(key)
    return found.value if found is not None and type(found.value) is int else None


def _time(properties: PropertySet, time: int) -> int:
    exact = _number(properties, TIME)
    if exact is not None:
        return exact - 2**64 if exact >= 2**63 else exact
    within = _number(properties, WITHIN)
    return time + within if within is not None and within < _MS else time


def _status(properties: PropertySet, unread: int) -> int:
    """The status; that the value could not be read outweighs what the sender thought of it."""
    if unread:
        return unread
    exact = _number(properties, STATUS)
    if exact is not None:
        return exact & 0xFFFFFFFF
    said = _number(properties, QUALITY)
    return quality.GOOD if said is None else status_of(said)
