"""The host application's view of its nodes: which message is whose, and whom to ask for a birth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from weft.connect.api import Point
from weft.connect.sparkplug.births import Declaration
from weft.connect.sparkplug.node import Arrived, Effect, Node
from weft.connect.sparkplug.samples import Samples
from weft.connect.tally import Tally
from weft.model import Batch
from weft.mqtt.broker import Message
from weft.sparkplug.scan import scan
from weft.sparkplug.topic import Topic, Verb, parse_topic, state_host
from weft.sparkplug.wire import BadPayload

__all__ = ["Gap", "Host"]

NodeId: TypeAlias = tuple[str, str]

_COMMANDS: Final = (Verb.NCMD, Verb.DCMD)


class Gap(NamedTuple):
    """Messages of a node that are lost, sent between these times (ns UTC)."""

    first: int
    last: int
    node: NodeId


class Host:
    """All nodes of which ``points`` read something; times are ns UTC. ``started`` is when we began to listen."""

    def __init__(
        self, points: Sequence[Point], tally: Tally, *, started: int, reorder: float, rebirth: float
    ) -> None:
        self.points: Sequence[Point] = ()
        self.nodes: dict[NodeId, Node] = {}
        self.gaps: list[Gap] = []
        self._tally = tally
        self._reorder = reorder
        self._rebirth = int(rebirth * 1e9)
        self._samples = Samples({}, started)
        self._asked: dict[NodeId, int] = {}  # when each was last asked for its birth
        self._to_ask: set[NodeId] = set()
        self.follow(points)

    def follow(self, points: Sequence[Point]) -> None:
        """Other signals from now on. A node of which nothing was read before is asked for its birth."""
        self.points = points
        wanted: dict[NodeId, dict[tuple[str, str], list[int]]] = {}
        for point in points:
            place = point.address
            metrics = wanted.setdefault((place.group, place.node), {})
            metrics.setdefault((place.device, place.metric), []).append(point.handle)
        self._samples.want({point.handle: int(point.type or 0) for point in points})
        for name in self.nodes.keys() - wanted.keys():
            del self.nodes[name]
        for name, metrics in wanted.items():
            node = self.nodes.get(name)
            if node is None:
                self.nodes[name] = Node(metrics, self._samples, self._reorder)
            else:
                node.directory.want(metrics)
                self._to_ask.add(name)  # only a birth tells the present values of the new ones

    def read(self, messages: Iterable[Message], now: int) -> Batch:
        """The samples in messages, in order."""
        for message in messages:
            topic = parse_topic(message.topic)
            if topic is None:
                if not state_host(message.topic):
                    self._tally.add("not a Sparkplug topic")
            elif topic.verb not in _COMMANDS:
                self._message(topic, message, now)
        return self.tick(now)

    def tick(self, now: int) -> Batch:
        """What became due meanwhile."""
        for name, node in self.nodes.items():
            self._effect(name, node.tick(now))
            self.gaps += [Gap(first, last, name) for first, last in node.lost]
            node.lost = []
        return self._samples.taken()

    def to_ask(self, now: int) -> list[NodeId]:
        """The nodes to be asked for their birth now; none more often than the plant allows."""
        due = [name for name in sorted(self._to_ask) if now - self._asked.get(name, 0) >= self._rebirth]
        for name in due:
            self._asked[name] = now
            self._to_ask.discard(name)
        return due

    def unborn(self) -> None:
        """Nodes that have not told of themselves since we listen are to be asked."""
        self._to_ask |= {name for name, node in self.nodes.items() if not node.online}

    def points_of(self, name: NodeId) -> list[Point]:
        return [point for point in self.points if (point.address.group, point.address.node) == name]

    def declaration(self, point: Point) -> Declaration | None:
        """What the metric was born as; None when nothing of it is known."""
        place = point.address
        node = self.nodes.get((place.group, place.node))
        births = None if node is None else node.directory.births.get(place.device)
        return None if births is None else births.get(place.metric)

    def alive(self, point: Point) -> bool:
        node = self.nodes.get((point.address.group, point.address.node))
        return node is not None and node.online and point.address.device in node.alive

    def _message(self, topic: Topic, message: Message, now: int) -> None:
        name = (topic.group, topic.node)
        node = self.nodes.get(name)
        if node is None:
            return  # nobody reads anything of it
        if message.retained:
            self._tally.add("retained")  # 6.4: none may be; it says nothing about now
            return
        try:
            found = scan(message.payload)
        except BadPayload as error:
            self._tally.add(f"not a payload: {error}")
            self._to_ask.add(name)
            return
        self._effect(name, node.take(Arrived(topic, found, now, message.repeated)))
        if topic.verb is Verb.NBIRTH:
            self._to_ask.discard(name)

    def _effect(self, name: NodeId, effect: Effect) -> None:
        if effect is Effect.REBIRTH:
            self._to_ask.add(name)
        elif effect is Effect.REFUSED:
            self._tally.add("of a session that is over, or sent twice")
