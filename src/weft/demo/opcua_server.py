"""The mill's OPC UA server: one object with a variable for each sensor, and nobody needs a password on loopback."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from functools import partial
from typing import Final

import anyio
from anyio.abc import TaskStatus
from asyncua import ua
from asyncua.common.node import Node
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds

from weft.demo.factory import Factory
from weft.demo.machine import steps
from weft.demo.mill import Mill
from weft.demo.opcua_nodes import NAMESPACE, node_name
from weft.demo.sensor import Sensor, Value
from weft.demo.timeline import Timeline, fast_forward, play
from weft.demo.truth import Shown, Truth

__all__ = ["OpcUaServer"]

_EPOCH: Final = ua.DateTime(1970, 1, 1, tzinfo=UTC)
# UNECE Recommendation 20 codes for the units used here; OPC 10000-8, 5.6.4.3 makes the number of the code.
_UNECE: Final = {
    "%": "P1",
    "/min": "RPM",
    "mm/min": "H81",
    "mm/s": "C16",
    "m/s2": "MSK",
    "um": "4H",
    "mm": "MMT",
    "Cel": "CEL",
    "1": "C62",
}


class OpcUaServer:
    """Shows ``sensors`` of the factory's mill; ``path`` is where the ground truth says the machine is."""

    def __init__(
        self,
        factory: Factory,
        timeline: Timeline,
        truth: Truth,
        *,
        path: str,
        name: str,
        sensors: Sequence[Sensor[Mill]],
    ) -> None:
        self._factory = factory
        self._timeline = timeline
        self._truth = truth
        self._path = path
        self._name = name
        self._sensors = sensors
        self._nodes: dict[str, ua.NodeId] = {}
        self._shown: dict[str, Value] = {}

    async def run(self, port: int, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; reports when it listens."""
        logging.getLogger("asyncua").setLevel(logging.ERROR)
        async with self._serving(port) as server:
            task_status.started()
            await play(self._factory, self._timeline, 1, partial(self._show, server))
            await anyio.sleep_forever()

    @asynccontextmanager
    async def _serving(self, port: int) -> AsyncIterator[Server]:
        server = Server()
        gc.disable()  # the standard address space is many objects that all stay: collecting among them costs 1 s
        await server.init()
        gc.freeze()
        gc.enable()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/model-factory")
        server.set_server_name("Model factory mill")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await server.register_namespace(NAMESPACE)
        machine = await server.nodes.objects.add_object(
            ua.NodeId.from_string(f"ns={index};s={self._name}"), f"{index}:{self._name}"
        )
        await fast_forward(self._factory, self._timeline.step_at(time.time_ns()))
        for sensor in self._sensors:
            await self._add(machine, index, sensor)
        await self._show(server)  # what a client finds first is already true
        async with server:
            yield server

    async def _add(self, machine: Node, index: int, sensor: Sensor[Mill]) -> None:
        nodeid = ua.NodeId.from_string(f"ns={index};s={self._name}.{node_name(sensor.name)}")
        raw = sensor.raw(self._factory.mill)
        node = await machine.add_variable(nodeid, f"{index}:{node_name(sensor.name)}", _variant(sensor, raw))
        await _describe(node, sensor)
        self._nodes[sensor.name] = nodeid

    async def _show(self, server: Server) -> None:
        """Writes what differs; each change stays one notification of its own."""
        step = self._factory.clock
        moment = self._timeline.time_of(step)
        changes = [(s, raw) for s, raw in self._sampled(step) if self._shown.get(s.name) != raw]
        self._truth.happened(self._factory.happenings(), self._timeline)
        self._truth.show(
            Shown(f"{self._path}/{s.name}", moment, s.true_type, s.true(raw)) for s, raw in changes
        )
        source = _EPOCH + timedelta(microseconds=moment // 1000)
        for sensor, raw in changes:
            self._shown[sensor.name] = raw
            value = ua.DataValue(
                _variant(sensor, raw), SourceTimestamp=source, ServerTimestamp=ua.DateTime.now(UTC)
            )
            await server.write_attribute_value(self._nodes[sensor.name], value)

    def _sampled(self, step: int) -> list[tuple[Sensor[Mill], Value]]:
        mill = self._factory.mill
        return [
            (sensor, sensor.raw(mill))
            for sensor in self._sensors
            if sensor.name not in self._shown or step % steps(sensor.every) == 0
        ]


def _variant(sensor: Sensor[Mill], raw: Value) -> ua.Variant:
    return ua.Variant(raw, ua.VariantType(int(sensor.type)))


async def _describe(node: Node, sensor: Sensor[Mill]) -> None:
    """Description, unit and range, as OPC 10000-8 has them for analog and for enumerated items."""
    text = ua.Variant(ua.LocalizedText(sensor.description))
    await node.write_attribute(AttributeIds.Description, ua.DataValue(text))
    if sensor.unit:
        await node.add_property(0, "EngineeringUnits", _unit(sensor.unit))
    if {"minimum", "maximum"} <= sensor.limits.keys():
        span = ua.Range(Low=sensor.limits["minimum"], High=sensor.limits["maximum"])
        await node.add_property(0, "EURange", span)
    if sensor.states:
        values = [
            ua.EnumValueType(Value=number, DisplayName=ua.LocalizedText(name))
            for number, name in sensor.states.items()
        ]
        await node.add_property(0, "EnumValues", values)


def _unit(ucum: str) -> ua.EUInformation:
    code = _UNECE[ucum]
    return ua.EUInformation(
        NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
        UnitId=int.from_bytes(code.encode(), "big"),
        DisplayName=ua.LocalizedText(ucum),
    )
