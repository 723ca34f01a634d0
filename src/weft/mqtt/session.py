"""A session with a broker on gmqtt 0.8, which is hidden here.

Differences from gmqtt's own ways, each found in its source: it reconnects by itself (the line does that here, so
that people see it); it acknowledges QoS 1 before the message is handled (here: when the samples are stored);
it starts a task per message when it should not; it buffers packets of any size.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

import anyio
import anyio.lowlevel
from gmqtt import Client, Subscription
from gmqtt import Message as GmqttMessage
from gmqtt.mqtt.handler import MQTTConnectError

from weft.mqtt.bound import HARD_LIMIT, bounded
from weft.mqtt.broker import Broker, Message
from weft.mqtt.outgoing import (
    MOST_UNACKNOWLEDGED,
    Limit,
    Outgoing,
    Publication,
    Will,
    checked,
    publish_packet,
)
from weft.mqtt.refusal import TAKEN_OVER, refusal
from weft.mqtt.tls import connect_errors, context
from weft.runtime import NeedsHuman, Retry, WeftError

__all__ = ["REFUSED", "Session"]

REFUSED: Final = 0x80  # SUBACK codes from here on say no
TOGETHER: Final = 100  # topic filters in one SUBSCRIBE
WINDOW: Final = 1000  # unacknowledged messages that a broker may send (MQTT 5.0, receive maximum)
AT_ONCE: Final = 1000  # messages handed over together
MOST_WAITING: Final = 16 << 20  # bytes not yet taken; beyond that the socket is not read
PER_MESSAGE: Final = 300  # bytes that a waiting message takes beside its payload
DISCONNECT_WITH_WILL: Final = 0x04  # reason code, MQTT 5.0
FAREWELL: Final = 2.0  # s for the broker to hang up

_PROTOCOL: Final = {"3.1.1": 4, "5": 5}

# What it logs is about its own insides, and all of it comes to people as errors from here.
logging.getLogger("gmqtt").setLevel(logging.CRITICAL + 1)


class _Client(Client):  # type: ignore[misc]  # gmqtt has no types
    """gmqtt's client without its own reconnecting."""

    async def reconnect(self, delay: bool = False) -> None:
        """The line above reconnects. Here a connect() that waits for a CONNACK is told that none will come."""
        if self._connection_state.protocol_version < self.asked_version:
            self._package_handler._error = MQTTConnectError(1)  # noqa: SLF001  # gmqtt would try 3.1.1 unasked
        self._connack_received.set()

    async def _create_connection(self, *args: Any, **kwargs: Any) -> Any:
        connection = await super()._create_connection(*args, **kwargs)
        protocol = connection._protocol  # noqa: SLF001  # the only place where packets can be bounded
        protocol._read_packet = bounded(protocol._read_packet, self, connection)  # noqa: SLF001  # as above
        return connection


