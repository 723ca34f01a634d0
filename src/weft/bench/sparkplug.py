"""Sparkplug B metrics per second, encoded and decoded, beside Google's protobuf (upb) in the same run and process.

Both make the same bytes: 1,000 metrics of alias, timestamp, datatype and double in a payload.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import anyio
import numpy as np
from google.protobuf import (  # type: ignore[import-untyped]  # protobuf has no types of its own
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)
from google.protobuf.internal import api_implementation  # type: ignore[import-untyped]  # as above

from weft.sparkplug.columns import Columns, encode_columns
from weft.sparkplug.datatype import DataType, Field
from weft.sparkplug.encode import framed
from weft.sparkplug.scan import scan

__all__ = ["run"]

METRICS: Final = 1000
NOW: Final = 1_767_225_600_123
ROUNDS: Final = 4

_F = descriptor_pb2.FieldDescriptorProto


async def run(seconds: float) -> dict[str, Any]:
    """``seconds`` in all. The peers take turns, so that a change of the machine's pace meets both."""
    return await anyio.to_thread.run_sync(_measure, seconds)


def _measure(seconds: float) -> dict[str, Any]:
    values = np.random.default_rng(1).normal(size=METRICS)
    data = _ours(values)
    make = _peer()
    if make(values) != data:
        raise RuntimeError("the peers do not make the same bytes")
    runs: dict[str, Callable[[], object]] = {
        "weft_encode": lambda: _ours(values),
        "upb_encode": lambda: make(values),
        "weft_decode": lambda: scan(data),
        "upb_decode": lambda: _read(make.cls.FromString(data)),
    }
    best = dict.fromkeys(runs, 0.0)
    for _ in range(ROUNDS):
        for name, call in runs.items():
            best[name] = max(best[name], _rate(call, seconds / ROUNDS / len(runs)))
    found: dict[str, Any] = {f"{name}_metrics_per_second": round(rate) for name, rate in best.items()}
    found["bytes_per_metric"] = round(len(data) / METRICS, 1)
    found["upb"] = api_implementation.Type()
    found["encode_ratio"] = round(best["weft_encode"] / best["upb_encode"], 2)
    found["decode_ratio"] = round(best["weft_decode"] / best["upb_decode"], 2)
    return found


def _rate(call: Callable[[], object], seconds: float) -> float:
    count, begun = 0, time.perf_counter()
    while (passed := time.perf_counter() - begun) < seconds:
        call()
        count += METRICS
    return count / passed


def _ours(values: np.ndarray[Any, np.dtype[np.float64]]) -> bytes:
    n = len(values)
    columns = Columns(
        np.arange(n, dtype=np.uint64),
        np.full(n, NOW, np.uint64),
        np.zeros(n, np.uint32),
        np.full(n, DataType.DOUBLE, np.uint8),
        np.full(n, Field.DOUBLE, np.uint8),
        values.view(np.uint64),
        np.zeros(n, np.uint8),
    )
    return framed([encode_columns(columns)[0]], NOW, 1)


class _peer:  # noqa: N801  # a function with its message class beside it
    """upb filled metric by metric, as a program that uses it does."""

    def __init__(self) -> None:
        file = descriptor_pb2.FileDescriptorProto(name="bench.proto", package="bench", syntax="proto2")
        payload = file.message_type.add(name="Payload")
        metric = payload.nested_type.add(name="Metric")
        for owner, name, number, kind in (
            (payload, "timestamp", 1, _F.TYPE_UINT64),
            (payload, "seq", 3, _F.TYPE_UINT64),
            (metric, "alias", 2, _F.TYPE_UINT64),
            (metric, "timestamp", 3, _F.TYPE_UINT64),
            (metric, "datatype", 4, _F.TYPE_UINT32),
            (metric, "double_value", 13, _F.TYPE_DOUBLE),
        ):
            owner.field.add(name=name, number=number, label=_F.LABEL_OPTIONAL, type=kind)
        payload.field.add(
            name="metrics",
            number=2,
            label=_F.LABEL_REPEATED,
            type=_F.TYPE_MESSAGE,
            type_name=".bench.Payload.Metric",
        )
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self.cls: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.Payload"))

    def __call__(self, values: np.ndarray[Any, np.dtype[np.float64]]) -> bytes:
        payload = self.cls(timestamp=NOW, seq=1)
        add = payload.metrics.add
        for alias, value in enumerate(values.tolist()):
            add(alias=alias, timestamp=NOW, datatype=10, double_value=value)
        return bytes(payload.SerializeToString())


def _read(payload: Any) -> list[tuple[int, int, float]]:
    return [(metric.alias, metric.timestamp, metric.double_value) for metric in payload.metrics]
