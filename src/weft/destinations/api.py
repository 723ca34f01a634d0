"""The contract of a destination, on one screen.

A destination is a class with a msgspec Struct ``Config`` as attribute, made as ``Destination(config)`` and
registered under the entry point group ``weft.destinations``. A plant names it in ``destinations/<name>.toml``.
Each has its own durable cursor in the stream of samples: what it has not acknowledged it is given again, after
an outage of the other side as after a crash of ours. What is live goes first; the backlog follows at a set pace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

import msgspec

from weft.model import Asset, Batch, Call, Command, Outcome, Signal
from weft.runtime import Clock

__all__ = ["Delivery", "Destination", "Feed"]


class Delivery(msgspec.Struct, frozen=True):
    """Samples of this destination's signals, in order. ``live`` False: backlog, to be marked as historical.
    ``id`` is the same when it is given again, so that the other side can recognise it."""

    batch: Batch
    live: bool
    id: str


class Feed(Protocol):
    """What Weft gives a running destination."""

    name: str
    clock: Clock
    folder: Path  # its own, readable by this user alone, kept over restarts

    @property
    def signals(self) -> Sequence[Signal]:
        """What it is to send. Replaced, never changed, when the plant's folder changes."""
        ...

    @property
    def assets(self) -> Mapping[str, Asset]: ...

    async def changed(self, seen: Sequence[Signal]) -> None:
        """Returns when ``signals`` is no longer ``seen``."""
        ...

    def snapshot(self) -> Batch:
        """The newest sample of each of the signals that has one."""
        ...

    async def take(self) -> Delivery:
        """The next samples; waits for some."""
        ...

    async def settle(self, delivery: Delivery) -> None:
        """The other side has it for good: it is not given again."""
        ...

    def up(self, detail: str = "") -> None:
        """The other side takes what is sent. ``detail`` is for people."""
        ...

    def recall(self) -> dict[str, Any]:
        """What was remembered last, also before a restart."""
        ...

    def remember(self, data: dict[str, Any]) -> None:
        """Keeps a small document safe on disk. Blocks for an fsync."""
        ...

    async def command(self, command: Command) -> Outcome:
        """Somebody on the other side wants to write: goes the way of every command, guard rails included."""
        ...

    async def call(self, call: Call) -> Outcome: ...


class Destination(Protocol):
    """``run`` connects and sends until cancelled. It raises Retry when the other side is lost (it is called
    again shortly), NeedsHuman when a person must act first."""

    Config: ClassVar[type[msgspec.Struct]]

    async def run(self, feed: Feed) -> None: ...
