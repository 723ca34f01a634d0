"""The contract of a connector, on one screen.

A connector is a class with two msgspec Structs as attributes, ``Config`` (how to reach the other side) and
``Address`` (where one signal lives there), made as ``Connector(config)`` and registered under the entry point
group ``weft.connectors``. It has one duty, :meth:`Connector.run`, and as many of the abilities below as its
protocol offers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec

from weft.model import Batch, ValueType
from weft.runtime import Clock

__all__ = ["Browses", "Connector", "Found", "Link", "Point", "Probes"]


class Point(msgspec.Struct, frozen=True):
    """One signal as its connector sees it. ``type`` is what the plant asks for, None is as the source says."""

    handle: int
    path: str
    address: Any
    type: ValueType | None = None


class Link(Protocol):
    """What Weft gives a running connector."""

    name: str
    clock: Clock

    @property
    def points(self) -> Sequence[Point]:
        """The signals to read now. The tuple is replaced, never changed, when the plant's folder changes."""
        ...

    async def changed(self, seen: Sequence[Point]) -> None:
        """Returns when ``points`` is no longer ``seen``. Connectors follow without reconnecting."""
        ...

    def emit(self, batch: Batch, stored: Callable[[], None] | None = None) -> None:
        """Hands over samples in order. Never blocks, never raises; fills in ``source`` and ``sequence``, and
        ``received`` when it is 0. ``stored`` is called once they are as safe as the bus promises: whoever can
        be asked to send again (MQTT QoS 1) is acknowledged only then."""
        ...

    @property
    def pressure(self) -> float:
        """0: everything is stored as it comes; near 1: samples will soon be dropped, ask the source to slow."""
        ...

    def up(self, detail: str = "") -> None:
        """The line works: called after connecting and first success. ``detail`` is for people."""
        ...

    def refuse(self, point: Point, status: int, reason: str) -> None:
        """This signal cannot be served as it stands; the others go on. Gives it one sample with ``status``
        and tells people the reason once."""
        ...


class Connector(Protocol):
    """``run`` connects and emits until cancelled. It raises Retry when the line is lost (it is called again
    shortly), NeedsHuman when a person must act first, and never gives up because of one signal."""

    Config: ClassVar[type[msgspec.Struct]]
    Address: ClassVar[type[msgspec.Struct]]

    async def run(self, link: Link) -> None: ...


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Something readable on the other side; ``address`` is what a plant's folder would say."""

    name: str
    address: dict[str, Any]
    type: ValueType | None = None
    unit: str = ""
    description: str = ""
    value: Any = None
    status: int = 0
    folder: str = ""


@runtime_checkable
class Browses(Protocol):
    """Ability: list what the other side offers, below ``start`` (the protocol's own notation)."""

    def browse(self, start: str = "") -> AsyncIterator[Found]: ...


@runtime_checkable
class Probes(Protocol):
    """Ability: say in one line what answers there. Raises like ``run``."""

    async def probe(self) -> str: ...
