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

from weft.model import Batch, Limits, ValueType
from weft.runtime import Clock

__all__ = [
    "Browses",
    "Calls",
    "Connector",
    "Discovers",
    "Found",
    "Link",
    "Place",
    "Point",
    "Probes",
    "Reads",
    "Scope",
    "Write",
    "Writes",
]


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

    def tell(self, kind: str, data: dict[str, Any], *, time: int = 0) -> None:
        """An event of the field (:class:`~weft.model.Kind`): an alarm, a document. ``time`` in ns UTC, 0 is now."""
        ...

    def gap(self, first: int, last: int, cause: str, points: Sequence[Point] = ()) -> None:
        """Samples between these source times (ns UTC) are known to be missing and cannot be had any more; no
        ``points`` is all of them. Written down as an event: never left for people to guess."""
        ...

    def newest(self) -> dict[int, int]:
        """By handle, the source time (ns UTC) of the newest good sample that is kept: from there a connector
        fills the hole that an outage, or our own restart, has left. Signals without any are absent."""
        ...

    def recall(self) -> dict[str, Any]:
        """What this connection remembered last, also before a restart; empty the first time."""
        ...

    def remember(self, data: dict[str, Any]) -> None:
        """Keeps a small document (at most 1 MiB) safe on disk for :meth:`recall`. Blocks for an fsync: for what
        changes seldom, such as the numbers of subscriptions."""
        ...


class Connector(Protocol):
    """``run`` connects and emits until cancelled. It raises Retry when the line is lost (it is called again
    shortly), NeedsHuman when a person must act first, and never gives up because of one signal.

    A class with ``forgets = True`` has another side that keeps nothing for us (polled devices): what an outage or
    our own restart has cost is then told as a gap by the line. Others fill their holes, or tell them, themselves."""

    Config: ClassVar[type[msgspec.Struct]]
    Address: ClassVar[type[msgspec.Struct]]

    async def run(self, link: Link) -> None: ...


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Something on the other side; ``address`` is what a plant's folder would say. ``kind`` is ``variable``, or
    ``object`` and ``method`` for what has no value and is listed because its type (``semantic``) says what is there.
    ``history``: the other side keeps it; ``rank``: 0 one value, 1 a list, 2 a matrix."""

    name: str
    address: dict[str, Any]
    type: ValueType | None = None
    unit: str = ""
    description: str = ""
    value: Any = None
    status: int = 0
    folder: str = ""
    writable: bool = False
    limits: Limits = Limits()
    states: dict[int, str] = {}
    semantic: str = ""
    kind: str = "variable"
    history: bool = False
    rank: int = 0


@runtime_checkable
class Browses(Protocol):
    """Ability: list what the other side offers, below ``start`` (the protocol's own notation)."""

    def browse(self, start: str = "") -> AsyncIterator[Found]: ...


@runtime_checkable
class Probes(Protocol):
    """Ability: say in one line what answers there. Raises like ``run``."""

    async def probe(self) -> str: ...


class Write(msgspec.Struct, frozen=True):
    """A value for one signal as the source counts it: scaling and state names are undone already."""

    point: Point
    value: Any


@runtime_checkable
class Writes(Protocol):
    """Ability: write over the connection that ``run`` keeps."""

    async def write(self, writes: Sequence[Write]) -> Sequence[int]:
        """One OPC UA StatusCode each, 0 for done. Raises Retry when the connection is not up: nothing was sent
        then. A write that was sent and not answered is BadTimeout: it may have happened."""
        ...


@runtime_checkable
class Reads(Protocol):
    """Ability: read some signals now, over the connection that ``run`` keeps. Raises Retry when it is not up."""

    async def read(self, points: Sequence[Point]) -> Batch: ...


@runtime_checkable
class Calls(Protocol):
    """Ability: call a method over the connection that ``run`` keeps."""

    async def call(self, target: str, method: str, arguments: Sequence[Any]) -> list[Any]:
        """The method's outputs. Raises Retry when the connection is not up, Invalid for what the other side
        refuses, naming the argument."""
        ...


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look. ``hosts`` are the only addresses that may be dialled, and only they: looking round a plant's
    network unasked is an attack. ``listen`` allows what only listens or asks the local segment (mDNS, DCP)."""

    hosts: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()  # none: the protocol's own
    listen: bool = True
    seconds: float = 3.0


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Something that answers. ``config`` is what a connection's table would say, ``how`` it was found."""

    protocol: str
    address: str
    config: dict[str, Any]
    title: str = ""
    how: str = ""


@runtime_checkable
class Discovers(Protocol):
    """Ability of the class: find the other side. Never raises for a place that does not answer."""

    @classmethod
    def discover(cls, scope: Scope) -> AsyncIterator[Place]: ...
