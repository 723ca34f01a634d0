"""The mill over OPC UA, read by asyncua's client."""

import anyio
import pytest
from asyncua import Client, ua

from weft.demo.display import Display
from weft.demo.factory import Factory
from weft.demo.layout import MILL_NAME, MILL_PATH
from weft.demo.mill_signals import MILL
from weft.demo.opcua_nodes import NAMESPACE, node_name
from weft.demo.opcua_server import OpcUaServer
from weft.demo.timeline import Timeline
from weft.demo.truth import Shown, Truth, read
from weft.model import ValueType

pytestmark = pytest.mark.anyio
EPOCH = ua.DateTime(1970, 1, 1)


class Collector:
    """A subscription handler that keeps every notification."""

    def __init__(self, signals):
        self.signals = signals
        self.rows = []

    def datachange_notification(self, node, value, data):
        item = data.monitored_item.Value
        delta = item.SourceTimestamp.replace(tzinfo=None) - EPOCH
        time = (delta.days * 86400 + delta.seconds) * 1_000_000_000 + delta.microseconds * 1000
        kind = ValueType(item.Value.VariantType.value)
        self.rows.append(Shown(self.signals[node.nodeid], time, kind, value))


def nodes_of(client, index):
    names = {sensor.name: f"ns={index};s={MILL_NAME}.{node_name(sensor.name)}" for sensor in MILL}
    return {f"{MILL_PATH}/{name}": client.get_node(text) for name, text in names.items()}


def shown_by_mill(tmp_path):
    return [row for row in read(tmp_path / "truth") if row.signal.startswith(MILL_PATH)]


async def test_every_change_arrives_with_its_value_type_and_time(field, tmp_path, replay, until):
    with anyio.fail_after(90):
        async with (
            field(until=30.0, processes=["mill"]) as f,
            Client(f"opc.tcp://127.0.0.1:{f.ports.mill}/model-factory") as client,
        ):
            nodes = nodes_of(client, await client.get_namespace_index(NAMESPACE))
            collector = Collector({node.nodeid: path for path, node in nodes.items()})
            subscription = await client.create_subscription(50, collector)
            await subscription.subscribe_data_change(list(nodes.values()), queuesize=1000)
            f.release()
            end = f.start - f.start % 1_000_000 + 30_000_000_000
            await until(lambda: max((row.time for row in collector.rows), default=0) == end)
            await until(lambda: len(collector.rows) >= len(shown_by_mill(tmp_path)), 0.2)
    shown = shown_by_mill(tmp_path)
    assert sorted(collector.rows) == shown
    assert len(shown) > 1000
    assert not replay(4, f.start).differing(shown)
    types = {row.type for row in shown}
    assert types >= {ValueType.INT32, ValueType.STRING, ValueType.FLOAT, ValueType.DOUBLE, ValueType.BOOLEAN}
    assert any(row.value < 0 for row in shown if row.type is ValueType.INT32)


@pytest.fixture
async def standing_mill(free_tcp_port):
    """A mill inside this process whose time stands still."""
    factory, timeline = Factory(), Timeline(0, 0, last=0)
    with Truth(None, "mill") as truth:
        display = Display(factory, timeline, truth, name="mill", path=MILL_PATH, sensors=MILL)
        server = OpcUaServer(display, name=MILL_NAME)
        async with anyio.create_task_group() as tasks:
            await tasks.start(server.run, free_tcp_port)
            yield free_tcp_port
            tasks.cancel_scope.cancel()


async def test_nodes_tell_unit_range_and_states(standing_mill):
    with anyio.fail_after(60):
        async with Client(f"opc.tcp://127.0.0.1:{standing_mill}/model-factory") as client:
            nodes = nodes_of(client, await client.get_namespace_index(NAMESPACE))
            load = nodes[f"{MILL_PATH}/spindle-load"]
            unit = await (await load.get_child("0:EngineeringUnits")).read_value()
            assert unit.DisplayName.Text == "%"
            assert unit.UnitId == int.from_bytes(b"P1", "big")
            span = await (await load.get_child("0:EURange")).read_value()
            assert (span.Low, span.High) == (0.0, 150.0)
            assert (await load.read_description()).Text == "Load of the spindle drive"
            states = await (await nodes[f"{MILL_PATH}/state"].get_child("0:EnumValues")).read_value()
            assert {v.Value: v.DisplayName.Text for v in states}[6] == "Execute"
            with pytest.raises(ua.UaStatusCodeError):
                await load.write_value(1.0)
