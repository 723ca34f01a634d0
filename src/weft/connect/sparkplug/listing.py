"""What a browse shows: the metrics of births."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from weft.connect.api import Found
from weft.connect.sparkplug.births import members
from weft.model import ARRAY, Limits, ValueType
from weft.mqtt.broker import Message
from weft.sparkplug.decode import decode
from weft.sparkplug.payload import Metric, PropertySet
from weft.sparkplug.sample import declared_type, sample_of
from weft.sparkplug.topic import Topic, Verb, parse_topic
from weft.sparkplug.value import natural
from weft.sparkplug.wire import BadPayload

__all__ = ["Listing"]

MOST: Final = 100_000  # metrics
LONG: Final = 200  # characters of a shown value
_KEPT: Final = "$sparkplug/certificates/"
_OWN: Final = ("bdSeq", "Node Control/", "Device Control/")


class Listing:
    """Births below ``start`` (``group/node/device``, or the beginning of it)."""

    def __init__(self, start: str) -> None:
        self._start = start.strip("/")
        self._births: dict[tuple[str, str, str], list[tuple[str, Metric]]] = {}
        self._asked: set[tuple[str, str]] = set()
        self._count = 0

    @property
    def full(self) -> bool:
        return self._count >= MOST

    def take(self, messages: Iterable[Message]) -> list[tuple[str, str]]:
        """Takes births; returns the nodes that are to be asked for theirs."""
        asked = []
        for message in messages:
            topic = parse_topic(message.topic.removeprefix(_KEPT))
            if topic is None or not self._is_below(topic):
                continue
            if topic.verb in (Verb.NBIRTH, Verb.DBIRTH):
                self._birth(topic, message.payload)
            elif topic.verb in (Verb.NDATA, Verb.DDATA) and not self._known(topic):
                self._asked.add((topic.group, topic.node))
                asked.append((topic.group, topic.node))
        return asked

    def items(self) -> Iterator[Found]:
        for (group, node, device), metrics in sorted(self._births.items(), key=lambda birth: birth[0]):
            folder = "/".join(filter(None, (group, node, device)))
            place = {"group": group, "node": node} | ({"device": device} if device else {})
            for name, metric in metrics:
                yield _found(folder, {**place, "metric": name}, name, metric)

    def _is_below(self, topic: Topic) -> bool:
        place = "/".join(filter(None, (topic.group, topic.node, topic.device)))
        return not self._start or f"{place}/".startswith(f"{self._start}/") or self._start.startswith(place)

    def _known(self, topic: Topic) -> bool:
        return (topic.group, topic.node) in self._asked or (
            topic.group,
            topic.node,
            topic.device,
        ) in self._births

    def _birth(self, topic: Topic, payload: bytes) -> None:
        try:
            metrics = decode(payload).metrics
        except BadPayload:
            return  # a browse lists what can be read
        found = [pair for metric in metrics for pair in members(metric) if not pair[0].startswith(_OWN)]
        self._count += len(found)
        self._births[topic.group, topic.node, topic.device] = found


def _found(folder: str, address: dict[str, Any], name: str, metric: Metric) -> Found:
    code = declared_type(metric)
    sample = sample_of(metric, metric.datatype or 0, code)
    properties = metric.properties or PropertySet()
    value = sample.value[:LONG] if isinstance(sample.value, (str, bytes, list)) else sample.value
    low, high = _number(properties, "engLow"), _number(properties, "engHigh")
    return Found(
        name=f"{folder}/{name}",
        address=address,
        type=ValueType(code) if 0 < code < ARRAY else None,
        unit=_text(properties, "engUnit"),
        description=_text(properties, "documentation") or _text(properties, "description"),
        value=value,
        status=sample.status,
        folder=folder,
        writable=not _flag(properties, "readOnly"),
        limits=Limits(minimum=low, maximum=high),
    )


def _value(properties: PropertySet, *keys: str) -> Any:
    for key in keys:
        found = properties.get(key)
        if found is not None and 3 <= found.field <= 8:
            return natural(Metric(field=found.field + 7, value=found.value), found.type or 0)[1]
    return None


def _text(properties: PropertySet, key: str) -> str:
    value = _value(properties, key, key.lower())
    return value if isinstance(value, str) else ""


def _flag(properties: PropertySet, key: str) -> bool:
    return _value(properties, key) is True


def _number(properties: PropertySet, key: str) -> float | None:
    value = _value(properties, key, key.lower())
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
