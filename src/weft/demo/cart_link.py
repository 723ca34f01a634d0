"""A cart on its broker: topics, headers, last will (VDA 5050 2.0, 6.3 to 6.5), MQTT 3.1.1 with QoS 0.

As a program: ``python -m weft.demo.cart_link PORT [MANUFACTURER SERIAL]``.
"""

from __future__ import annotations

import json
import struct
import sys
import time
from collections import Counter
from typing import Any, Final

import anyio
from anyio.abc import SocketStream, TaskStatus
from anyio.streams.buffered import BufferedByteReceiveStream

from weft.demo.cart import Cart
from weft.demo.mqtt_wire import packet, receive, text
from weft.model import instant

__all__ = ["CartLink"]

CONNECT, CONNACK, SUBSCRIBE, PINGREQ = 0x10, 0x20, 0x82, 0xC0
PUBLISH, PUBLISH_RETAINED, DISCONNECT = 0x30, 0x31, 0xE0
WILL: Final = 0x26  # clean session; a last will of QoS 0 that is retained
KEEP_ALIVE: Final = 20
TICK: Final = 0.05  # s between two steps
STATE_EVERY: Final = 1.0  # s between two states at most; VDA 5050 wants one in 30


class CartLink:
    """Carries the messages of ``cart``."""

    def __init__(self, cart: Cart, *, manufacturer: str, serial: str, interface: str = "uagv") -> None:
        self.cart = cart
        self._id = (manufacturer, serial)
        self._prefix = f"{interface}/v2/{manufacturer}/{serial}"
        self._headers: Counter[str] = Counter()
        self._stream: SocketStream

    async def run(
        self, host: str, port: int, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Until cancelled, or the broker goes; says good-bye when it is cancelled."""
        will = json.dumps(self._message("connection", {"connectionState": "CONNECTIONBROKEN"})).encode()
        topic = f"{self._prefix}/connection"
        body = text("MQTT") + struct.pack(">BBH", 4, WILL, KEEP_ALIVE) + text(f"cart-{'-'.join(self._id)}")
        body += text(topic) + struct.pack(">H", len(will)) + will
        async with await anyio.connect_tcp(host, port) as self._stream:
            source = BufferedByteReceiveStream(self._stream)
            await self._stream.send(packet(CONNECT, body))
            kind, answer = await receive(source)
            if kind != CONNACK or answer[1]:
                raise ConnectionError(f"the broker answered {answer.hex()}")
            await self._begin()
            task_status.started()
            try:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._hear, source)
                    tasks.start_soon(self._live)
                    tasks.start_soon(self._ping)
            finally:
                with anyio.move_on_after(1, shield=True):
                    await self._send("connection", {"connectionState": "OFFLINE"}, retain=True)
                    await self._stream.send(packet(DISCONNECT, b""))

    async def _begin(self) -> None:
        topics = b"".join(text(f"{self._prefix}/{name}") + b"\0" for name in ("order", "instantActions"))
        await self._stream.send(packet(SUBSCRIBE, struct.pack(">H", 1) + topics))
        await self._send("connection", {"connectionState": "ONLINE"}, retain=True)
        await self._send("factsheet", self._factsheet(), retain=True)
        await self._send("state", self.cart.state())

    async def _hear(self, source: BufferedByteReceiveStream) -> None:
        while True:
            kind, body = await receive(source)
            if kind & 0xF0 != PUBLISH:
                continue
            size = int.from_bytes(body[:2], "big")
            topic = body[2 : 2 + size].decode().rpartition("/")[2]
            message = json.loads(body[2 + size + (2 if kind & 0x06 else 0) :])
            if topic == "order":
                self.cart.order(message)
            else:
                self.cart.instant(message)
            if "factsheetRequest" in self.cart.requests:
                await self._send("factsheet", self._factsheet(), retain=True)
            self.cart.requests.clear()
            await self._send("state", self.cart.state())

    async def _live(self) -> None:
        told = anyio.current_time()
        while True:
            await anyio.sleep(TICK)
            happened = self.cart.step(TICK)
            if happened or anyio.current_time() - told >= STATE_EVERY:
                await self._send("state", self.cart.state())
                told = anyio.current_time()
            if self.cart.driving:
                state = self.cart.state()
                await self._send("visualization", {key: state[key] for key in ("agvPosition", "velocity")})

    async def _ping(self) -> None:
        while True:
            await anyio.sleep(KEEP_ALIVE / 2)
            await self._stream.send(packet(PINGREQ, b""))

    async def _send(self, topic: str, body: dict[str, Any], *, retain: bool = False) -> None:
        payload = json.dumps(self._message(topic, body)).encode()
        kind = PUBLISH_RETAINED if retain else PUBLISH
        await self._stream.send(packet(kind, text(f"{self._prefix}/{topic}") + payload))

    def _message(self, topic: str, body: dict[str, Any]) -> dict[str, Any]:
        header = self._headers[topic]
        self._headers[topic] += 1
        return {
            "headerId": header,
            "timestamp": instant.text(time.time_ns(), 3),
            "version": "2.0.0",
            "manufacturer": self._id[0],
            "serialNumber": self._id[1],
            **body,
        }

    def _factsheet(self) -> dict[str, Any]:
        about = {"seriesName": "demo cart", "agvKinematic": "DIFF", "agvClass": "CARRIER", "maxLoadMass": 100}
        return {
            "typeSpecification": about | {"localizationTypes": ["NATURAL"], "navigationTypes": ["AUTONOMOUS"]},
            "physicalParameters": {
                "speedMin": 0.1, "speedMax": self.cart.speed, "accelerationMax": 1.0, "decelerationMax": 1.0,
                "heightMin": 0.3, "heightMax": 0.3, "width": 0.6, "length": 0.9,
            },
            "protocolLimits": {"maxStringLens": {}, "maxArrayLens": {}, "timing": {"minOrderInterval": 0.1, "minStateInterval": 0.1}},
            "protocolFeatures": {"optionalParameters": [], "agvActions": []},
            "agvGeometry": {},
            "loadSpecification": {},
        }  # fmt: skip


async def _main(port: int, manufacturer: str, serial: str) -> None:
    async with anyio.create_task_group() as tasks:
        link = CartLink(Cart(), manufacturer=manufacturer, serial=serial)
        await tasks.start(link.run, "127.0.0.1", port)
        print("ready", flush=True)  # noqa: T201  # whoever started it waits for this


if __name__ == "__main__":
    anyio.run(_main, int(sys.argv[1]), *(sys.argv[2:4] or ("weft", "0001")))
