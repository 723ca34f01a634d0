"""Messages of carts: topic, header (VDA 5050 2.1, 6.5), body."""

from __future__ import annotations

from typing import Any, NamedTuple

from weft.connect.payload.document import NOT_JSON, parse
from weft.connect.payload.moment import moment
from weft.connect.vda5050.address import READ, Config
from weft.mqtt.broker import Message

__all__ = ["Heard", "filters", "heard", "topic_of"]

LARGEST = 4 << 20  # bytes of a message


class Heard(NamedTuple):
    """``time`` is the cart's (ns UTC), None when it cannot be read; ``header`` its count of messages, -1 unsaid."""

    cart: str
    topic: str
    document: dict[str, Any]
    time: int | None
    header: int
    version: str
    retained: bool


def filters(config: Config) -> list[str]:
    """What to subscribe to."""
    return [f"{config.interface}/{config.major}/+/+/{topic}" for topic in READ]


def topic_of(config: Config, cart: str, topic: str) -> str:
    return f"{config.interface}/{config.major}/{cart}/{topic}"


def heard(message: Message) -> Heard | None:
    """None for what is no message of a cart."""
    *_, manufacturer, serial, topic = message.topic.split("/")
    document = parse(message.payload) if len(message.payload) <= LARGEST else NOT_JSON
    if topic not in READ or not isinstance(document, dict):
        return None
    header = document.get("headerId")
    count = header if isinstance(header, int) and not isinstance(header, bool) else -1
    version = document.get("version")
    return Heard(
        f"{manufacturer}/{serial}",
        topic,
        document,
        moment(document.get("timestamp"), "ms"),
        count,
        version if isinstance(version, str) else "",
        message.retained,
    )
