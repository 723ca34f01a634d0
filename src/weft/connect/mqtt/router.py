"""From messages to samples: which signals read a topic, and what each finds in the payload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from weft.connect.api import Point
from weft.connect.mqtt import topics
from weft.connect.mqtt.address import Address, TimeUnit
from weft.connect.mqtt.document import ABSENT, NOT_JSON, Steps, look, parse, steps
from weft.connect.mqtt.moment import moment
from weft.connect.mqtt.tally import Tally
from weft.connect.mqtt.values import MALFORMED, MISSING, Value, check_type, plain, typed
from weft.model import Batch, BatchBuilder, Flag, ValueType
from weft.model.quality import BAD_CONFIGURATION_ERROR
from weft.mqtt.broker import Message
from weft.runtime import Invalid

__all__ = ["Router"]

MOST_TOPICS: Final = 10_000  # topics whose signals are remembered

Refuse = Callable[[Point, int, str], None]


class Target(NamedTuple):
    """One signal's way into a payload."""

    handle: int
    path: Steps
    time: Steps
    time_unit: TimeUnit
    where: Sequence[tuple[Steps, str]]
    optional: bool
    type: ValueType | None


class Payload:
    """A payload, decoded as JSON when it is first asked for, and once; its times likewise."""

    __slots__ = ("_document", "_times", "bytes")

    def __init__(self, data: bytes) -> None:
        self.bytes = data
        self._document: Any = ABSENT
        self._times: dict[tuple[Steps, TimeUnit], int | None] = {}

    def time(self, path: Steps, unit: TimeUnit) -> int | None:
        """ns UTC, None when there is no time."""
        key = path, unit
        if key not in self._times:
            self._times[key] = moment(self.at(path), unit)
        return self._times[key]

    def at(self, path: Steps) -> Any:
        """NOT_JSON, ABSENT or what is there."""
        if self._document is ABSENT:
            self._document = parse(self.bytes)
        return NOT_JSON if self._document is NOT_JSON else look(self._document, path)


class Router:
    """Reads messages for the points. Points that cannot be served are refused, the others stay."""

    def __init__(self, points: Sequence[Point], refuse: Refuse, tally: Tally, max_payload: int) -> None:
        self.points = points
        self._refuse = refuse
        self._tally = tally
        self._max_payload = max_payload
        self._by_filter: dict[str, list[Target]] = {}
        self._by_topic: dict[str, list[Target]] = {}
        self._seen: set[int] = set()
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
                check_type(point.type)
            except Invalid as error:
                self._refuse(point, BAD_CONFIGURATION_ERROR, str(error))
                continue
            where = [(steps(path), text) for path, text in address.where.items()]
            target = Target(
                point.handle,
                steps(address.path),
                steps(address.time),
                address.time_unit,
                where,
                address.optional,
                point.type,
            )
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
        common = (Flag.HISTORY if message.retained else 0) | (Flag.REPLAYED if message.repeated else 0)
        large = len(message.payload) > self._max_payload
        if large:
            self._tally.add("payload too large")
        payload = Payload(b"" if large else message.payload)
        for target in targets:
            if target.where and not large and not _selected(payload, target.where):
                continue
            value = MALFORMED if large else self._value(payload, target)
            if value is None:
                continue
            time, flags = self._time(payload, target, now)
            flags |= common
            if target.handle not in self._seen:
                self._seen.add(target.handle)
                flags |= Flag.FIRST
            batch.add(target.handle, time, value[0], value[1], value[2], flags)

    def _value(self, payload: Payload, target: Target) -> Value | None:
        """None when the value is optional and absent."""
        if not target.path:
            return plain(payload.bytes, target.type)
        found = payload.at(target.path)
        if found is NOT_JSON:
            self._tally.add("not JSON")
            return MALFORMED
        if found is ABSENT:
            return None if target.optional else MISSING
        return typed(found, target.type)

    def _time(self, payload: Payload, target: Target, now: int) -> tuple[int, int]:
        if target.time:
            time = payload.time(target.time, target.time_unit)
            if time is not None:
                return time, 0
            self._tally.add("time not readable")
        return now, Flag.RECEIVE_TIME


def _selected(payload: Payload, where: Sequence[tuple[Steps, str]]) -> bool:
    return all(_same(payload.at(path), text) for path, text in where)


def _same(found: Any, text: str) -> bool:
    if isinstance(found, bool):
        return text == str(found).lower()
    return found not in (ABSENT, NOT_JSON) and str(found) == text
