"""The parts of a payload to bytes: fields in the order of their numbers, numbers in their shortest form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft.sparkplug.payload import (
    Cell,
    DataSet,
    MetaData,
    Metric,
    Parameter,
    Payload,
    PropertySet,
    PropertyValue,
    Template,
)
from weft.sparkplug.wire import block, fixed, number

__all__ = ["encode", "encode_metric", "framed"]


def encode(payload: Payload) -> bytes:
    return framed(
        (block(2, encode_metric(metric)) for metric in payload.metrics),
        payload.timestamp,
        payload.seq,
        uuid=payload.uuid,
        body=payload.body,
    )


def framed(
    metrics: Iterable[bytes],
    timestamp: int | None,
    seq: int | None,
    *,
    uuid: str | None = None,
    body: bytes | None = None,
) -> bytes:
    """A payload around metrics that are encoded already, each with its tag and length."""
    parts = [b"" if timestamp is None else number(1, timestamp), *metrics]
    if seq is not None:
        parts.append(number(3, seq))
    parts += [_text(4, uuid), b"" if body is None else block(5, body)]
    return b"".join(parts)


def encode_metric(metric: Metric) -> bytes:
    """Without tag and length."""
    parts = [
        _text(1, metric.name),
        _number(2, metric.alias),
        _number(3, metric.timestamp),
        _number(4, metric.datatype),
        _number(5, metric.is_historical),
        _number(6, metric.is_transient),
        _number(7, metric.is_null),
    ]
    if metric.metadata is not None:
        parts.append(block(8, _metadata(metric.metadata)))
    if metric.properties is not None:
        parts.append(block(9, _property_set(metric.properties)))
    if 10 <= metric.field <= 15:
        parts.append(_scalar(metric.field, metric.field - 10, metric.value))
    elif metric.field == 16:
        parts.append(block(16, metric.value))
    elif metric.field == 17:
        parts.append(block(17, _data_set(metric.value)))
    elif metric.field == 18:
        parts.append(block(18, _template(metric.value)))
    return b"".join(parts)


def _number(field: int, value: int | None) -> bytes:
    return b"" if value is None else number(field, value)


def _text(field: int, value: str | None) -> bytes:
    # A text with half a surrogate pair has no UTF-8: better a mark in it than a message that is never sent.
    return b"" if value is None else block(field, value.encode(errors="replace"))


def _scalar(field: int, which: int, value: Any) -> bytes:
    if which in (2, 3):
        return fixed(field, value, double=which == 3)
    return _text(field, value) if which == 5 else number(field, value)


def _metadata(data: MetaData) -> bytes:
    return b"".join(
        (
            _number(1, data.is_multi_part),
            _text(2, data.content_type),
            _number(3, data.size),
            _number(4, data.seq),
            _text(5, data.file_name),
            _text(6, data.file_type),
            _text(7, data.md5),
            _text(8, data.description),
        )
    )


def _property_set(properties: PropertySet) -> bytes:
    keys = [_text(1, key) for key in properties.keys]
    return b"".join(keys + [block(2, _property(value)) for value in properties.values])


def _property(value: PropertyValue) -> bytes:
    parts = [_number(1, value.type), _number(2, value.is_null)]
    if 3 <= value.field <= 8:
        parts.append(_scalar(value.field, value.field - 3, value.value))
    elif value.field == 9:
        parts.append(block(9, _property_set(value.value)))
    elif value.field == 10:
        parts.append(block(10, b"".join(block(1, _property_set(one)) for one in value.value)))
    return b"".join(parts)


def _data_set(data: DataSet) -> bytes:
    parts = [_number(1, data.num_of_columns)]
    parts += [_text(2, name) for name in data.columns]
    parts += [number(3, kind) for kind in data.types]
    parts += [block(4, b"".join(block(1, _cell(cell)) for cell in row)) for row in data.rows]
    return b"".join(parts)


def _cell(cell: Cell) -> bytes:
    return _scalar(cell.field, cell.field - 1, cell.value) if cell.field else b""


def _template(template: Template) -> bytes:
    parts = [_text(1, template.version)]
    parts += [block(2, encode_metric(metric)) for metric in template.metrics]
    parts += [block(3, _parameter(parameter)) for parameter in template.parameters]
    parts += [_text(4, template.template_ref), _number(5, template.is_definition)]
    return b"".join(parts)


def _parameter(parameter: Parameter) -> bytes:
    head = _text(1, parameter.name) + _number(2, parameter.type)
    if not parameter.field:
        return head
    return head + _scalar(parameter.field, parameter.field - 3, parameter.value)
