"""Sparkplug B: payloads read one by one and in columns, values, and what a host makes of whole sessions."""

from __future__ import annotations

import math

from fuzz.target import Target

from weft.connect.api import Point
from weft.connect.sparkplug import Address
from weft.connect.sparkplug.host import Host
from weft.connect.tally import Tally
from weft.model import decode as from_wire
from weft.model import encode as to_wire
from weft.mqtt.broker import Message
from weft.sparkplug.decode import decode
from weft.sparkplug.encode import encode
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
from weft.sparkplug.sample import declared_type, sample_of
from weft.sparkplug.scan import scan
from weft.sparkplug.state import parse_state
from weft.sparkplug.wire import BadPayload

START = 1_767_225_600_000_000_000
NOW = START // 10**6
NAMES = ("speed", "count", "up", "name", "table", "kit", "list")


def _metrics(*, named: bool) -> list[Metric]:
    about = PropertySet(
        keys=["engUnit", "weft:type", "Quality"],
        values=[
            PropertyValue(12, None, 8, "mm"),
            PropertyValue(3, None, 3, 6),
            PropertyValue(3, None, 3, 192),
        ],
    )
    table = DataSet(2, ["a", "b"], [10, 12], [[Cell(4, 1.5), Cell(6, "x")], [Cell(4, 2.5), Cell()]])
    kit = Template(
        "1", [Metric(name="in", datatype=3, field=10, value=4)], [Parameter("p", 3, 3, 1)], "Kit", False
    )
    values = [
        (10, 13, 1.5), (3, 10, 2**32 - 7), (11, 14, True), (12, 15, "äbc"), (16, 17, table), (19, 18, kit),
        (32, 16, bytes(range(16))), (17, 16, b"\1\2"), (8, 11, 2**64 - 1), (9, 12, 1.25), (13, 11, NOW),
    ]  # fmt: skip
    made = []
    for number, (datatype, field, value) in enumerate(values):
        metric = Metric(alias=number + 1, timestamp=NOW, datatype=datatype, field=field, value=value)
        if named:
            metric.name = NAMES[number] if number < len(NAMES) else f"m{number}"
            metric.properties, metric.metadata = about, MetaData(size=3, description="d")
        made.append(metric)
    made.append(Metric(alias=2, timestamp=NOW, is_null=True, is_historical=True))
    return made


def _payload_seeds() -> list[bytes]:
    plain = [Metric(alias=2, timestamp=NOW + n, field=10, value=n) for n in range(30)]
    seeds = [encode(Payload(NOW, [metric], 1)) for metric in (*_metrics(named=True), *_metrics(named=False))]
    seeds += [encode(Payload(NOW, plain, 3, "uuid")), encode(Payload(NOW, _metrics(named=True) * 5, 0))]
    return [*seeds, b'{"online":true,"timestamp":1767225600000}']


def _same(one: Metric, other: Metric) -> bool:
    if isinstance(one.value, float) and math.isnan(one.value):
        return isinstance(other.value, float) and math.isnan(other.value)
    return repr(one) == repr(other)


def _payload_run(data: bytes) -> None:
    """Both readers accept the same bytes and find the same in them; every metric is a sample."""
    parse_state(data)
    try:
        payload = decode(data)
    except BadPayload:
        payload = None
    try:
        found = scan(data)
    except BadPayload:
        found = None
    assert (payload is None) == (found is None)
    if payload is None or found is None:
        return
    assert (found.timestamp, found.seq, found.uuid) == (payload.timestamp, payload.seq, payload.uuid)
    assert len(found) == len(payload.metrics)
    for row, metric in enumerate(payload.metrics):
        if row in found.others:
            assert _same(found.others[row], metric)
        else:
            assert int(found.field[row]) == metric.field
            assert (int(found.alias[row]) if found.present[row] & 1 else None) == metric.alias
        sample_of(metric, metric.datatype or 0, declared_type(metric))


POINTS = [
    *(Point(i, name, Address(group="G", node="E", device="d", metric=name)) for i, name in enumerate(NAMES)),
    Point(50, "up", Address(group="G", node="E", metric="up")),
]
VERBS = ("NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH")


def _born() -> list[Message]:
    birth = encode(Payload(NOW, [Metric(name="bdSeq", datatype=4, field=11, value=0, timestamp=NOW)], 0))
    device = encode(Payload(NOW, _metrics(named=True), 1))
    return [
        Message("spBv1.0/G/NBIRTH/E", birth, 0, retained=False, repeated=False),
        Message("spBv1.0/G/DBIRTH/E/d", device, 0, retained=False, repeated=False),
    ]


BORN = _born()


def _host_seeds() -> list[bytes]:
    data = [encode(Payload(NOW + 1, [metric], 2)) for metric in _metrics(named=False)]
    births = [encode(Payload(NOW + 1, _metrics(named=True), seq)) for seq in (0, 1)]
    death = encode(Payload(NOW, [Metric(name="bdSeq", datatype=4, field=11, value=0)]))
    seeds = [b"\3" + part for part in data] + [b"\0" + births[0], b"\1" + births[1], b"\4" + death]
    return [*seeds, b"\x05" + encode(Payload(NOW, [], 2)), b"\x02" + data[0]]


def _host_run(data: bytes) -> None:
    """One message of any kind to a host that knows the node; what it makes of it can travel."""
    if not data:
        return
    host = Host(POINTS, Tally("fuzz"), started=START - 10**9, reorder=2.0, rebirth=5.0)
    host.read(BORN, START)
    verb = VERBS[data[0] % len(VERBS)]
    topic = f"spBv1.0/G/{verb}/E{'/d' if verb[0] == 'D' else ''}"
    batch = host.read([Message(topic, data[1:], 0, retained=False, repeated=False)], START + 10**6)
    assert len(from_wire(to_wire(batch))) == len(batch)  # type: ignore[arg-type]  # a batch comes back as one
    host.tick(START + 10 * 10**9)


payload = Target(_payload_run, _payload_seeds)
host = Target(_host_run, _host_seeds)
