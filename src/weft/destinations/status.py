"""A destination in plain words."""

from __future__ import annotations

import msgspec

from weft.connect import LineState

__all__ = ["Status"]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Times are ns UTC, 0 is never. ``samples`` were sent in its life, ``rate`` of them per second lately.
    ``waiting`` are messages of the stream that are not settled yet, ``waiting_samples`` about as many samples of
    its own; ``behind`` is the age of the oldest of them in seconds. ``lost`` messages were dropped by the stream
    before they could be sent."""

    name: str
    state: LineState
    reason: str = ""
    detail: str = ""
    since: int = 0
    last_sent: int = 0
    next_retry: int = 0
    samples: int = 0
    rate: float = 0.0
    waiting: int = 0
    waiting_samples: int = 0
    behind: float = 0.0
    lost: int = 0
