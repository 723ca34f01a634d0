"""An OPC UA server of a machine: one object with a variable for each sensor, and nobody needs a password on loopback."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from functools import partial
from typing import Any, Final

import anyio
from anyio.abc import TaskStatus
from asyncua import ua
from asyncua.common.callback import CallbackType
from asyncua.common.node import Node
from asyncua.server.server import Server
from asyncua.ua.attribute_ids import AttributeIds

from weft.demo.display import Display
from weft.demo.opcua_nodes import NAMESPACE, node_name
from weft.demo.sensor import Sensor, Value
from weft.demo.timeline import fast_forward, play

__all__ = ["OpcUaServer"]

_EPOCH: Final = ua.DateTime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
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
    "deg": "DD",
    "N.m": "NU",
    "s": "SEC",
}


class OpcUaServer:
    """Shows ``display`` as the object ``name``. What has a command can be written; ``methods`` are commands, too."""

    def __init__(self, display: Display, *, name: str, methods: Sequence[str] = ()) -> None:
        self._display = display
        self._name = name
        self._methods = methods
        self._nodes: dict[str, ua.NodeId] = {}
        self._writable: dict[ua.NodeId, Sensor[Any]] = {}

    async def run(self, port: int, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; reports when it listens."""
        logging.getLogger("asyncua").setLevel(logging.ERROR)
        async with self._serving(port) as server:
            task_status.started()
            await play(self._display.factory, self._display.timeline, 1, partial(self._show, server))
            await anyio.sleep_forever()

    @asynccontextmanager
    async def _serving(self, port: int) -> AsyncIterator[Server]:
        server = Server()
        gc.disable()  # the standard address space is many objects that all stay: collecting among them costs 1 s
        await server.init()
        gc.freeze()
        gc.enable()
        server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/model-factory")
        server.set_server_name(f"Model factory {self._display.machine.name}")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        index = await server.register_namespace(NAMESPACE)
        machine = await server.nodes.objects.add_object(
            ua.NodeId.from_string(f"ns={index};s={self._name}"), f"{index}:{self._name}"
        )
        await fast_forward(self._display.factory, self._display.timeline.step_at(time.time_ns()))
        for sensor in self._display.sensors:
            await self._add(machine, index, sensor)
        for method in self._methods:
            await self._add_method(machine, index, method)
        server.subscribe_server_callback(CallbackType.PostWrite, self._written)
        await self._show(server)  # what a client finds first is already true
        async with server:
            yield server

    async def _add(self, machine: Node, index: int, sensor: Sensor[Any]) -> None:
        nodeid = ua.NodeId.from_string(f"ns={index};s={self._name}.{node_name(sensor.name)}")
        raw = sensor.raw(self._display.machine)
        node = await machine.add_variable(nodeid, f"{index}:{node_name(sensor.name)}", _variant(sensor, raw))
        await _describe(node, sensor)
        self._nodes[sensor.name] = nodeid
        if sensor.command:
            await node.set_writable()
            self._writable[nodeid] = sensor

    async def _add_method(self, machine: Node, index: int, name: str) -> None:
        async def call(parent: ua.NodeId, *arguments: ua.Variant) -> list[ua.Variant]:
            self._display.command(name, None)
            return []

        nodeid = ua.NodeId.from_string(f"ns={index};s={self._name}.{name.capitalize()}")
        await machine.add_method(nodeid, f"{index}:{name.capitalize()}", call, [], [])

    def _written(self, event: Any, dispatcher: object) -> None:
        """A client wrote."""
        if not event.is_external:
            return
        for asked, result in zip(event.request_params.NodesToWrite, event.response_params, strict=True):
            sensor = self._writable.get(asked.NodeId)
            if sensor is not None and result.is_good() and asked.AttributeId == AttributeIds.Value:
                source = asked.Value.SourceTimestamp
                moment = time.time_ns() if source is None else (source - _EPOCH) // _MICROSECOND * 1000
                self._display.wrote(sensor, asked.Value.Value.Value, moment)

    async def _show(self, server: Server) -> None:
        """Writes what differs; each change stays one notification of its own."""
        source = _EPOCH + timedelta(microseconds=self._display.time // 1000)
        for sensor, raw in self._display.changes():
            value = ua.DataValue(
                _variant(sensor, raw), SourceTimestamp=source, ServerTimestamp=ua.DateTime.now(UTC)
            )
            await server.write_attribute_value(self._nodes[sensor.name], value)


def _variant(sensor: Sensor[Any], raw: Value) -> ua.Variant:
    value = list(raw) if isinstance(raw, tuple) else raw
    return ua.Variant(value, ua.VariantType(int(sensor.type)), is_array=sensor.array)


async def _describe(node: Node, sensor: Sensor[Any]) -> None:
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
