"""Publish, subscribe, request, last value: in memory, or durable through NATS JetStream."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from weft.bus.api import (
    LIVE,
    NEW,
    Ack,
    Answer,
    Bus,
    Draft,
    Message,
    Note,
    Promise,
    Start,
    Stream,
    StreamState,
    Subscription,
    after,
    since,
)
from weft.bus.lease import Lease
from weft.bus.memory import MemoryBus
from weft.bus.subjects import (
    escape,
    events_subject,
    matches,
    parse_events,
    parse_samples,
    samples_subject,
    unescape,
)

if TYPE_CHECKING:
    from weft.bus.gate import Edge, Gate, inbox_of
    from weft.bus.nats import NatsBus
    from weft.bus.server import NatsServer
    from weft.bus.session import Address

__all__ = [
    "LIVE",
    "NEW",
    "Ack",
    "Address",
    "Answer",
    "Bus",
    "Draft",
    "Edge",
    "Gate",
    "Lease",
    "MemoryBus",
    "Message",
    "NatsBus",
    "NatsServer",
    "Note",
    "Promise",
    "Start",
    "Stream",
    "StreamState",
    "Subscription",
    "after",
    "escape",
    "events_subject",
    "inbox_of",
    "matches",
    "parse_events",
    "parse_samples",
    "samples_subject",
    "since",
    "unescape",
]

_LATE = {
    "Edge": "gate",
    "Gate": "gate",
    "inbox_of": "gate",
    "Address": "session",
    "NatsBus": "nats",
    "NatsServer": "server",
}


def __getattr__(name: str) -> Any:
    # The NATS client takes 90 ms to import: who only needs the vocabulary does not pay for it.
    if name in _LATE:
        return getattr(import_module(f"weft.bus.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
