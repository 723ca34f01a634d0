"""Publish, subscribe, request, last value: in memory, or durable through NATS JetStream."""

from __future__ import annotations

from weft.bus.api import (
    LIVE,
    NEW,
    Ack,
    Answer,
    Bus,
    Draft,
    Message,
    Promise,
    Start,
    Stream,
    StreamState,
    Subscription,
    after,
    since,
)
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

__all__ = [
    "LIVE",
    "NEW",
    "Ack",
    "Answer",
    "Bus",
    "Draft",
    "MemoryBus",
    "Message",
    "Promise",
    "Start",
    "Stream",
    "StreamState",
    "Subscription",
    "after",
    "escape",
    "events_subject",
    "matches",
    "parse_events",
    "parse_samples",
    "samples_subject",
    "since",
    "unescape",
]
