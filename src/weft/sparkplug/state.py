"""The STATE message of a host application (Sparkplug 3.0, 6.4.26)."""

from __future__ import annotations

import msgspec

__all__ = ["HostState", "encode_state", "parse_state"]

LONGEST = 4096  # bytes


class HostState(msgspec.Struct, frozen=True):
    """``timestamp`` in ms since 1970 UTC: of two messages, the one with the greater counts."""

    online: bool
    timestamp: int


def encode_state(*, online: bool, timestamp: int) -> bytes:
    return msgspec.json.encode(HostState(online, timestamp))


def parse_state(payload: bytes) -> HostState | None:
    """None for what is no STATE of version 3."""
    if len(payload) > LONGEST:
        return None
    try:
        return msgspec.json.decode(payload, type=HostState)
    except (msgspec.MsgspecError, RecursionError):
        return None
