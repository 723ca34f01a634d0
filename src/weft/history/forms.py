"""Answers as they leave the house: JSON for people and scripts, an Arrow stream for bulk reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from weft.history.columns import bits_of, from_table, to_table
from weft.model import Batch, Signal, ValueType, instant, quality
from weft.model.values import type_name
from weft.runtime import Invalid

__all__ = ["ARROW", "arrow", "raw_json", "snapshot_json", "sql_json", "summary_json", "with_paths"]

ARROW: Final = "application/vnd.apache.arrow.stream"


def arrow(table: pa.Table) -> bytes:
    """The table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def with_paths(table: pa.Table | Batch, signals: Mapping[int, Signal]) -> pa.Table:
    """The table with the paths of its signals as a last column."""
    table = to_table(table) if isinstance(table, Batch) else table
    handles, index = np.unique(bits_of(table, "signal", np.dtype(np.int32)), return_inverse=True)
    names = pa.array([signals[handle].path for handle in handles.tolist()], pa.string())
    return table.append_column(
        "path", pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), names)
    )


def snapshot_json(batch: Batch, signals: Mapping[int, Signal]) -> list[dict[str, Any]]:
    """One object per signal."""
    return [
        {
            "signal": signals[row.signal].path,
            "time": instant.text(row.time),
            "value": _value(row.value, row.type),
            "unit": signals[row.signal].unit,
            "type": type_name(row.type),
            "quality": quality.status_name(row.status),
            "flags": row.flags,
        }
        for row in batch
    ]


def raw_json(table: pa.Table, signals: Sequence[Signal]) -> list[dict[str, Any]]:
    """One object of columns per signal, also for those without a sample."""
    batch = from_table(table)
    return [_raw_columns(batch.take(rows), signal) for signal, rows in _by_signal(batch.signal, signals)]


def summary_json(table: pa.Table, signals: Sequence[Signal]) -> list[dict[str, Any]]:
    """One object of columns per signal, also for those without a sample."""
    handles = bits_of(table, "signal", np.dtype(np.int32))
    answer = []
    for signal, rows in _by_signal(handles, signals):
        part = table.slice(rows.start, rows.stop - rows.start)
        times = bits_of(part, "time", np.dtype(np.int64))
        columns = {
            name: part.column(name).to_pylist() for name in ("count", "good", "minimum", "maximum", "average")
        }
        answer.append({"signal": signal.path, "unit": signal.unit, "time": _texts(times), **columns})
    return answer


def sql_json(table: pa.Table) -> dict[str, Any]:
    """``columns`` (names), ``types`` (Arrow's names) and ``rows``. Times are text in UTC. Raises Invalid for a
    type that JSON cannot say."""
    columns = [_cells(name, table.column(i)) for i, name in enumerate(table.column_names)]
    return {
        "columns": table.column_names,
        "types": [str(field.type) for field in table.schema],
        "rows": list(map(list, zip(*columns, strict=True))),
    }


def _raw_columns(batch: Batch, signal: Signal) -> dict[str, Any]:
    types = batch.type.tolist()
    return {
        "signal": signal.path,
        "unit": signal.unit,
        "time": _texts(batch.time),
        "value": [_value(value, type) for value, type in zip(batch.values(), types, strict=True)],
        "type": [type_name(type) for type in types],
        "quality": [quality.status_name(status) for status in batch.status.tolist()],
        "flags": batch.flags.tolist(),
    }


def _by_signal(handles: npt.NDArray[np.int32], signals: Sequence[Signal]) -> list[tuple[Signal, slice]]:
    """Where in the sorted ``handles`` each signal's rows are."""
    wanted = np.array([signal.handle for signal in signals], dtype=np.int32)
    lows = np.searchsorted(handles, wanted, "left").tolist()
    highs = np.searchsorted(handles, wanted, "right").tolist()
    return [(s, slice(low, high)) for s, low, high in zip(signals, lows, highs, strict=True)]


def _texts(times: npt.NDArray[np.int64]) -> list[str]:
    if len(times) and int(times.min()) == instant.MIN_NS:  # numpy's "not a time"
        return [instant.text(time) for time in times.tolist()]
    texts: list[str] = np.datetime_as_string(times.view("M8[ns]"), unit="ns").tolist()
    return [f"{text}Z" for text in texts]


def _value(value: Any, type: int) -> Any:
    """OPC UA dates as text; everything else is JSON's business (NaN has no word there: null)."""
    if type == ValueType.DATETIME and value is not None:
        return instant.text(instant.from_filetime(value))
    return value


def _cells(name: str, column: pa.ChunkedArray) -> list[Any]:
    if pa.types.is_timestamp(column.type):
        numbers = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64()).to_pylist()
        zone = "Z" if column.type.tz else ""
        return [None if ns is None else instant.text(ns)[:-1] + zone for ns in numbers]
    try:
        cells: list[Any] = column.to_pylist()
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f"The column {name!r} ({column.type}) has no form in JSON.", remedy="Cast it to text."
        ) from error
    return cells
