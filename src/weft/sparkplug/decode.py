"""Bytes to the parts of a payload. Whatever the bytes are: a Payload, or BadPayload; bounded in size and depth."""

from __future__ import annotations

from typing import Any, Final

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
from weft.sparkplug.wire import FIXED32, FIXED64, LENGTH, MAX_DEPTH, VARINT, BadPayload, Reader

__all__ = ["decode", "decode_metric"]

_SCALARS: Final = (
    VARINT,
    VARINT,
    FIXED32,
    FIXED64,
    VARINT,
    LENGTH,
)  # int, long, float, double, boolean, string
_INT, _LONG, _FLOAT, _DOUBLE, _BOOLEAN, _STRING = range(6)


def decode(data: bytes) -> Payload:
    """Raises BadPayload."""
    reader = Reader(data)
    payload = Payload()
    for field, kind, a, b in reader.fields(0, len(data)):
        if field == 2 and kind == LENGTH:
            payload.metrics.append(decode_metric(reader, a, b))
        elif field == 1 and kind == VARINT:
            payload.timestamp = a
        elif field == 3 and kind == VARINT:
            payload.seq = a
        elif field == 4 and kind == LENGTH:
            payload.uuid = reader.text(a, b)
        elif field == 5 and kind == LENGTH:
            payload.body = data[a:b]
    return payload


def _scalar(reader: Reader, which: int, a: int, b: int) -> Any:
    if which == _INT:
        return a & 0xFFFFFFFF
    if which == _LONG:
        return a
    if which == _FLOAT:
        return reader.single(a)
    if which == _DOUBLE:
        return reader.double(a)
    return bool(a) if which == _BOOLEAN else reader.text(a, b)


def decode_metric(reader: Reader, start: int, end: int, depth: int = 0) -> Metric:
    """The metric in ``data[start:end]``."""
    _deeper(depth)
    reader.count()
    metric = Metric()
    messages: dict[int, list[tuple[int, int]]] = {}
    for field, kind, a, b in reader.fields(start, end):
        if 10 <= field <= 15:
            if kind == _SCALARS[field - 10]:
                metric.field = field
                metric.value = (
                    _text(reader, metric, a, b) if field == 15 else _scalar(reader, field - 10, a, b)
                )
        elif kind == VARINT:
            _plain(metric, field, a)
        elif kind != LENGTH:
            continue
        elif field == 1:
            metric.name = reader.text(a, b)
        elif field == 16:
            metric.field, metric.value = field, reader.data[a:b]
        elif field in (8, 9, 17, 18):
            if field > 10 and metric.field != field:
                messages.pop(metric.field, None)  # of a oneof the last one counts
                metric.field = field
                messages.pop(field, None)
            messages.setdefault(field, []).append((a, b))
    for field, spans in messages.items():
        _message(reader, metric, field, spans, depth)
    return metric


def _plain(metric: Metric, field: int, value: int) -> None:
    if field == 2:
        metric.alias = value
    elif field == 3:
        metric.timestamp = value
    elif field == 4:
        metric.datatype = value & 0xFFFFFFFF
    elif field == 5:
        metric.is_historical = bool(value)
    elif field == 6:
        metric.is_transient = bool(value)
    elif field == 7:
        metric.is_null = bool(value)


def _text(reader: Reader, metric: Metric, a: int, b: int) -> str:
    raw = reader.data[a:b]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        metric.spoiled = True  # the message goes on, this value is not to be used
        return raw.decode(errors="replace")


def _message(reader: Reader, metric: Metric, field: int, spans: list[tuple[int, int]], depth: int) -> None:
    if field == 8:
        metric.metadata = _metadata(reader, spans)
    elif field == 9:
        metric.properties = _property_set(reader, spans, depth + 1)
    elif field == metric.field:
        value = (_data_set if field == 17 else _template)(reader, spans, depth + 1)
        metric.value = value


def _metadata(reader: Reader, spans: list[tuple[int, int]]) -> MetaData:
    reader.count()
    found = MetaData()
    names = (None, None, "content_type", None, None, "file_name", "file_type", "md5", "description")
    for start, end in spans:  # of a message that comes twice the parts are joined
        for field, kind, a, b in reader.fields(start, end):
            if kind == VARINT and field == 1:
                found.is_multi_part = bool(a)
            elif kind == VARINT and field == 3:
                found.size = a
            elif kind == VARINT and field == 4:
                found.seq = a
            elif kind == LENGTH and field < len(names) and (name := names[field]):
                setattr(found, name, reader.text(a, b))
    return found