class Session:
    """One connection: :meth:`open`, then :meth:`receive` and :meth:`acknowledge`, or :meth:`publish`, until it
    raises. ``will`` is what the broker publishes when the connection breaks."""

    def __init__(
        self,
        config: Broker,
        client_id: str,
        user: str,
        password: str,
        *,
        clean: bool,
        will: Will | None = None,
    ) -> None:
        self.present = False
        self._held = 0
        self._opened = False
        self._config = config
        self._where = f"{config.host}:{config.at}"
        self._waiting: list[Message] = []
        self._news = anyio.Event()
        self._lost: WeftError | None = None
        self._granted: dict[int, Sequence[int]] = {}
        properties: dict[str, Any] = {}
        if config.version == "5":
            properties = {"session_expiry_interval": 0 if clean else config.session_expiry}
            properties |= {"receive_maximum": WINDOW, "maximum_packet_size": HARD_LIMIT}
        last = None if will is None else GmqttMessage(will.topic, will.payload, will.qos, will.retain)
        self._outgoing = Outgoing(lambda: self._lost)
        self._client = _Client(client_id, clean_session=clean, will_message=last, **properties)
        self._client.asked_version = _PROTOCOL[config.version]
        self._client.too_large = self._packet_too_large
        if user:
            self._client.set_auth_credentials(user, password or None)
        self._listen()

    # --- connecting ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connects. Raises Retry, or NeedsHuman when the broker refuses for good."""
        config = self._config
        tls = context(config)
        with connect_errors(self._where, config.timeout):
            with anyio.fail_after(config.timeout):
                try:
                    await self._client.connect(
                        config.host, config.at, ssl=tls, keepalive=config.keepalive,
                        version=_PROTOCOL[config.version],
                    )  # fmt: skip
                except MQTTConnectError as error:
                    raise refusal(error._code, config.version, self._where) from error  # noqa: SLF001  # no other way
        if self._lost is not None:
            raise self._lost
        self._opened = True
        self._prepare_to_publish()

    async def close(self, *, with_will: bool = False) -> None:
        """Says good-bye (with MQTT 5.0 and ``with_will``, the broker publishes the will all the same) and lets the broker hang up: a socket that is closed while the broker still sends takes
        our last acknowledgements with it. The broker keeps the session unless it was a clean one."""
        connection = self._client._connection  # noqa: SLF001  # disconnect() closes at once
        alive = self._opened and self._lost is None
        with anyio.move_on_after(FAREWELL, shield=True):
            if alive:
                connection.send_disconnect(reason_code=DISCONNECT_WITH_WILL if with_will else 0)
                while self._lost is None:
                    await self._news.wait()
        self._end(Retry("The session was closed."))  # what is stored later is acknowledged to nobody
        if connection is not None and not alive:
            self._transport.abort()  # else disconnect() waits for a broker that stands still to take what is left
        with anyio.move_on_after(FAREWELL, shield=True):
            try:
                await self._client.disconnect()
            except OSError:
                return

    def abort(self) -> None:
        """Breaks the connection without a good-bye: the broker publishes the will."""
        self._end(Retry("The session was broken off."))
        if self._client._connection is not None:  # noqa: SLF001  # there may be one that no CONNACK has come over
            self._transport.abort()

    # --- publishing ---------------------------------------------------------------------------------------

    async def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> None:
        """Returns when the broker has acknowledged it (QoS 1) or the socket takes more (QoS 0). Raises what ended
        the session (it may have arrived then), Invalid or Denied when the broker does not take it."""
        await self.publish_many([Publication(topic, payload, qos, retain)])

    async def publish_many(
        self, messages: Iterable[Publication], *, window: int = MOST_UNACKNOWLEDGED
    ) -> None:
        """In order, at most ``window`` unacknowledged at a time; returns when all of QoS 1 are acknowledged.
        Raises as :meth:`publish` does."""
        mids: set[int] = set()
        for message in messages:
            mid = await self._publish_soon(message, window)
            if mid:
                mids.add(mid)
            if len(mids) >= 2 * window:  # now and then: it costs as much as they are many
                mids = await self._forget(mids)
        await self._outgoing.done(mids)

    async def confirm(self) -> None:
        """Returns when the broker has taken all that was published before, of QoS 0 too: it handles packets in
        order, and answers a PINGREQ behind them. Raises what ended the session."""
        connection = self._client._connection  # noqa: SLF001  # gmqtt pings only by itself
        connection._send_ping_request()  # noqa: SLF001  # as above
        await self._outgoing.answered()

    async def _publish_soon(self, message: Publication, window: int) -> int:
        """Writes it once there is room; returns its packet id, 0 for QoS 0."""
        await self._outgoing.room(window)
        checked(message, self._outgoing.limit)
        connection = self._client._connection  # noqa: SLF001  # gmqtt's publish() stores what it sends
        mid = 0
        if message.qos:
            mid = connection._protocol.id_generator.next_id()  # noqa: SLF001  # shared with SUBSCRIBE
            self._outgoing.sent(mid)
        connection.send_package(publish_packet(message, mid, with_properties=self._config.version == "5"))
        return int(mid)

    async def _forget(self, mids: set[int]) -> set[int]:
        """Those that are not acknowledged yet; packet ids are used again."""
        open_ones = mids & self._outgoing.waiting
        await self._outgoing.done(mids - open_ones)
        return open_ones

    def _prepare_to_publish(self) -> None:
        handler = self._client._package_handler  # noqa: SLF001  # no other way to the broker's limits
        self._outgoing.limit = Limit.of(handler._connack_properties)  # noqa: SLF001  # as above
        handler.id_generator._max = 65_536  # noqa: SLF001  # the window is kept here, and ids are for SUBSCRIBE too
        protocol = self._client._connection._protocol  # noqa: SLF001  # its pauses are hidden from callers
        protocol.pause_writing = self._outgoing.pause
        protocol.resume_writing = self._outgoing.resume

        protocol.send_ping_request = self._outgoing.pinging(protocol.send_ping_request)

    def _ponged(self, _command: int, _packet: bytes) -> None:
        self._outgoing.ponged()

    def _acknowledged(self, _command: int, packet: bytes) -> None:
        mid = int.from_bytes(packet[:2], "big")
        self._client._package_handler.id_generator.free_id(mid)  # noqa: SLF001  # gmqtt's handler does this, too
        self._outgoing.acknowledged(mid, packet[2] if len(packet) > 2 else 0)

    # --- messages -----------------------------------------------------------------------------------------

    async def receive(self) -> list[Message]:
        """The next messages, at least one. Raises what ended the session, after the messages that came before."""
        await anyio.lowlevel.checkpoint()
        while not self._waiting:
            if self._lost is not None:
                raise self._lost
            await self._news.wait()
        messages, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        self._held -= sum(map(_weight, messages))
        if self._held <= MOST_WAITING:
            self._transport.resume_reading()
        return messages

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Tells the broker that it can forget the messages of QoS 1."""
        if self._lost is None:
            for message in messages:
                if message.id:
                    self._client._package_handler._send_puback(message.id)  # noqa: SLF001  # not offered openly

    async def subscribe(
        self, filters: Iterable[str], *, qos: int | None = None, as_published: bool = False
    ) -> dict[str, int]:
        """Subscribes, with the connection's QoS unless another is given; returns the code that the broker granted
        or refused each filter with. ``as_published`` (MQTT 5.0 only): live messages keep their retain flag.
        Raises what ended the session, or Retry when the broker does not answer."""
        codes: dict[str, int] = {}
        ordered = sorted(filters)
        for start in range(0, len(ordered), TOGETHER):
            some = ordered[start : start + TOGETHER]
            level = self._config.qos if qos is None else qos
            keep_retain = as_published and self._config.version == "5"  # a reserved bit before
            mid = self._client.subscribe(
                [Subscription(name, qos=level, retain_as_published=keep_retain) for name in some]
            )
            codes |= zip(some, await self._answer(mid), strict=False)
        return codes

    async def unsubscribe(self, filters: Iterable[str]) -> None:
        for name in sorted(filters):
            # As bytes: gmqtt counts characters where the packet needs bytes.
            self._client._remove_subscriptions(name)  # noqa: SLF001  # unsubscribe() does both
            self._client._connection.unsubscribe(name.encode())  # noqa: SLF001  # as above

    async def _answer(self, mid: int) -> Sequence[int]:
        with anyio.move_on_after(self._config.timeout):
            while mid not in self._granted:
                if self._lost is not None:
                    raise self._lost
                await self._news.wait()
            return self._granted.pop(mid)
        self._end(Retry(f"The broker at {self._where} does not answer a subscription."))
        raise self._lost or Retry("The session ended.")

    # --- gmqtt's side -------------------------------------------------------------------------------------

    def _listen(self) -> None:
        client = self._client
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_message = self._message
        handler = client._package_handler  # noqa: SLF001  # see above
        handler._handle_qos_1_publish_packet = self._message_to_acknowledge  # noqa: SLF001  # see above
        handler._handle_pingresp_packet = self._ponged  # noqa: SLF001  # gmqtt tells nobody
        handler._handle_puback_packet = self._acknowledged  # noqa: SLF001  # gmqtt tells nobody

    def _connected(self, _client: Any, present: int, _code: int, _properties: Any) -> None:
        self.present = bool(present)

    def _subscribed(self, _client: Any, mid: int, granted: Sequence[int], _properties: Any) -> None:
        self._granted[mid] = granted
        self._tell()

    def _message(
        self, _client: Any, topic: Any, payload: bytes, _qos: int, properties: dict[str, Any]
    ) -> None:
        self._take(0, topic, payload, properties)

    def _message_to_acknowledge(
        self, mid: int, payload: bytes, topic: Any, properties: dict[str, Any]
    ) -> None:
        self._take(mid, topic, payload, properties)

    def _take(self, mid: int, topic: Any, payload: bytes, properties: dict[str, Any]) -> None:
        name = topic if isinstance(topic, str) else topic.decode("utf-8", "replace")
        retained, repeated = bool(properties.get("retain")), bool(properties.get("dup"))
        message = Message(name, bytes(payload), mid, retained, repeated)
        self._waiting.append(message)
        self._held += _weight(message)
        if self._held > MOST_WAITING:
            self._transport.pause_reading()
        self._tell()

    def _disconnected(self, _client: Any, packet: Any, _error: Any = None) -> None:
        code = packet[0] if isinstance(packet, bytes) and packet else 0
        if code == TAKEN_OVER:
            self._end(
                NeedsHuman(
                    f"Another client took over the session at {self._where}.",
                    remedy="Two programs use the same client_id: give each its own.",
                )
            )
        self._end(Retry(f"The broker at {self._where} closed the connection."))

    @property
    def _transport(self) -> Any:
        return self._client._connection._transport  # noqa: SLF001  # gmqtt reads as fast as it can

    def _packet_too_large(self, size: int) -> None:
        self._end(
            NeedsHuman(
                f"The broker at {self._where} sends a message of {size:,} bytes; at most {HARD_LIMIT:,} are read.",
                remedy="Find who publishes it, or read fewer topics.",
            )
        )

    def _end(self, reason: WeftError) -> None:
        if self._lost is None:
            self._lost = reason
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()
        if self._lost is not None:
            self._outgoing.tell()


def _weight(message: Message) -> int:
    return len(message.payload) + PER_MESSAGE
