"""From messages to samples: which signals read a topic, and what each finds in the payload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from weft.connect.api import Point
from weft.connect.mqtt import topics
from weft.connect.mqtt.address import Address
from weft.connect.payload import Payload, Reading, Target, target_of
from weft.connect.tally import Tally
from weft.model import Batch, BatchBuilder, Flag
from weft.model.quality import BAD_CONFIGURATION_ERROR
from weft.mqtt.broker import Message
from weft.runtime import Invalid

__all__ = ["Router"]

MOST_TOPICS: Final = 10_000  # topics whose signals are remembered

Refuse = Callable[[Point, int, str], None]


class Router:
    """Reads messages for the points. Points that cannot be served are refused, the others stay."""

    def __init__(self, points: Sequence[Point], refuse: Refuse, tally: Tally, max_payload: int) -> None:
        self.points = points
        self._refuse = refuse
        self._tally = tally
        self._max_payload = max_payload
        self._by_filter: dict[str, list[Target]] = {}
        self._by_topic: dict[str, list[Target]] = {}
        self._reading = Reading(tally.add)
        self._now = 0
        self._index(points)

    @property
    def filters(self) -> set[str]:
        """What to subscribe to."""
        return topics.fewest(self._by_filter)

    def follow(self, points: Sequence[Point]) -> None:
        """Reads for other points from now on."""
        self.points = points
        self._by_filter, self._by_topic = {}, {}
        self._index(points)

    def points_of(self, filter: str) -> Iterable[Point]:
        """The points whose messages come through the subscription ``filter``."""
        return (point for point in self.points if topics.covers(filter, point.address.topic))

    def read(self, messages: Iterable[Message], now: int) -> Batch:
        """The samples of ``messages``, in order; ``now`` (ns UTC) is the time of what has none, each message a
        nanosecond after the one before: of two samples of one time only the later would be kept."""
        batch = BatchBuilder()
        for message in messages:
            self._now = max(now, self._now + 1)
            targets = self._targets(message.topic)
            if not targets:
                self._tally.add("no signal")
                continue
            self._read(message, targets, self._now, batch)
        return batch.build()

    def _index(self, points: Sequence[Point]) -> None:
        for point in points:
            address: Address = point.address
            try:
                topics.check(address.topic)
                target = target_of(point)
            except Invalid as error:
                self._refuse(point, BAD_CONFIGURATION_ERROR, str(error))
                continue
            self._by_filter.setdefault(address.topic, []).append(target)

    def _targets(self, topic: str) -> list[Target]:
        targets = self._by_topic.get(topic)
        if targets is None:
            found = (listed for filter, listed in self._by_filter.items() if topics.matches(filter, topic))
            targets = [target for listed in found for target in listed]
            if len(self._by_topic) >= MOST_TOPICS:
                self._by_topic.clear()
            self._by_topic[topic] = targets
        return targets

    def _read(self, message: Message, targets: list[Target], now: int, batch: BatchBuilder) -> None:
        flags = (Flag.HISTORY if message.retained else 0) | (Flag.REPLAYED if message.repeated else 0)
        payload = Payload(message.payload) if len(message.payload) <= self._max_payload else None
        if payload is None:
            self._tally.add("payload too large")
        self._reading.read(payload, targets, now, batch, flags=flags)
