"""An event: something that happened, immutable. Shaped as a CloudEvent (CloudEvents 1.0.2, section 3)."""

from __future__ import annotations

import secrets
import time as _time
from typing import Any

import msgspec

__all__ = ["Event", "Kind", "new_id"]


class Kind:
    """The taxonomy of events: one list for the whole house, each name used in one sense."""

    CONNECTION_STATE = "weft.connection.state"  # a connection came up, went down or needs a person
    DATA_GAP = "weft.data.gap"  # samples that are known to be missing
    DATA_REJECTED = "weft.data.rejected"  # samples that could not be taken as they came
    SIGNAL_REFUSED = "weft.signal.refused"  # the source does not serve this signal
    SIGNAL_CHECK = "weft.signal.check"  # a value left, or came back into, what is believable
    PLANT_APPLIED = "weft.plant.applied"  # the plant's description changed
    ALARM = "weft.alarm"  # a condition of the field changed: active, acknowledged, gone (OPC 10000-9)
    DOCUMENT = "weft.document"  # a machine handed over a document: asset, factsheet, part program
    COMMAND_REQUESTED = "weft.command.requested"  # intent, written down before anything is sent
    COMMAND_DONE = "weft.command.done"  # what came of it
    COMMAND_REFUSED = "weft.command.refused"  # a guard rail said no
    LOGIC_STATE = "weft.logic.state"  # a rule of local logic began or ceased to hold, or was halted
    CLOCK_SUSPECT = "weft.clock.suspect"  # a source's clock, or our own, went wrong or is right again
    DESTINATION_STATE = "weft.destination.state"  # a destination took again, or stopped taking, what we send
    ROLE = "weft.gateway.role"  # this gateway of a redundant pair became active or stands by
    SERVICE_FAILED = "weft.service.failed"  # a service of Weft's own crashed and is restarted


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, to what, when it happened and when it was written down (both ns UTC)."""

    kind: str
    source: str
    time: int
    recorded: int
    data: dict[str, Any] = {}
    id: str = msgspec.field(default_factory=lambda: new_id())  # noqa: PLW0108  # defined below


def new_id() -> str:
    """A unique id that sorts by its time of making (RFC 9562, UUID version 7)."""
    stamp = _time.time_ns() // 1_000_000
    tail = secrets.randbits(74)
    number = stamp << 80 | 0x7 << 76 | (tail >> 62) << 64 | 0b10 << 62 | tail & (1 << 62) - 1
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
