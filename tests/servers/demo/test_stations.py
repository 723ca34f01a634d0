"""The stations over their own protocols, each met by a client that is not ours."""

import json
import struct
import urllib.request
from xml.etree import ElementTree as ET

import anyio
import pytest
from asyncua import Client, ua
from gmqtt import Client as MqttClient
from google.protobuf.message import DecodeError
from pycomm3 import LogixDriver
from snap7.client import Client as S7Client

from weft.demo import Field
from weft.demo.broker import SUBSCRIBER, password_file
from weft.demo.cart_signals import MANUFACTURER, SERIAL
from weft.demo.layout import PATHS, station_sensors
from weft.demo.sparkplug_payload import Datatype, Entry, parse, payload
from weft.demo.truth import occurrences, read

pytestmark = pytest.mark.anyio
LIMIT = 30


def true_of(truth, station):
    """All values that a station has shown, by signal name."""
    found = {}
    for row in read(truth):
        if row.signal.startswith(f"{PATHS[station]}/"):
            found.setdefault(row.signal.rpartition("/")[2], []).append(row.value)
    return found


class Listener:
    """Hears topics at the field's broker."""

    def __init__(self, field, *topics):
        self.heard = []
        self.news = anyio.Event()
        self.client = MqttClient("listener")
        self.client.set_auth_credentials(
            SUBSCRIBER, password_file(field.folder / "broker", SUBSCRIBER).read_text().strip()
        )
        self.client.on_message = self._hear
        self.client.on_connect = lambda client, *_: [client.subscribe(topic, qos=1) for topic in topics]
        self.port = field.ports.broker

    def _hear(self, client, topic, data, qos, properties):
        self.heard.append((topic, bytes(data)))
        self.news.set()
        return 0

    async def __aenter__(self):
        await self.client.connect("127.0.0.1", self.port, version=4)
        return self

    async def __aexit__(self, *error):
        await self.client.disconnect()

    async def until(self, condition):
        while not (found := [m for m in self.heard if condition(*m)]):
            self.news = anyio.Event()
            await self.news.wait()
        return found[-1]


async def test_the_robot_is_read_slowed_down_and_stopped(tmp_path, until):
    with anyio.fail_after(LIMIT):
        async with (
            Field(tmp_path / "f", truth=tmp_path / "truth", processes=["robot"]) as field,
            Client(f"opc.tcp://127.0.0.1:{field.ports.robot}/model-factory") as client,
        ):
            index = await client.get_namespace_index("urn:weft:model-factory")

            def node(name):
                return client.get_node(f"ns={index};s=Cell1.{name}")

            assert await node("State").read_value() in {5, 6, 11}
            assert len(await node("JointTorques").read_value()) == 6
            await node("SpeedOverride").write_value(40.0, ua.VariantType.Double)
            assert await node("SpeedOverride").read_value() == 40.0
            with pytest.raises(ua.UaStatusCodeError):
                await node("State").write_value(2, ua.VariantType.Int32)
            cell = client.get_node(f"ns={index};s=Cell1")
            assert await cell.call_method(f"{index}:Stop") is None
            await until(lambda: true_of(tmp_path / "truth", "robot")["state"][-1] == 2)
            assert await node("State").read_value() == 2
            assert await node("SpeedOverride").read_value() == 40.0, "it was obeyed, and stays"
            await cell.call_method(f"{index}:Start")
            await until(lambda: true_of(tmp_path / "truth", "robot")["state"][-1] != 2)
    told = [o.data["name"] for o in occurrences(tmp_path / "truth") if o.event == "command"]
    assert told == ["override", "stop", "start"]


