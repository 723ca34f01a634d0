"""The packing machine on MQTT: turns what happens into messages."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import anyio

from weft.demo.factory import Factory
from weft.demo.machine import steps
from weft.demo.mqtt_writer import MqttWriter
from weft.demo.packing import Packing
from weft.demo.packing_signals import Message
from weft.demo.sensor import Sensor, Value
from weft.demo.timeline import Timeline, play
from weft.demo.truth import Shown, Truth
from weft.model import instant

__all__ = ["MqttPublisher"]


class MqttPublisher:
    """Publishes ``messages`` below ``prefix``; ``path`` is where the ground truth says the machine is."""

    def __init__(
        self,
        factory: Factory,
        timeline: Timeline,
        truth: Truth,
        writer: MqttWriter,
        *,
        path: str,
        prefix: str,
        messages: Sequence[Message],
        sensors: Sequence[Sensor[Packing]],
    ) -> None:
        self._factory = factory
        self._timeline = timeline
        self._truth = truth
        self._writer = writer
        self._path = path
        self._prefix = prefix
        self._messages = messages
        self._sensors: dict[str, list[Sensor[Packing]]] = defaultdict(list)
        for sensor in sensors:
            self._sensors[sensor.topic].append(sensor)
        self._first = True

    async def run(self) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._writer.run)
            await self._timeline.opened()
            await self._writer.connected.wait()
            await play(self._factory, self._timeline, 1, self._show)
            await anyio.sleep_forever()

    async def _show(self) -> None:
        step = self._factory.clock
        happenings = self._factory.happenings()
        self._truth.happened(happenings, self._timeline)
        now = {h.kind for h in happenings if h.machine == "packing" and h.step == step}
        for message in self._messages:
            regular = message.every and (self._first or step % steps(message.every) == 0)
            if regular or not now.isdisjoint(message.event):
                self._send(message, self._timeline.time_of(step))
        self._first = False

    def _send(self, message: Message, time: int) -> None:
        packing = self._factory.packing
        body: dict[str, Any] = {"ts": instant.text(time, 3) if message.iso else time // 1_000_000}
        rows = []
        for sensor in self._sensors[message.topic]:
            raw = sensor.raw(packing)
            _put(body, sensor.key, raw)
            rows.append(Shown(f"{self._path}/{sensor.name}", time, sensor.true_type, sensor.true(raw)))
        self._truth.show(rows)
        payload = json.dumps(body, separators=(",", ":")).encode()
        self._writer.publish(f"{self._prefix}/{message.topic}", payload)


def _put(body: dict[str, Any], key: str, value: Value) -> None:
    """``motor.current`` goes into the object ``motor``."""
    *folders, name = key.split(".")
    for folder in folders:
        body = body.setdefault(folder, {})
    body[name] = value
