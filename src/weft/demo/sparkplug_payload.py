"""Sparkplug B payloads by Google's protobuf; the messages are described here, there is no .proto file."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

from google.protobuf import (  # type: ignore[import-untyped]  # protobuf has no types of its own
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # as above

from weft.demo.sensor import Value
from weft.model import ValueType

__all__ = ["DATATYPES", "Datatype", "Entry", "Table", "parse", "payload"]


class Datatype(IntEnum):
    """Those that are used (Sparkplug 3.0, 6.4.16)."""

    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATASET = 16
    BYTES = 17
    DOUBLE_ARRAY = 31


DATATYPES: Final = {
    ValueType.BYTE: Datatype.UINT8,
    ValueType.INT32: Datatype.INT32,
    ValueType.UINT32: Datatype.UINT32,
    ValueType.INT64: Datatype.INT64,
    ValueType.FLOAT: Datatype.FLOAT,
    ValueType.DOUBLE: Datatype.DOUBLE,
    ValueType.BOOLEAN: Datatype.BOOLEAN,
    ValueType.STRING: Datatype.STRING,
    ValueType.BYTESTRING: Datatype.BYTES,
}
_FIELDS: Final = {
    Datatype.INT32: "int_value",
    Datatype.UINT8: "int_value",
    Datatype.UINT32: "int_value",
    Datatype.INT64: "long_value",
    Datatype.UINT64: "long_value",
    Datatype.FLOAT: "float_value",
    Datatype.DOUBLE: "double_value",
    Datatype.BOOLEAN: "boolean_value",
    Datatype.STRING: "string_value",
    Datatype.BYTES: "bytes_value",
}
_SCALARS: Final = (
    "uint32 int_value", "uint64 long_value", "float float_value", "double double_value", "bool boolean_value",
    "string string_value",
)  # fmt: skip


class Table(NamedTuple):
    """A data set: a name and a datatype for each column, and rows of as many values."""

    columns: Sequence[tuple[str, Datatype]]
    rows: Sequence[Sequence[Value]]


class Entry(NamedTuple):
    """A metric. ``time`` in ms since 1970; in data without its name it is known by its alias."""

    datatype: Datatype
    value: Value | Table
    time: int
    name: str = ""
    alias: int = 0
    historical: bool = False
    about: Sequence[tuple[str, str | float]] = ()  # properties


def payload(time: int, seq: int | None, entries: Iterable[Entry]) -> bytes:
    """A message of ``time`` (ms); without a ``seq`` for those that have none."""
    message = _PAYLOAD(timestamp=time)
    if seq is not None:
        message.seq = seq
    for entry in entries:
        _put(message.metrics.add(), entry)
    data: bytes = message.SerializeToString()
    return data


def parse(data: bytes) -> dict[str, tuple[int, Any]]:
    """Datatype and value of a command's metrics by name, or by ``#`` and their alias. Raises ValueError."""
    try:
        message = _PAYLOAD.FromString(data)
    except DecodeError as error:
        raise ValueError("not a Sparkplug payload") from error
    found = {}
    for metric in message.metrics:
        field = metric.WhichOneof("value")
        name = metric.name if metric.HasField("name") else f"#{metric.alias}"
        found[name] = (metric.datatype, getattr(metric, field) if field else None)
    return found


def _put(metric: Any, entry: Entry) -> None:
    if entry.name:
        metric.name = entry.name
    if entry.alias:
        metric.alias = entry.alias
    metric.timestamp, metric.datatype = entry.time, int(entry.datatype)
    if entry.historical:
        metric.is_historical = True
    for key, value in entry.about:
        metric.properties.keys.append(key)
        kind, field = (12, "string_value") if isinstance(value, str) else (10, "double_value")
        setattr(metric.properties.values.add(type=kind), field, value)
    if isinstance(entry.value, Table):
        _put_table(metric.dataset_value, entry.value)
    elif isinstance(entry.value, tuple):
        metric.bytes_value = struct.pack(f"<{len(entry.value)}d", *entry.value)
    else:
        _set(metric, entry.datatype, entry.value)


def _put_table(data_set: Any, table: Table) -> None:
    data_set.num_of_columns = len(table.columns)
    data_set.columns.extend(name for name, _ in table.columns)
    data_set.types.extend(int(kind) for _, kind in table.columns)
    for row in table.rows:
        added = data_set.rows.add()
        for (_, kind), value in zip(table.columns, row, strict=True):
            _set(added.elements.add(), kind, value)


def _set(message: Any, datatype: Datatype, value: Value) -> None:
    if datatype is Datatype.INT32 and isinstance(value, int):
        value &= 0xFFFFFFFF  # a negative one goes as its two's complement (6.4.16)
    setattr(message, _FIELDS[datatype], value)


def _describe() -> Any:
    """The class Payload. Fields are ``kind name``, numbered in their order; ``*`` is repeated."""
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="factory.proto", package="factory", syntax="proto2")
    plain = {
        name: getattr(kind, f"TYPE_{name.upper()}")
        for name in ("uint32", "uint64", "float", "double", "bool", "string", "bytes")
    }
    messages: dict[str, tuple[int, tuple[str, ...], tuple[str, ...]]] = {
        "Payload": (1, ("uint64 timestamp", "*Metric metrics", "uint64 seq", "string uuid", "bytes body"), ()),
        "Metric": (
            1,
            (
                "string name", "uint64 alias", "uint64 timestamp", "uint32 datatype", "bool is_historical",
                "bool is_transient", "bool is_null", "bytes metadata", "Properties properties",
            ),
            (*_SCALARS, "bytes bytes_value", "DataSet dataset_value"),
        ),
        "Properties": (1, ("*string keys", "*Property values"), ()),
        "Property": (1, ("uint32 type", "bool is_null"), _SCALARS),
        "DataSet": (1, ("uint64 num_of_columns", "*string columns", "*uint32 types", "*Row rows"), ()),
        "Row": (1, ("*Cell elements",), ()),
        "Cell": (1, (), _SCALARS),
    }  # fmt: skip
    for name, (first, fields, choice) in messages.items():
        message = file.message_type.add(name=name)
        if choice:
            message.oneof_decl.add(name="value")
        for number, field in enumerate((*fields, *choice), first):
            type, label = field.lstrip("*").split()
            repeated = kind.LABEL_REPEATED if field[0] == "*" else kind.LABEL_OPTIONAL
            added = message.field.add(name=label, number=number, label=repeated)
            added.type = plain.get(type, kind.TYPE_MESSAGE)
            if type not in plain:
                added.type_name = f".factory.{type}"
            if number >= first + len(fields):
                added.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("factory.Payload"))


_PAYLOAD: Final = _describe()
