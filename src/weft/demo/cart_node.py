"""The cart on its network (VDA 5050 2.0): states, what can be drawn of it, and the orders it is given."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import SplitResult

import anyio

from weft.demo.carrier import Carrier
from weft.demo.cart_signals import MANUFACTURER, SERIAL
from weft.demo.display import Display
from weft.demo.machine import steps
from weft.demo.mqtt_link import Message, MqttLink
from weft.demo.sensor import Sensor
from weft.demo.timeline import play
from weft.model import instant

__all__ = ["CartNode"]

STATE_EVERY: Final = steps(1.0)
DRAWN: Final = ("agvPosition", "velocity")
LONGEST: Final = 60_000  # bytes of an order


class CartNode:
    """Publishes the messages of ``display``'s cart; each message is the truth for all of its fields, which
    are ``sensors`` of the message."""

    def __init__(
        self, display: Display, broker: SplitResult, sensors: Sequence[Sensor[Any]], *, password: str = ""
    ) -> None:
        self._display = display
        self._carrier: Carrier = display.machine
        self._prefix = f"uagv/v2/{MANUFACTURER}/{SERIAL}"
        self._headers: Counter[str] = Counter()
        self._told = -1
        self._fields: dict[str, list[Sensor[Any]]] = defaultdict(list)
        for sensor in sensors:
            self._fields[sensor.topic].append(sensor)
        self._link = MqttLink(
            broker.hostname or "127.0.0.1",
            broker.port or 1883,
            client=f"model-factory-{SERIAL}",
            user=broker.username or "",
            password=password,
            topics=[f"{self._prefix}/{name}" for name in ("order", "instantActions")],
            will=lambda: self._message("connection", {"connectionState": "CONNECTIONBROKEN"}),
            begin=self._begin,
            hear=self._hear,
        )

    async def run(self) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._link.run)
            await self._display.timeline.opened()
            await play(self._display.factory, self._display.timeline, 1, self._show)
            await anyio.sleep_forever()

    async def _begin(self) -> None:
        await self._link.send(self._message("connection", {"connectionState": "ONLINE"}))
        await self._link.send(self._message("factsheet", self._factsheet()))
        self._told = -1  # a state soon

    async def _show(self) -> None:
        self._display.changes()
        step, carrier = self._display.factory.clock, self._carrier
        if carrier.cart.driving and carrier.running:
            state = carrier.state_message()
            await self._tell("visualization", {key: state[key] for key in DRAWN})
        if carrier.told != self._told or step % STATE_EVERY == 0:
            self._told = carrier.told
            if "factsheetRequest" in carrier.cart.requests:
                await self._link.send(self._message("factsheet", self._factsheet()))
            carrier.cart.requests.clear()
            await self._tell("state", carrier.state_message())

    async def _tell(self, topic: str, body: dict[str, Any]) -> None:
        if not self._link.connected:
            return
        rows = [(sensor, sensor.raw(body)) for sensor in self._fields[topic]]
        self._display.tell(rows, self._display.time)
        await self._link.send(self._message(topic, body))

    async def _hear(self, topic: str, data: bytes) -> None:
        """Whatever is no message at all is passed over; what is wrong in it becomes an error of the state."""
        try:
            message = json.loads(data)
        except ValueError:
            return
        if isinstance(message, dict) and len(data) <= LONGEST:
            self._display.command(topic.rpartition("/")[2], message)

    def _message(self, topic: str, body: dict[str, Any]) -> Message:
        header = self._headers[topic]
        self._headers[topic] += 1
        head = {
            "headerId": header,
            "timestamp": instant.text(self._display.time, 3),
            "version": "2.0.0",
            "manufacturer": MANUFACTURER,
            "serialNumber": SERIAL,
        }
        payload = json.dumps(head | body, separators=(",", ":")).encode()
        kept = topic in {"connection", "factsheet"}
        return Message(f"{self._prefix}/{topic}", payload, qos=int(topic == "connection"), retain=kept)

    def _factsheet(self) -> dict[str, Any]:
        speed = self._carrier.cart.speed
        return {
            "typeSpecification": {
                "seriesName": "model cart", "agvKinematic": "DIFF", "agvClass": "CARRIER", "maxLoadMass": 400,
                "localizationTypes": ["NATURAL"], "navigationTypes": ["AUTONOMOUS"],
            },
            "physicalParameters": {
                "speedMin": 0.1, "speedMax": speed, "accelerationMax": 0.8, "decelerationMax": 1.2,
                "heightMin": 0.3, "heightMax": 0.3, "width": 0.8, "length": 1.2,
            },
            "protocolLimits": {
                "maxStringLens": {}, "maxArrayLens": {}, "timing": {"minOrderInterval": 0.5, "minStateInterval": 0.2},
            },
            "protocolFeatures": {"optionalParameters": [], "agvActions": []},
            "agvGeometry": {},
            "loadSpecification": {},
            "localizationParameters": [],
        }  # fmt: skip
