"""Commands to nodes and devices (Sparkplug 3.0, 6.4.21 and 6.4.22)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from weft.connect.sparkplug.births import Declaration
from weft.model import ARRAY, BatchBuilder, quality
from weft.sparkplug.datatype import DataType, Field
from weft.sparkplug.encode import encode
from weft.sparkplug.payload import Metric, Payload
from weft.sparkplug.sample import Sample, metric_of
from weft.sparkplug.topic import Topic, Verb

__all__ = ["REBIRTH", "command", "rebirth", "wanted_metric"]

REBIRTH: Final = "Node Control/Rebirth"
_MS: Final = 1_000_000


def rebirth(group: str, node: str, now: int) -> tuple[str, bytes]:
    """Topic and payload of a request for the node's birth; always by name (6.4.21)."""
    metric = Metric(
        name=REBIRTH, timestamp=now // _MS, datatype=DataType.BOOLEAN, field=Field.BOOLEAN, value=True
    )
    return command(group, node, "", [metric], now)


def command(group: str, node: str, device: str, metrics: Sequence[Metric], now: int) -> tuple[str, bytes]:
    topic = Topic(Verb.DCMD if device else Verb.NCMD, group, node, device)
    return str(topic), encode(Payload(timestamp=now // _MS, metrics=list(metrics)))


def wanted_metric(declaration: Declaration, value: Any, now: int) -> tuple[Metric | None, int]:
    """The metric that asks for ``value``, or the status that says why it cannot be."""
    builder = BatchBuilder()
    plain = declaration.kind < ARRAY
    builder.add(0, now, value, declaration.kind)
    row = builder.build()[0]
    if row.status or (plain and row.value is None):
        return None, row.status or quality.BAD_TYPE_MISMATCH
    sample = Sample(declaration.kind, row.value, 0, now // _MS * _MS, 0)
    metric = metric_of(sample, declaration.datatype, declaration.kind)
    # Not advised (6.4.7), but there are nodes that read no value without it.
    metric.datatype = declaration.datatype
    if declaration.alias is None:
        metric.name = declaration.name
    else:
        metric.alias = declaration.alias  # 6.4.7: then without the name
    return metric, 0
