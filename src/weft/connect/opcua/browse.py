"""What a server offers: everything below a node or that fits a pattern, level by level (OPC 10000-4, 5.9).

The walk never depends on one node: what cannot be browsed or read is listed with its status. It can be cut off at
any time and goes on from its cursor, over another session or in another process.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NamedTuple

import anyio
import msgspec
import numpy as np

from weft.connect.api import Found
from weft.connect.opcua.calling import Calls
from weft.connect.opcua.datatypes import DataTypes
from weft.connect.opcua.describe import ABOUT, Variable, describe, failed, is_plain, thing
from weft.connect.opcua.faults import first_of
from weft.connect.opcua.patterns import ALL, Pattern, States
from weft.connect.opcua.profile import Profile
from weft.connect.opcua.services import FORWARD, Answer, Link, Question, encoded, number
from weft.connect.opcua.session import Session
from weft.runtime import Invalid
from weft.ua import nodes

__all__ = ["Page", "Walk"]

MAX_NODES: Final = 1_000_000
OBJECT: Final = 1
VARIABLE: Final = 2
METHOD: Final = 4
_CLASSES: Final = OBJECT | VARIABLE | METHOD
_OBJECTS: Final = number(85)
_SERVER: Final = number(2253)
_HAS_PROPERTY: Final = number(46)
_HIERARCHICAL: Final = number(33)
_NODE_CLASS: Final = 2
_DISPLAY_NAME: Final = 4
_LARGEST_CURSOR: Final = 64 << 20
_VARIABLES_PER_READ: Final = 8  # attributes that one variable's description takes, about


class Place(NamedTuple):
    """A node on the way; ``folder`` is the path above it, ``states`` where in the pattern it is."""

    node: bytes
    name: str
    folder: str
    node_class: int
    type: bytes
    states: States


class Page(NamedTuple):
    """What was found since the last one; ``cursor`` makes the bytes from which the walk goes on behind it."""

    found: list[Found]
    cursor: Callable[[], bytes]


class _Cursor(msgspec.Struct, array_like=True):
    start: str
    namespaces: list[str]
    seen: bytes
    todo: list[tuple[Any, ...]]
    ready: list[tuple[Any, ...]]


class Walk:
    """``start`` is a NodeId, a pattern of names from the Objects folder down, or empty: the Objects folder without
    the Server object."""

    def __init__(self, start: str) -> None:
        """Raises Invalid for a start that is neither."""
        self._start = start.strip()
        self._root, self._pattern = _begin(self._start)
        self._todo: deque[Place] = deque()
        self._ready: deque[Variable] = deque()
        self._seen: set[int] = set()
        self._namespaces: list[str] = []

    @classmethod
    def resumed(cls, cursor: bytes) -> Walk:
        """Goes on from a cursor. Raises Invalid when it is none."""
        try:
            inflate = zlib.decompressobj()
            kept = msgspec.msgpack.decode(inflate.decompress(cursor, _LARGEST_CURSOR), type=_Cursor)
            walk = cls(kept.start)
            walk._namespaces = kept.namespaces
            walk._seen = set(np.frombuffer(kept.seen, "<u8").tolist())
            walk._todo = deque(Place._make([*one[:-1], frozenset(one[-1])]) for one in kept.todo)
            walk._ready = deque(Variable(*one) for one in kept.ready)
        except (ValueError, TypeError, zlib.error, msgspec.MsgspecError) as error:
            raise Invalid(f"This is no cursor of a browse: {error}.") from error
        return walk

    def cursor(self) -> bytes:
        """Everything that :meth:`resumed` needs; small: 8 bytes a node that was seen."""
        kept = _Cursor(
            start=self._start,
            namespaces=self._namespaces,
            seen=np.array(sorted(self._seen), dtype="<u8").tobytes(),
            todo=[(*place[:-1], sorted(place.states)) for place in self._todo],
            ready=[tuple(variable) for variable in self._ready],
        )
        return zlib.compress(msgspec.msgpack.encode(kept), 1)

    async def pages(self, session: Session, profile: Profile) -> AsyncIterator[Page]:
        """What is left, a page at a time. Raises what asyncua raises when the line is lost: the walk then stands
        where the last page left it. A server that numbers its namespaces otherwise than before is walked anew."""
        calls = Calls(session, profile)
        types = DataTypes(calls)
        if not self._seen or self._namespaces != session.namespaces:
            await self._first(session, calls)
        while self._todo or self._ready:
            found = await self._round(calls, types, profile.workers)
            yield Page(found, self.cursor)

    def skip(self, status: int) -> Found | None:
        """Leaves out what comes next, since the line was lost with it again and again."""
        if self._ready:
            variable = self._ready.popleft()
            return failed(variable.node, variable.name, variable.folder, status, self._namespaces)
        if self._todo:
            place = self._todo.popleft()
            return failed(place.node, place.name, place.folder, status, self._namespaces)
        return None

    async def _first(self, session: Session, calls: Calls) -> None:
        self._namespaces = list(session.namespaces)
        self._todo.clear()
        self._ready.clear()
        self._seen = {_digest(self._root_of(session))}
        root = self._root_of(session)
        states = ALL if self._pattern is None else self._pattern.begin()
        place = Place(root, "", "", OBJECT, b"", states)
        if self._root is not None:
            (status, _, node_class), (_, _, name) = await calls.read(
                [(root, _NODE_CLASS), (root, _DISPLAY_NAME)]
            )
            text = name.get("text") if isinstance(name, dict) else None
            if status & 0x80000000 == 0 and node_class == VARIABLE:
                place = place._replace(name=str(text or ""), node_class=VARIABLE)
        if (self._pattern is None or self._pattern.first != "Server") and not self._start.startswith("i="):
            self._seen.add(_digest(_SERVER))
        self._todo.append(place)

    def _root_of(self, session: Session) -> bytes:
        return _OBJECTS if self._root is None else encoded(self._root, session.namespaces)

    async def _round(self, calls: Calls, types: DataTypes, workers: int) -> list[Found]:
        """As many calls at a time as the server is good for: first the reads, so that little is kept waiting."""
        reads: list[list[Variable]] = []
        browses: list[list[Place]] = []
        for _ in range(max(1, workers)):
            most = max(1, calls.read_pace.size // _VARIABLES_PER_READ)
            if self._ready and (len(self._ready) >= most or not self._todo):
                reads.append([self._ready.popleft() for _ in range(min(most, len(self._ready)))])
            elif self._todo:
                count = min(calls.browse_pace.size, len(self._todo))
                browses.append([self._todo.popleft() for _ in range(count)])
        found: list[Found] = []
        answers: list[tuple[list[Place], list[Answer]]] = []

        async def read(variables: list[Variable]) -> None:
            found.extend(await describe(calls, types, variables))

        async def browse(places: list[Place]) -> None:
            questions = [Question(place.node, FORWARD, _HIERARCHICAL, _CLASSES) for place in places]
            answers.append((places, await calls.browse(questions)))

        done = False
        try:
            async with anyio.create_task_group() as tasks:
                for variables in reads:
                    tasks.start_soon(read, variables)
                for places in browses:
                    tasks.start_soon(browse, places)
            await types.names(_types(answers))
            done = True
        except BaseExceptionGroup as group:
            raise first_of(group) from group
        finally:
            if not done:  # nothing of this round was handed over: it is done again
                self._ready.extendleft(one for some in reversed(reads) for one in reversed(some))
                self._todo.extendleft(one for some in reversed(browses) for one in reversed(some))
        for places, some in answers:
            for place, answer in zip(places, some, strict=True):
                found += self._take(place, answer, types)
        return found

    def _take(self, place: Place, answer: Answer, types: DataTypes) -> list[Found]:
        """Queues what lies below a place, and itself to be read when it is a variable that was looked for."""
        found: list[Found] = []
        about: dict[str, bytes] = {}
        folder = "/".join(part for part in (place.folder, place.name) if part)
        for link in answer.links:
            if link.node is None:
                continue
            if link.kind == _HAS_PROPERTY and place.node_class == VARIABLE:
                if link.name in ABOUT:
                    about[link.name] = link.node
                continue
            found += self._met(link, folder, place.states, types)
        if place.node_class == VARIABLE and place.states == ALL:
            self._ready.append(Variable(place.node, place.name, place.folder, place.type, about))
        if answer.status & 0x80000000:
            found.append(failed(place.node, place.name, place.folder, answer.status, self._namespaces))
        return found

    def _met(self, link: Link, folder: str, above: States, types: DataTypes) -> list[Found]:
        name = link.text or link.name
        states = above if above == ALL or self._pattern is None else self._pattern.after(above, name)
        node = link.node or b""
        mark = _digest(node)
        if not states or mark in self._seen or len(self._seen) >= MAX_NODES:
            return []
        self._seen.add(mark)
        if link.node_class != METHOD:
            self._todo.append(Place(node, name, folder, link.node_class, link.type or b"", states))
        if states != ALL or link.node_class == VARIABLE:
            return []
        one = thing(link, name, folder, types, self._namespaces)
        return [] if one is None else [one]


def _types(answers: list[tuple[list[Place], list[Answer]]]) -> set[bytes]:
    """Type definitions of the objects that were met."""
    links = (link for _, some in answers for one in some for link in one.links)
    return {
        link.type for link in links if link.type and link.node_class == OBJECT and not is_plain(link.type)
    }


def _begin(start: str) -> tuple[nodes.Node | None, Pattern | None]:
    if not start:
        return None, None
    try:
        return nodes.parse(start), None
    except ValueError:
        pass  # then it is a pattern
    try:
        return None, Pattern(start)
    except ValueError as error:
        raise Invalid(
            f"{start!r} is neither a node nor a pattern.", remedy="Write ns=2;s=Machine or Machine/**/Temp*."
        ) from error


def _digest(node: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(node, digest_size=8).digest(), "little")
