"""What we publish: packets, and the window of those that the broker has not acknowledged yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import anyio

from weft.runtime import Denied, Invalid, Retry, WeftError

__all__ = ["MOST_UNACKNOWLEDGED", "Limit", "Outgoing", "Publication", "Will", "checked", "publish_packet"]

MOST_UNACKNOWLEDGED: Final = 1000  # messages of QoS 1 on their way; MQTT 5.0 lets the broker ask for fewer
LONGEST_TOPIC: Final = 65_535  # bytes (MQTT 3.1.1, 1.5.3)
LARGEST: Final = 268_435_455  # bytes of a packet behind its length (MQTT 3.1.1, 2.2.3)

_DENIED: Final = {0x87}
_INVALID: Final = {0x90, 0x99, 0x95, 0x9A, 0x9B}


class Publication(NamedTuple):
    """A message to publish."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class Will(NamedTuple):
    """What the broker publishes in our name when the connection breaks without a good-bye."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False


class Limit(NamedTuple):
    """What a broker takes (MQTT 5.0, 3.2.2.3); 3.1.1 has no word for it."""

    unacknowledged: int = MOST_UNACKNOWLEDGED
    qos: int = 2
    retain: bool = True
    size: int = LARGEST

    @classmethod
    def of(cls, properties: dict[str, Any]) -> Limit:
        """From the properties of a CONNACK, each a list with one number."""

        def number(name: str, otherwise: int) -> int:
            value = properties.get(name)
            return int(value[0]) if value else otherwise

        return cls(
            max(1, min(MOST_UNACKNOWLEDGED, number("receive_maximum", MOST_UNACKNOWLEDGED))),
            number("max_qos", 2),
            bool(number("retain_available", 1)),
            min(LARGEST, number("maximum_packet_size", LARGEST)),
        )


def checked(message: Publication, limit: Limit) -> Publication:
    """The message, if it can be published. Raises Invalid."""
    topic = message.topic
    size = len(topic.encode())
    if not topic or size > LONGEST_TOPIC or set(topic) & {"#", "+", "\0"}:
        raise Invalid(
            f"Nothing can be published to the topic {topic[:80]!r}.", remedy="It must not hold #, +."
        )
    if message.qos not in (0, 1) or message.qos > limit.qos:
        raise Invalid(f"The broker does not take messages of QoS {message.qos}.", remedy="Use QoS 0.")
    if message.retain and not limit.retain:
        raise Invalid("The broker keeps no retained messages.", remedy="Publish without retain.")
    if len(message.payload) + size + 16 > limit.size:
        raise Invalid(f"A message of {len(message.payload):,} bytes is too large for the broker.")
    return message


def publish_packet(message: Publication, mid: int, *, with_properties: bool) -> bytes:
    """A PUBLISH (MQTT 3.1.1, 3.3; with an empty set of properties in 5.0). ``mid`` counts for QoS 1 only."""
    topic = message.topic.encode()
    head = len(topic).to_bytes(2, "big") + topic
    if message.qos:
        head += mid.to_bytes(2, "big")
    if with_properties:
        head += b"\0"
    size = len(head) + len(message.payload)
    first = 0x30 | message.qos << 1 | message.retain
    return b"".join((bytes((first,)), _length(size), head, message.payload))


def _length(size: int) -> bytes:
    digits = bytearray()
    while size > 127:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    digits.append(size)
    return bytes(digits)


class Outgoing:
    """Messages of QoS 1 that wait for their PUBACK. ``lost`` tells why the session ended, None while it lives."""

    def __init__(self, lost: Callable[[], WeftError | None]) -> None:
        self.limit = Limit()
        self._lost = lost
        self.waiting: set[int] = set()  # packet ids
        self._refused: dict[int, WeftError] = {}
        self._paused = False
        self._pings = self._pongs = 0
        self._news = anyio.Event()

    @property
    def window(self) -> int:
        return self.limit.unacknowledged

    def sent(self, mid: int) -> None:
        self.waiting.add(mid)

    def acknowledged(self, mid: int, code: int) -> None:
        """A PUBACK came; ``code`` is its reason (MQTT 5.0, 3.4.2.1)."""
        if mid in self.waiting:
            self.waiting.discard(mid)
            if code >= 0x80:
                self._refused[mid] = _refusal(code)
            self.tell()

    async def room(self, window: int) -> None:
        """Returns when fewer than ``window`` messages wait and the socket takes more. Raises what ended the
        session."""
        most = min(window, self.window)
        while True:
            if (lost := self._lost()) is not None:
                raise lost
            if len(self.waiting) < most and not self._paused:
                return
            await self._news.wait()

    async def done(self, mids: set[int]) -> None:
        """Returns when all of them are acknowledged. Raises what ended the session, or why one was refused."""
        while not mids.isdisjoint(self.waiting):
            if (lost := self._lost()) is not None:
                raise lost
            await self._news.wait()
        refused = [self._refused.pop(mid) for mid in sorted(mids) if mid in self._refused]
        if refused:
            raise refused[0]

    def pinging(self, ping: Callable[[], None]) -> Callable[[], None]:
        """``ping``, counted: its answers come in order."""

        def counted() -> None:
            self._pings += 1
            ping()

        return counted

    def ponged(self) -> None:
        self._pongs += 1
        self.tell()

    async def answered(self) -> None:
        """Returns when every ping until now is answered. Raises what ended the session."""
        pings = self._pings
        while self._pongs < pings:
            if (lost := self._lost()) is not None:
                raise lost
            await self._news.wait()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        self.tell()

    def tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()


def _refusal(code: int) -> WeftError:
    if code in _DENIED:
        return Denied(
            f"The broker does not let us publish there (code {code}).", remedy="Check its access list."
        )
    if code in _INVALID:
        return Invalid(f"The broker does not take the message as it is (code {code}).")
    return Retry(f"The broker did not take the message (code {code}).")