async def test_the_lathe_is_probed_and_sampled(tmp_path):
    def get(field, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{field.ports.lathe}{path}", timeout=10) as answer:
            return ET.fromstring(answer.read())

    with anyio.fail_after(LIMIT):
        async with Field(tmp_path / "f", truth=tmp_path / "truth", processes=["lathe"]) as field:
            probe = await anyio.to_thread.run_sync(get, field, "/probe")
            ids = {item.get("id") for item in probe.iter() if item.tag.endswith("DataItem")}
            assert {sensor.address["id"] for sensor in station_sensors("lathe")} <= ids
            await anyio.sleep(1.0)
            sample = await anyio.to_thread.run_sync(get, field, "/sample?count=1000")
    shown = true_of(tmp_path / "truth", "lathe")
    seen = [float(e.text) for e in sample.iter() if e.get("dataItemId") == "xpos" and e.text != "UNAVAILABLE"]
    assert seen
    assert seen == shown["x-position"][: len(seen)]
    levels = [e.tag.rpartition("}")[2] for e in sample.iter() if e.get("dataItemId") == "system"]
    assert levels[0] == "Unavailable"
    assert set(levels[1:]) <= {"Normal", "Fault"}


async def test_the_press_shows_whole_states_and_obeys_what_was_written(tmp_path, until):
    def session(field):
        client = S7Client()
        client.connect("127.0.0.1", 0, 1, field.ports.press)
        blocks = [bytes(client.db_read(10, 0, 118)) for _ in range(20)]
        client.db_write(10, 26, bytearray(struct.pack(">f", 700.0)))
        after = bytes(client.db_read(10, 26, 4))
        client.disconnect()
        return blocks, after

    truth = tmp_path / "truth"
    with anyio.fail_after(LIMIT):
        async with Field(tmp_path / "f", truth=truth, processes=["press"]) as field:
            blocks, after = await anyio.to_thread.run_sync(session, field)
            assert struct.unpack(">f", after) == (700.0,)
            await until(lambda: any(o.event == "setpoint" for o in occurrences(truth)))
    shown = true_of(truth, "press")
    assert [o.data for o in occurrences(truth) if o.event == "setpoint"] == [{"force": 700.0}]
    assert shown["force-setpoint"] == [650.0, 700.0]
    for block in blocks:
        assert struct.unpack_from(">f", block, 14)[0] in shown["position"]
        assert block[50] == 10
        assert block[52 : 52 + block[51]].decode() in shown["coil"]
        assert list(struct.unpack_from(">4h", block, 74)) in [list(v) for v in shown["column-forces"]]
        assert struct.unpack_from(">H", block, 62)[0] >= 2024, "the year of the last stroke"


async def test_a_press_that_was_killed_goes_on_in_lock_step(tmp_path, until):
    def values(field, count):
        client = S7Client()
        client.connect("127.0.0.1", 0, 1, field.ports.press)
        seen = []
        while len(seen) < count:
            force = struct.unpack(">f", client.db_read(10, 0, 118)[6:10])[0]
            if not seen or seen[-1] != force:
                seen.append(force)
        client.disconnect()
        return seen

    truth = tmp_path / "truth"
    start = 1_700_000_000_000_000_000
    with anyio.fail_after(LIMIT):
        async with Field(tmp_path / "f", truth=truth, start=start, pace="read", processes=["press"]) as field:
            before = await anyio.to_thread.run_sync(values, field, 30)
            killed = field.kill("press")
            await until(lambda: field.pids.get("press", killed) != killed)
            await field.up("press")
            after = await anyio.to_thread.run_sync(values, field, 30)
    shown = true_of(truth, "press")["force"]
    assert shown[: len(before)] == before
    begin = max(i for i, value in enumerate(shown) if value == after[0])
    assert shown[begin : begin + len(after)] == after
    assert begin <= len(before) + 1, "where it was"


async def test_the_palletiser_has_tags_of_all_kinds(tmp_path, until):
    def session(field):
        with LogixDriver(f"127.0.0.1:{field.ports.palletiser}/0") as plc:
            names = set(plc.tags)
            tags = plc.read(
                "ZoneCurrents{6}", "Program:Main.Alarm", "Motor.Temperature", "Layer", "ZoneCurrents[2]"
            )
            plc.write(("SpeedSetpoint", 0.4), ("Nothing", 0))  # alone, pycomm3 sends it twice in one
            return names, tags, plc.read("SpeedSetpoint").value

    truth = tmp_path / "truth"
    with anyio.fail_after(LIMIT):
        async with Field(tmp_path / "f", truth=truth, processes=["palletiser"]) as field:
            names, tags, speed = await anyio.to_thread.run_sync(session, field)
            await until(lambda: any(o.event == "setpoint" for o in occurrences(truth)))
    shown = true_of(truth, "palletiser")
    assert {"Running", "ZoneCurrents", "Motor", "Program:Main.State"} <= names
    assert not [tag.error for tag in tags if tag.error]
    assert tuple(tags[0].value) in shown["zone-currents"]
    assert tags[1].value in shown["alarm"]
    assert tags[2].value in shown["motor-temperature"]
    assert tags[4].value == tags[0].value[2]
    assert speed == pytest.approx(0.4)
    assert len(shown["speed-setpoint"]) == 2


async def test_the_inspection_is_born_reborn_and_waits_for_its_host(tmp_path):
    def told(kind):
        return lambda topic, _: (
            topic == f"spBv1.0/Factory/{kind}/Line1" + ("/Inspection" if kind[0] == "D" else "")
        )

    processes = ["broker", "inspection"]
    with anyio.fail_after(LIMIT):
        async with (
            Field(tmp_path / "f", truth=tmp_path / "truth", processes=processes) as field,
            Listener(field, "spBv1.0/Factory/#") as hears,
        ):
            state = {"online": True, "timestamp": 1_000}
            await anyio.sleep(2)
            assert not [topic for topic, _ in hears.heard], "born before its host was there"
            hears.client.publish("spBv1.0/STATE/weft", json.dumps(state), qos=1, retain=True)
            _, birth = await hears.until(told("DBIRTH"))
            metrics = parse(birth)
            assert metrics["Serial"][0] == Datatype.STRING
            assert metrics["Picture"][1].startswith(b"\x89PNG")
            assert len(struct.unpack("<5d", metrics["Dimensions/All"][1])) == 5
            assert metrics["Report"][0] == Datatype.DATASET
            _, node = await hears.until(told("NBIRTH"))
            assert {"bdSeq", "Node Control/Rebirth"} == set(parse(node))
            hears.heard.clear()
            ask = payload(1, None, [Entry(Datatype.BOOLEAN, value=True, time=1, name="Node Control/Rebirth")])
            hears.client.publish("spBv1.0/Factory/NCMD/Line1", ask)
            assert parse((await hears.until(told("NBIRTH")))[1])["bdSeq"] == parse(node)["bdSeq"]
            state = {"online": False, "timestamp": 2_000}
            hears.client.publish("spBv1.0/STATE/weft", json.dumps(state), qos=1, retain=True)
            _, death = await hears.until(told("NDEATH"))
            assert parse(death)["bdSeq"] == parse(node)["bdSeq"]
    with pytest.raises(ValueError, match="not a Sparkplug"):
        parse(b"\xff")
    assert issubclass(DecodeError, Exception)


async def test_the_cart_takes_an_order_over_mqtt(tmp_path):
    prefix = f"uagv/v2/{MANUFACTURER}/{SERIAL}"
    with anyio.fail_after(LIMIT):
        async with (
            Field(tmp_path / "f", truth=tmp_path / "truth", processes=["broker", "cart"]) as field,
            Listener(field, f"{prefix}/#") as hears,
        ):
            _, data = await hears.until(lambda topic, _: topic == f"{prefix}/connection")
            assert json.loads(data)["connectionState"] == "ONLINE"
            _, data = await hears.until(lambda topic, _: topic == f"{prefix}/factsheet")
            assert json.loads(data)["typeSpecification"]["agvClass"] == "CARRIER"
            _, data = await hears.until(lambda topic, _: topic == f"{prefix}/state")
            state = json.loads(data)
            place = state["agvPosition"]
            nodes = [
                {"nodeId": "here", "sequenceId": 0, "released": True, "nodePosition": place, "actions": []},
                {
                    "nodeId": "there",
                    "sequenceId": 2,
                    "released": True,
                    "nodePosition": place | {"x": place["x"] + 2.0},
                    "actions": [],
                },
            ]
            edges = [{"edgeId": "e", "sequenceId": 1, "released": True, "actions": []}]
            order = {"orderId": "0815", "orderUpdateId": 0, "nodes": nodes, "edges": edges}
            hears.client.publish(f"{prefix}/order", json.dumps(order), qos=0)
            await hears.until(
                lambda topic, data: topic == f"{prefix}/state" and json.loads(data)["lastNodeId"] == "there"
            )
            assert any(topic == f"{prefix}/visualization" for topic, _ in hears.heard)
            hears.client.publish(f"{prefix}/order", b"no json", qos=0)
            wrong = {"actions": [{"actionId": "a", "actionType": "fly", "blockingType": "HARD"}]}
            hears.client.publish(f"{prefix}/instantActions", json.dumps(wrong), qos=0)
            await hears.until(
                lambda topic, data: (
                    topic == f"{prefix}/state"
                    and any(e["errorType"] == "instantActionError" for e in json.loads(data)["errors"])
                )
            )
            killed = field.kill("cart")
            assert killed
            _, data = await hears.until(
                lambda topic, data: topic == f"{prefix}/connection" and b"CONNECTIONBROKEN" in data
            )
    assert "0815" in true_of(tmp_path / "truth", "cart")["order"]
