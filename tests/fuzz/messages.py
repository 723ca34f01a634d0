"""Documents in messages: MQTT payloads, webhook bodies, what carts say."""

from __future__ import annotations

import json
from typing import NamedTuple

from fuzz.target import Target

from weft.app.commands import _decoded
from weft.connect.api import Point
from weft.connect.mqtt import Address
from weft.connect.mqtt.router import Router
from weft.connect.payload import Payload, target_of
from weft.connect.payload.leaves import clock, leaves
from weft.connect.payload.reading import Reading
from weft.connect.tally import Tally
from weft.connect.testing import Recorder
from weft.connect.vda5050 import Address as CartAddress
from weft.connect.vda5050.desk import Desk
from weft.connect.vda5050.fleet import Fleet
from weft.connect.vda5050.heard import heard
from weft.connect.webhook.bodies import payloads_of
from weft.model import BatchBuilder, Call, Command, Outcome, ValueType, decode, encode
from weft.model.values import FLOATS, INTEGERS
from weft.mqtt.broker import Message
from weft.runtime import Invalid

NOW = 1_800_000_000_000_000_000
PATHS = ("", "v", "/a~1b/0", "deep.er.est")
SERVED = (
    *INTEGERS,
    *FLOATS,
    ValueType.BOOLEAN,
    ValueType.STRING,
    ValueType.DATETIME,
    ValueType.BYTESTRING,
    None,
)
UNITS = ("s", "ms", "us", "ns")


def _points() -> list[Point]:
    made: list[Point] = []
    for type in SERVED:
        for path in PATHS:
            if path not in ("", "v") and type is not None:
                continue
            unit = UNITS[len(made) % 4]
            where = {"kind": "x"} if len(made) % 5 == 0 else {}
            address = Address(topic="t", path=path, time="t" if path else "", time_unit=unit, where=where)
            made.append(Point(len(made), f"p{len(made)}", address, type))
    return made


POINTS = _points()
DOCUMENTS = (
    {"v": 12, "t": 1_767_225_600_123, "kind": "x"}, {"v": -1.5e300, "t": "2026-01-01T00:00:00.123456789Z"},
    {"v": "000123", "a/b": [1, 2], "list": ["a", "b"]}, {"v": True, "deep": {"er": {"est": None}}, "t": 1767225600.5},
    {"v": 2**64 - 1}, {"v": 10**60}, [1, 2, 3], [1.5, "x"], 7, "text", None, {"v": "2026-01-01T00:00:00Z", "t": "1e9"},
)  # fmt: skip


def _mqtt_seeds() -> list[bytes]:
    made = [json.dumps(document).encode() for document in DOCUMENTS]
    return [*made, b"000123", b"\xff\x00", b"", b"[" * 300, b"-1.5E+3", b"on"]


def _mqtt_run(data: bytes) -> None:
    """Every signal that reads the topic has a sample, and what is there can travel."""
    batch = ROUTER.read([Message("t", data, 0, retained=False, repeated=False)], NOW)
    assert len(decode(encode(batch))) == len(batch)  # type: ignore[arg-type]  # a batch comes back as one
    document = Payload(data).at(())
    if isinstance(document, dict):
        clock(document)
        list(leaves(document))


def _never(point: Point, status: int, why: str) -> None:
    raise AssertionError(why)


ROUTER = Router(POINTS, _never, Tally("fuzz"), 1 << 20)
FORMS = ("application/json", "text/csv", "application/jsonl", "text/plain", "")
TARGETS = [target_of(point) for point in POINTS]


def _webhook_seeds() -> list[bytes]:
    made = [b"\0" + json.dumps(document).encode() for document in DOCUMENTS]
    lines = b"\n".join(json.dumps(document).encode() for document in DOCUMENTS)
    return [
        *made,
        b"\0" + json.dumps(DOCUMENTS).encode(),
        b"\2" + lines,
        b'\1v,t\n1,2\n"a""b",2026-01-01\n',
        b"\3x",
    ]


