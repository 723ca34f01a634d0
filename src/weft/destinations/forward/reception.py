"""The hub's side: gives edges the numbers of their signals, and knows which of them are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import anyio
import anyio.to_thread
import msgspec

from weft.bus import Bus, Message, escape, unescape
from weft.connect import LineState
from weft.destinations.forward.numbers import AT_ONCE, Asked, Told
from weft.model import Event, Kind
from weft.runtime import Clock, Denied, Invalid, Ready, get_logger

__all__ = ["EdgeStatus", "Hello", "Reception", "hello_subject"]

log = get_logger(__name__)

SILENCE: Final = 10.0  # seconds without a hello: the edge is away
UNKNOWN: Final = -1


class Hello(msgspec.Struct, frozen=True):
    """What an edge tells of itself: messages that it has not forwarded yet."""

    waiting: int = 0


class EdgeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """An edge in plain words; times are ns UTC, 0 is never."""

    name: str
    state: LineState = LineState.DOWN
    since: int = 0
    heard: int = 0
    waiting: int = 0


def hello_subject(edge: str) -> str:
    return f"weft.edge.{escape(edge)}.hello"


class Reception:
    """``homes`` are the edges that may come, each with the path below which its signals lie; ``assign`` gives the
    handles of paths and may block."""

    def __init__(
        self,
        bus: Bus,
        homes: Mapping[str, str],
        *,
        assign: Callable[[Sequence[str]], Mapping[str, int]],
        clock: Clock,
        tell: Callable[[Event], None],
    ) -> None:
        self._bus = bus
        self._homes = homes
        self._assign = assign
        self._clock = clock
        self._tell = tell
        self._edges = {name: EdgeStatus(name=name) for name in homes}

    def statuses(self) -> list[EdgeStatus]:
        return list(self._edges.values())

    async def run(self, ready: Ready) -> None:
        """Answers until cancelled. Raises Retry when the bus is away at its beginning."""
        await self._bus.write_note("hub", b"")  # makes the place of the leases, which edges may not
        async with (
            self._bus.serve("weft.edge.*.numbers", self._number),
            self._bus.serve("weft.edge.*.hello", self._hello),
        ):
            ready()
            while True:
                await self._clock.sleep(1.0)
                self._miss()

    async def _number(self, message: Message) -> bytes:
        edge, home = self._who(message)
        try:
            asked = msgspec.msgpack.decode(_bytes(message), type=Asked)
        except (ValueError, msgspec.MsgspecError) as error:  # ValueError: no UTF-8
            raise Invalid(f"The question of {edge!r} is not understood: {error}") from error
        if len(asked.paths) > AT_ONCE:
            raise Invalid(f"{len(asked.paths)} signals in one question; at most {AT_ONCE}.")
        own = [path for path in asked.paths if path.startswith(f"{home}/")]
        handles = await anyio.to_thread.run_sync(self._assign, own) if own else {}
        if len(own) < len(asked.paths):
            log.warning("an edge sends signals that are not below its home", edge=edge, home=home)
        return msgspec.msgpack.encode(Told(tuple(handles.get(path, UNKNOWN) for path in asked.paths), home))

    async def _hello(self, message: Message) -> bytes:
        edge, _ = self._who(message)
        try:
            hello = msgspec.msgpack.decode(_bytes(message), type=Hello)
        except (ValueError, msgspec.MsgspecError) as error:  # ValueError: no UTF-8
            raise Invalid(f"The greeting of {edge!r} is not understood: {error}") from error
        known = self._edges[edge]
        now = self._clock.now()
        self._edges[edge] = msgspec.structs.replace(known, heard=now, waiting=hello.waiting)
        if known.state is not LineState.UP:
            self._become(edge, LineState.UP, "")
        return b""

    def _who(self, message: Message) -> tuple[str, str]:
        """The edge that asks, and its home: the bus lets each ask under its own name only."""
        edge = unescape(message.subject.split(".")[2])
        if edge not in self._homes:
            raise Denied(f"There is no edge {edge!r} at this hub.", remedy="Add it to [bus.edges].")
        return edge, self._homes[edge]

    def _miss(self) -> None:
        for name, status in self._edges.items():
            silent = (self._clock.now() - status.heard) / 1e9
            if status.state is LineState.UP and silent > SILENCE:
                self._become(name, LineState.DOWN, f"nothing heard for {silent:.0f} s")

    def _become(self, name: str, state: LineState, reason: str) -> None:
        now = self._clock.now()
        self._edges[name] = msgspec.structs.replace(self._edges[name], state=state, since=now)
        log.info("edge", edge=name, state=str(state), reason=reason)
        data = {"state": str(state), "reason": reason, "detail": "edge"}
        self._tell(Event(kind=Kind.CONNECTION_STATE, source=name, time=now, recorded=now, data=data))


def _bytes(message: Message) -> bytes:
    return message.body if isinstance(message.body, bytes) else b""
