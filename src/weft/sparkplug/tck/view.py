"""A recording as the rules look at it: messages read, sorted by whose they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct, field

from weft.sparkplug.decode import decode
from weft.sparkplug.payload import Metric, Payload
from weft.sparkplug.state import HostState, parse_state
from weft.sparkplug.tck.recording import Entry
from weft.sparkplug.topic import NAMESPACE, Topic, Verb, parse_topic, state_host
from weft.sparkplug.wire import BadPayload

__all__ = ["BDSEQ", "REBIRTH", "Connection", "Life", "Sent", "View"]

BDSEQ: Final = "bdSeq"
REBIRTH: Final = "Node Control/Rebirth"
OF_NODE: Final = (Verb.NBIRTH, Verb.NDEATH, Verb.DBIRTH, Verb.DDEATH, Verb.NDATA, Verb.DDATA)
DATA: Final = (Verb.NDATA, Verb.DDATA)
BIRTHS: Final = (Verb.NBIRTH, Verb.DBIRTH)
COMMANDS: Final = (Verb.NCMD, Verb.DCMD)


class Sent(Struct, eq=False):
    """A published message. ``payload`` None: it cannot be read."""

    entry: Entry
    topic: Topic | None
    payload: Payload | None
    state: HostState | None = None

    @property
    def metrics(self) -> list[Metric]:
        return self.payload.metrics if self.payload else []

    @property
    def verb(self) -> Verb | None:
        return self.topic.verb if self.topic else None

    @property
    def node(self) -> tuple[str, str]:
        return (self.topic.group, self.topic.node) if self.topic else ("", "")

    def number(self, name: str) -> int | None:
        metric = self.payload.named(name) if self.payload else None
        return metric.value if metric is not None and isinstance(metric.value, int) else None

    def __str__(self) -> str:
        return f"{self.entry.topic} (seq {self.payload.seq if self.payload else '?'})"


class Connection(Struct, eq=False):
    """A client from its CONNECT on."""

    connect: Entry
    entries: list[Entry] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    @property
    def will(self) -> Sent:
        return read(self.connect)

    @property
    def ending(self) -> str:
        """``disconnect``, ``lost`` or empty."""
        return (
            self.entries[-1].kind if self.entries and self.entries[-1].kind in ("disconnect", "lost") else ""
        )

    def subscriptions(self) -> Iterator[tuple[str, int]]:
        for entry in self.entries:
            if entry.kind == "subscribe":
                yield from ((name, entry.qos) for name in entry.filters)


class Life(Struct, eq=False):
    """What one edge node published, in order, up to its NDEATH or its next connection."""

    node: tuple[str, str]
    sent: list[Sent] = field(default_factory=list)


class View:
    """All of a recording. ``wide``: connections were recorded, too, not only what a subscriber hears."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.connections = _connections(entries)
        self.wide = bool(self.connections)
        sent = {i: read(entry) for i, entry in enumerate(entries) if entry.kind == "publish"}
        self.sent = list(sent.values())
        self.raw = [s for s in self.sent if s.entry.topic.startswith(f"{NAMESPACE}/")]
        self.states = [s for s in self.sent if state_host(s.entry.topic)]
        self.lives = list(_lives(entries, sent))
        self.edges = [c for c in self.connections if _is_edge(c)]
        self.hosts = [c for c in self.connections if state_host(c.connect.topic)]

    def of(self, *verbs: Verb) -> Iterator[Sent]:
        return (sent for sent in self.sent if sent.verb in verbs)

    def metrics(self, *verbs: Verb) -> Iterator[tuple[Sent, Metric]]:
        """All metrics of messages, those within templates too."""
        for sent in self.of(*verbs):
            for metric in sent.metrics:
                yield from ((sent, one) for one in nested(metric))


def nested(metric: Metric) -> Iterator[Metric]:
    yield metric
    if metric.field == 18:
        for member in metric.value.metrics:
            yield from nested(member)


def read(entry: Entry) -> Sent:
    topic = parse_topic(entry.topic)
    payload: Payload | None = None
    if topic is not None:
        try:
            payload = decode(entry.payload)
        except BadPayload:
            payload = None
    return Sent(entry, topic, payload, parse_state(entry.payload) if state_host(entry.topic) else None)


def _connections(entries: Sequence[Entry]) -> list[Connection]:
    found: list[Connection] = []
    now: dict[str, Connection] = {}
    for entry in entries:
        if entry.kind == "connect":
            now[entry.client] = Connection(entry)
            found.append(now[entry.client])
        elif entry.client in now:
            connection = now[entry.client]
            connection.entries.append(entry)
            if entry.kind == "publish":
                connection.sent.append(read(entry))
    return found


def _is_edge(connection: Connection) -> bool:
    will = connection.will
    if will.topic is not None and will.verb is Verb.NDEATH:
        return True
    return any(sent.verb in OF_NODE for sent in connection.sent)


def _lives(entries: Sequence[Entry], sent: dict[int, Sent]) -> Iterator[Life]:
    now: dict[tuple[tuple[str, str], str], Life] = {}
    for i, entry in enumerate(entries):
        if entry.kind == "connect":  # a new session: the broker may have told of the death by the will
            for key in [key for key in now if key[1] == entry.client]:
                yield now.pop(key)
        one = sent.get(i)
        if one is None or one.verb not in OF_NODE:
            continue
        key = (one.node, entry.client)
        life = now.setdefault(key, Life(one.node))
        life.sent.append(one)
        if one.verb is Verb.NDEATH:
            yield now.pop(key)
    yield from now.values()