def _webhook_run(data: bytes) -> None:
    try:
        payloads = payloads_of(data[1:], FORMS[data[0] % len(FORMS)] if data else "")
    except Invalid:
        return
    reading, batch = Reading(lambda _: None), BatchBuilder()
    for payload in payloads[:20]:
        reading.read(payload, TARGETS, NOW, batch)
    built = batch.build()
    assert len(decode(encode(built))) == len(built)  # type: ignore[arg-type]  # a batch comes back as one


CART_PATHS = (
    "batteryState.batteryCharge",
    "errors",
    "errors.length",
    "driving",
    "agvPosition",
    "nodeStates[0].nodeId",
)
CARTS = [
    Point(number, f"{topic}.{path}", CartAddress(cart="m/1", topic=topic, path=path))
    for number, (topic, path) in enumerate(
        [
            *(("state", path) for path in CART_PATHS),
            ("connection", "connectionState"),
            ("factsheet", ""),
            ("visualization", ""),
        ]
    )
]
TOPICS = ("state", "connection", "factsheet", "visualization", "order")
HEAD = {"headerId": 1, "timestamp": "2026-01-01T00:00:00.123Z", "version": "2.1.0", "manufacturer": "m"}
STATE = {
    "batteryState": {"batteryCharge": 77.5, "charging": False}, "driving": True, "agvPosition": {"x": 1.5, "y": 2},
    "nodeStates": [{"nodeId": "a"}], "actionStates": [{"actionId": "1", "actionStatus": "RUNNING"}],
    "errors": [{"errorType": "orderError", "errorLevel": "WARNING", "errorDescription": "d",
                "errorReferences": [{"referenceKey": "k", "referenceValue": "v"}]}],
    "safetyState": {"eStop": "NONE", "fieldViolation": False},
}  # fmt: skip


def _cart_seeds() -> list[bytes]:
    bodies = [
        STATE,
        {"connectionState": "CONNECTIONBROKEN"},
        {"typeSpecification": {"seriesName": "x"}},
        STATE,
        {},
    ]
    made = [bytes((number,)) + json.dumps(HEAD | body).encode() for number, body in enumerate(bodies)]
    return [*made, b"\1" + json.dumps(HEAD | {"connectionState": "ONLINE"}).encode()]


def _cart_run(data: bytes) -> None:
    """After a sound state: any message, then a sound one again."""
    link = Recorder(CARTS)
    desk = Desk(link, Fleet())
    topic = TOPICS[data[0] % len(TOPICS)] if data else "state"
    sound = json.dumps(HEAD | STATE).encode()
    later = json.dumps(HEAD | STATE | {"headerId": 9, "timestamp": "2026-01-01T00:00:09Z"}).encode()
    for name, payload in (("state", sound), (topic, data[1:]), ("state", later)):
        batch = desk.take([heard(Message(f"uagv/v2/m/1/{name}", payload, 1, retained=False, repeated=False))])
        assert len(decode(encode(batch))) == len(batch)  # type: ignore[arg-type]  # a batch comes back as one
    json.dumps(desk.memory())


mqtt = Target(_mqtt_run, _mqtt_seeds)
webhook = Target(_webhook_run, _webhook_seeds)
vda5050 = Target(_cart_run, _cart_seeds)


class _Message(NamedTuple):
    """What of a message on the bus the gateway looks at."""

    body: bytes


COMMANDS = (
    {
        "id": "1",
        "signal": "acme/hall/mill/speed",
        "value": 3.5,
        "actor": "anna",
        "reason": "try",
        "expires": 1,
    },
    {
        "id": "2",
        "connection": "mill",
        "target": "i=1",
        "method": "i=2",
        "arguments": [1, {"a": None}],
        "actor": "mes",
    },
)


def _command_run(data: bytes) -> None:
    """A command, a call, or the outcome that says why it is none."""
    for kind in (Command, Call):
        assert isinstance(_decoded(_Message(data), kind), (kind, Outcome))  # type: ignore[arg-type]  # a message's part


commands = Target(_command_run, lambda: [json.dumps(command).encode() for command in COMMANDS])
