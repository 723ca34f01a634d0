"""The inspection station on its network: a Sparkplug B edge node with one device (Sparkplug 3.0)."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult

import anyio

from weft.demo.display import Display
from weft.demo.inspection import FEATURES
from weft.demo.inspection_signals import DEVICE, GROUP, NODE
from weft.demo.mqtt_link import Message, MqttLink
from weft.demo.sensor import Sensor, Value
from weft.demo.sparkplug_payload import DATATYPES, Datatype, Entry, Table, parse, payload
from weft.demo.timeline import play

__all__ = ["SparkplugNode"]

REBIRTH: Final = "Node Control/Rebirth"
REPORT: Final = "Report"
KEPT: Final = 50_000  # changes kept while nobody listens; then the oldest go
AT_ONCE: Final = 500  # of them in a message


class Change(NamedTuple):
    """A value and the simulated time (ms) from which on it was shown."""

    sensor: Sensor[Any]
    value: Value
    time: int


class SparkplugNode:
    """Publishes ``display``. With a ``host`` it is the primary one: while that host is not there the node has no
    session, and tells later, as historical, what happened meanwhile."""

    def __init__(self, display: Display, broker: SplitResult, *, password: str = "", host: str = "") -> None:
        self._display = display
        self._host = host
        self._here = not host
        self._stated = -1  # timestamp of the host's last statement
        self._alive = False  # born, and not dead since
        self._births = time.time_ns() // 1_000_000_000 % 256  # bdSeq
        self._seq = 0
        self._present: dict[str, Change] = {}
        self._kept: deque[Change] = deque(maxlen=KEPT)
        self._alias = {sensor.name: 10 + i for i, sensor in enumerate(display.sensors)}
        self._link = MqttLink(
            broker.hostname or "127.0.0.1",
            broker.port or 1883,
            client=f"model-factory-{NODE}",
            user=broker.username or "",
            password=password,
            topics=[
                self._topic("NCMD"),
                f"{self._topic('DCMD')}/{DEVICE}",
                *([f"spBv1.0/STATE/{host}"] if host else []),
            ],
            will=self._will,
            begin=self._begin,
            hear=self._hear,
        )

    async def run(self) -> None:
        """Until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._link.run)
            await play(self._display.factory, self._display.timeline, 1, self._show)
            await anyio.sleep_forever()

    async def _show(self) -> None:
        moment = self._display.time // 1_000_000
        changes = [Change(sensor, raw, moment) for sensor, raw in self._display.changes()]
        self._present.update((change.sensor.name, change) for change in changes)
        if not changes:
            return
        if not (self._alive and await self._send("DDATA", self._entries(changes))):
            self._alive = False
            self._kept.extend(changes)

    def _entries(self, changes: list[Change], *, historical: bool = False) -> list[Entry]:
        entries = [self._entry(change)._replace(historical=historical) for change in changes]
        if any(change.sensor.name == "dimensions" for change in changes) and not historical:
            entries.append(self._report(named=False))
        return entries

    def _entry(self, change: Change, *, named: bool = False) -> Entry:
        sensor = change.sensor
        kind = Datatype.DOUBLE_ARRAY if sensor.array else DATATYPES[sensor.type]
        alias = self._alias[sensor.name]
        entry = Entry(kind, change.value, change.time, alias=alias)
        if not named:
            return entry
        about: list[tuple[str, str | float]] = [("engUnit", sensor.unit)] if sensor.unit else []
        for key, name in (("minimum", "engLow"), ("maximum", "engHigh")):
            if key in sensor.limits:
                about.append((name, float(sensor.limits[key])))
        return entry._replace(name=sensor.address["metric"], about=about)

    def _report(self, *, named: bool) -> Entry:
        """All dimensions as a table."""
        columns = (("feature", Datatype.STRING), ("nominal", Datatype.DOUBLE), ("measured", Datatype.DOUBLE))
        sizes = self._display.machine.sizes
        rows = [(f.name, f.nominal, size) for f, size in zip(FEATURES, sizes, strict=True)]
        moment = self._display.time // 1_000_000
        return Entry(Datatype.DATASET, Table(columns, rows), moment, name=REPORT if named else "", alias=1)

    # --- the session --------------------------------------------------------------------------------------

    def _topic(self, kind: str) -> str:
        return f"spBv1.0/{GROUP}/{kind}/{NODE}"

    def _birth_number(self) -> Entry:
        return Entry(Datatype.INT64, self._births, _now(), name="bdSeq")

    def _will(self) -> Message:
        self._births = (self._births + 1) % 256
        return self._death()

    def _death(self) -> Message:
        return Message(self._topic("NDEATH"), payload(_now(), None, [self._birth_number()]), qos=1)

    async def _begin(self) -> None:
        self._alive = False
        self._here, self._stated = not self._host, -1
        await self._be_born()

    async def _be_born(self) -> None:
        """Births of the node and its device, then what was kept meanwhile."""
        if not (self._here and self._link.connected and self._present):
            return
        self._alive = False  # what changes meanwhile waits until the device is born
        self._forget_present()
        self._seq = 0
        rebirth = Entry(Datatype.BOOLEAN, value=False, time=_now(), name=REBIRTH)
        birth = payload(_now(), 0, [self._birth_number(), rebirth])
        device = [self._entry(change, named=True) for change in self._present.values()]
        born = await self._link.send(Message(self._topic("NBIRTH"), birth))
        born = born and await self._send("DBIRTH", [*device, self._report(named=True)])
        while born and self._kept:
            some = [self._kept.popleft() for _ in range(min(AT_ONCE, len(self._kept)))]
            if not (born := await self._send("DDATA", self._entries(some, historical=True))):
                self._kept.extendleft(reversed(some))
        self._alive = born

    def _forget_present(self) -> None:
        """What the birth says anyway need not be told again."""
        told = {(change.sensor.name, change.time) for change in self._present.values()}
        self._kept = deque(
            (change for change in self._kept if (change.sensor.name, change.time) not in told), KEPT
        )

    async def _send(self, kind: str, entries: list[Entry]) -> bool:
        self._seq = (self._seq + 1) % 256
        message = payload(_now(), self._seq, entries)
        return await self._link.send(Message(f"{self._topic(kind)}/{DEVICE}", message))

    async def _hear(self, topic: str, data: bytes) -> None:
        if topic.startswith("spBv1.0/STATE/"):
            await self._host_is(data)
        elif topic == self._topic("NCMD"):
            try:
                asked = parse(data)
            except ValueError:
                return
            if asked.get(REBIRTH, (0, False))[1] and self._alive:
                await self._be_born()

    async def _host_is(self, data: bytes) -> None:
        """The primary host said whether it is there; older statements do not count (5.15)."""
        try:
            said = json.loads(data)
            online, stated = bool(said["online"]), int(said["timestamp"])
        except (ValueError, KeyError, TypeError):
            return
        if stated < self._stated:
            return
        self._stated, was, self._here = stated, self._here, online
        if online and not self._alive:
            await self._be_born()
        elif not online and was and self._alive:
            self._alive = False
            await self._link.send(self._death())
            self._link.leave()


def _now() -> int:
    return time.time_ns() // 1_000_000
