"""Subscriptions: what their items have gathered goes out at each publishing interval, is kept until it is
acknowledged, and can be asked for again (OPC 10000-4, 5.13)."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from weft.destinations.opcua.codes import code
from weft.destinations.opcua.item import Item
from weft.destinations.opcua.values import ticks

if TYPE_CHECKING:
    from weft.destinations.opcua.session import Session
    from weft.destinations.opcua.watch import Watch

__all__ = ["PublishRequest", "Subscription", "Timing", "publish_header"]

_KEPT: Final = 100
_KEPT_BYTES: Final = 8 << 20
_MOST_AT_ONCE: Final = 10_000
_DATA_CHANGE: Final = b"\x01\x00" + (811).to_bytes(2, "little") + b"\x01"  # DataChangeNotification, binary
_STATUS_CHANGE: Final = b"\x01\x00" + (820).to_bytes(2, "little") + b"\x01"
_PUBLISH_RESPONSE: Final = b"\x01\x00" + (829).to_bytes(2, "little")
_NO_DIAGNOSTICS: Final = b"\xff\xff\xff\xff"


class Timing(NamedTuple):
    """``interval`` in seconds; the counts are in intervals; ``most`` notifications in one message (0: any)."""

    interval: float
    lifetime: int
    keep_alive: int
    most: int


class PublishRequest(NamedTuple):
    """``results`` are the statuses of its acknowledgements; ``expires`` is monotonic."""

    id: int
    handle: int
    results: bytes
    expires: float


class Subscription:
    """``ready`` are the items with something to report, in the order in which they got it."""

    def __init__(self, id: int, session: Session, timing: Timing, watch: Watch, *, enabled: bool) -> None:
        self.id = id
        self.session = session
        self.timing = timing
        self.enabled = enabled
        self.items: dict[int, Item] = {}
        self.ready: dict[Item, None] = {}
        self.held: set[Item] = set()
        self.polled: set[Item] = set()
        self.due = time.monotonic()
        self.unacknowledged: OrderedDict[int, bytes] = OrderedDict()
        self.ended = False
        self._watch = watch
        self._sequence = 1
        self._kept = 0
        self._quiet = timing.keep_alive  # the first message is sent at once (5.13.1.2)
        self._alone = 0
        self._late = False

    def tick(self, now: float) -> None:
        """A publishing interval has passed."""
        self.due = max(self.due + self.timing.interval, now)
        for item in [*self.polled]:
            item.poll(now)
        for item in [*self.held]:
            item.release(now)
        self._quiet += 1
        if self._wants():
            self._late = True
            self.publish()
        if self._late:
            self._alone += 1
            if self._alone > self.timing.lifetime:
                self._expire()

    def publish(self) -> None:
        """Sends what is due, as far as the client left requests for it."""
        while self._late and not self.ended:
            request = self._watch.request(self.session)
            if request is None:
                return
            self._alone = 0
            self._send(request)

    def touch(self) -> None:
        """The client has shown that it knows of this subscription."""
        self._alone = 0

    def end(self) -> None:
        self.ended = True
        self._watch.forget(self)

    def acknowledge(self, sequence: int) -> int:
        self.touch()
        known = self.unacknowledged.pop(sequence, None)
        self._kept -= len(known or b"")
        return int(code.BadSequenceNumberUnknown if known is None else code.Good)

    def obituary(self, status: int) -> bytes:
        """The notification that this session hears no more of this subscription (7.25.4)."""
        body = status.to_bytes(4, "little") + b"\0"
        change = _STATUS_CHANGE + len(body).to_bytes(4, "little") + body
        return self._sequence.to_bytes(4, "little") + _now() + _one(change)

    def _wants(self) -> bool:
        return (self.enabled and bool(self.ready)) or self._quiet >= self.timing.keep_alive

    def _send(self, request: PublishRequest) -> None:
        body, count = self._data() if self.enabled else (b"", 0)
        more = self.enabled and bool(self.ready)
        sequence = self._sequence
        notification = sequence.to_bytes(4, "little") + _now() + _one(body)
        self._quiet, self._late = 0, more
        if count:
            self._keep(notification)
        self._watch.send(self.session, request, self._response(request, notification, more))

    def _data(self) -> tuple[bytes, int]:
        """A DataChangeNotification (7.25.1) of up to as many notifications as the client takes."""
        most = min(self.timing.most or _MOST_AT_ONCE, _MOST_AT_ONCE)
        parts: list[bytes] = []
        while self.ready and len(parts) < most:
            item = next(iter(self.ready))
            while item.queue and len(parts) < most:
                parts.append(item.notification())
            if not item.queue:
                del self.ready[item]
        if not parts:
            return b"", 0
        body = len(parts).to_bytes(4, "little") + b"".join(parts) + _NO_DIAGNOSTICS
        return _DATA_CHANGE + len(body).to_bytes(4, "little") + body, len(parts)

    def _keep(self, notification: bytes) -> None:
        self.unacknowledged[self._sequence] = notification
        self._kept += len(notification)
        self._sequence = self._sequence + 1 if self._sequence < 0xFFFFFFFF else 1
        while len(self.unacknowledged) > 1 and (len(self.unacknowledged) > _KEPT or self._kept > _KEPT_BYTES):
            self._kept -= len(self.unacknowledged.popitem(last=False)[1])

    def _response(self, request: PublishRequest, notification: bytes, more: bool) -> bytes:
        available = b"".join(number.to_bytes(4, "little") for number in self.unacknowledged)
        return (
            publish_header(request.handle)
            + self.id.to_bytes(4, "little")
            + len(self.unacknowledged).to_bytes(4, "little")
            + available
            + (b"\1" if more else b"\0")
            + notification
            + request.results
            + _NO_DIAGNOSTICS
        )

    def _expire(self) -> None:
        """Nobody asked for its messages for a whole lifetime; the client hears of it if it asks again."""
        session = self.session
        self.end()
        self._watch.last_words(session, self, self.obituary(int(code.BadTimeout)))


def publish_header(handle: int, status: int = 0) -> bytes:
    """Type and ResponseHeader of a PublishResponse."""
    return _PUBLISH_RESPONSE + header(handle, status)


def header(handle: int, status: int = 0) -> bytes:
    """A ResponseHeader (7.33): time, handle, status, and nothing else."""
    return _now() + handle.to_bytes(4, "little") + status.to_bytes(4, "little") + b"\0\0\0\0\0\0\0\0"


def _now() -> bytes:
    return ticks(time.time_ns()).to_bytes(8, "little")


def _one(body: bytes) -> bytes:
    """An array with this extension object, or without any."""
    return b"\1\0\0\0" + body if body else b"\0\0\0\0"
