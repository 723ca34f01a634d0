"""What the pages need to know, given by the composition root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from weft.bus.api import StreamState
from weft.catalog.api import Plant
from weft.connect import Status
from weft.destinations import Status as DestinationStatus
from weft.history.api import History
from weft.runtime import Clock, Service

__all__ = ["House"]


class House(Protocol):
    """One running plant. Everything is asked for anew at each look: ``plant`` may return another object after
    the folder changed, and pages follow."""

    @property
    def clock(self) -> Clock: ...

    @property
    def history(self) -> History: ...

    def plant(self) -> Plant: ...

    def lines(self) -> Sequence[Status]:
        """Every connection's state."""
        ...

    def destinations(self) -> Sequence[DestinationStatus]:
        """The state of everything that the plant's data is sent on to."""
        ...

    def services(self) -> Sequence[Service]: ...

    async def streams(self) -> Sequence[StreamState]: ...