def _property_set(reader: Reader, spans: list[tuple[int, int]], depth: int) -> PropertySet:
    _deeper(depth)
    reader.count()
    found = PropertySet()
    for start, end in spans:
        for field, kind, a, b in reader.fields(start, end):
            if kind == LENGTH and field == 1:
                reader.count()
                found.keys.append(reader.text(a, b))
            elif kind == LENGTH and field == 2:
                found.values.append(_property(reader, a, b, depth))
    return found


def _property(reader: Reader, start: int, end: int, depth: int) -> PropertyValue:
    reader.count()
    found = PropertyValue()
    spans: list[tuple[int, int]] = []
    for field, kind, a, b in reader.fields(start, end):
        if field == 1 and kind == VARINT:
            found.type = a & 0xFFFFFFFF
        elif field == 2 and kind == VARINT:
            found.is_null = bool(a)
        elif 3 <= field <= 8 and kind == _SCALARS[field - 3]:
            found.field, found.value = field, _scalar(reader, field - 3, a, b)
        elif field in (9, 10) and kind == LENGTH:
            if found.field != field:
                spans = []
            found.field = field
            spans.append((a, b))
    if found.field == 9:
        found.value = _property_set(reader, spans, depth + 1)
    elif found.field == 10:
        found.value = [
            _property_set(reader, [(a, b)], depth + 1)
            for span in spans
            for field, kind, a, b in reader.fields(*span)
            if field == 1 and kind == LENGTH
        ]
    return found


def _data_set(reader: Reader, spans: list[tuple[int, int]], depth: int) -> DataSet:
    _deeper(depth)
    reader.count()
    found = DataSet()
    for start, end in spans:
        for field, kind, a, b in reader.fields(start, end):
            if field == 1 and kind == VARINT:
                found.num_of_columns = a
            elif field == 2 and kind == LENGTH:
                reader.count()
                found.columns.append(reader.text(a, b))
            elif field == 3:
                _types(reader, found.types, kind, a, b)
            elif field == 4 and kind == LENGTH:
                found.rows.append(_row(reader, a, b))
    return found


def _types(reader: Reader, types: list[int], kind: int, a: int, b: int) -> None:
    """Packed or one by one: both are legal."""
    if kind == VARINT:
        reader.count()
        types.append(a & 0xFFFFFFFF)
    while kind == LENGTH and a < b:
        reader.count()
        value, a = reader.varint(a, b)
        types.append(value & 0xFFFFFFFF)


def _row(reader: Reader, start: int, end: int) -> list[Cell]:
    reader.count()
    cells = []
    for field, kind, a, b in reader.fields(start, end):
        if field == 1 and kind == LENGTH:
            reader.count()
            cell = Cell()
            for number, form, c, d in reader.fields(a, b):
                if 1 <= number <= 6 and form == _SCALARS[number - 1]:
                    cell.field, cell.value = number, _scalar(reader, number - 1, c, d)
            cells.append(cell)
    return cells


def _template(reader: Reader, spans: list[tuple[int, int]], depth: int) -> Template:
    _deeper(depth)
    reader.count()
    found = Template()
    for start, end in spans:
        for field, kind, a, b in reader.fields(start, end):
            if field == 5 and kind == VARINT:
                found.is_definition = bool(a)
            elif kind != LENGTH:
                continue
            elif field == 1:
                found.version = reader.text(a, b)
            elif field == 2:
                found.metrics.append(decode_metric(reader, a, b, depth + 1))
            elif field == 3:
                found.parameters.append(_parameter(reader, a, b))
            elif field == 4:
                found.template_ref = reader.text(a, b)
    return found


def _parameter(reader: Reader, start: int, end: int) -> Parameter:
    reader.count()
    found = Parameter()
    for field, kind, a, b in reader.fields(start, end):
        if field == 1 and kind == LENGTH:
            found.name = reader.text(a, b)
        elif field == 2 and kind == VARINT:
            found.type = a & 0xFFFFFFFF
        elif 3 <= field <= 8 and kind == _SCALARS[field - 3]:
            found.field, found.value = field, _scalar(reader, field - 3, a, b)
    return found


def _deeper(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadPayload(f"nested deeper than {MAX_DEPTH}")
