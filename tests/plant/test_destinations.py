"""Weft to the outside, in whole plants: what stands at the far end of OPC UA → Weft → Sparkplug → Weft → OPC UA."""

from __future__ import annotations

import json
import pathlib
import uuid
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from asyncua import ua
from plant import chains
from plant.houses import all_up, living, until
from servers.connect.mqtt.broker import running as mosquitto
from servers.connect.opcua.conftest import Peer, node_opcua

from weft.bus import after
from weft.model import Command

__all__ = ["node_opcua"]  # a fixture

pytestmark = pytest.mark.anyio

PEERS = pathlib.Path(__file__).parents[1] / "peers"
NODE_DOOR = "ns=2;s=weft/test/line/door"
V = ua.VariantType
NOW = datetime.now(UTC).replace(microsecond=123457)
DAWN, DUSK = datetime(1601, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
DEEP = ua.DataValue(ua.Variant(ua.Variant("x")), ua.StatusCode(0x40000000), NOW)
# Edges of each built-in type of OPC 10000-6, 5.1.2; the last one is what a variable is left with.
VALUES = {
    V.Boolean: [False, True],
    V.SByte: [-128, 127], V.Byte: [0, 255], V.Int16: [-(2**15), 2**15 - 1], V.UInt16: [0, 2**16 - 1],
    V.Int32: [-(2**31), 2**31 - 1], V.UInt32: [0, 2**32 - 1],
    V.Int64: [2**63 - 1, -(2**53) - 1], V.UInt64: [2**53 + 1, 2**64 - 1],
    V.Float: [float("inf"), -0.0, 1.1754943508222875e-38, float("nan")],
    V.Double: [float("-inf"), 5e-324, 0.1, -0.0, float("nan")],
    V.String: ["", None, "Grüße \U0001f9f5\n\t\x01"],
    V.DateTime: [DAWN, DUSK, NOW], V.Guid: [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)],
    V.ByteString: [b"", None, bytes(range(256))], V.XmlElement: [ua.XmlElement(""), ua.XmlElement("<ü a='1'/>")],
    V.NodeId: [ua.NodeId(), ua.NodeId("ö", 3), ua.NodeId(b"\x00\xff", 2), ua.NodeId(uuid.UUID(int=7), 1), ua.NodeId(2**32 - 1, 7)],
    V.ExpandedNodeId: [ua.ExpandedNodeId(7, 2), ua.ExpandedNodeId("x", 0, NamespaceUri="urn:a", ServerIndex=3)],
    V.StatusCode: [ua.StatusCode(0), ua.StatusCode(0x80340000)],
    V.QualifiedName: [ua.QualifiedName("", 1), ua.QualifiedName("a:b", 2)],
    V.LocalizedText: [ua.LocalizedText("", ""), ua.LocalizedText(None, "de"), ua.LocalizedText("Grüß", None)],
    V.ExtensionObject: [ua.Range(-0.0, 2.0), ua.EUInformation("u", 5, ua.LocalizedText("mm"), ua.LocalizedText())],
    V.DataValue: [ua.DataValue(ua.Variant(7, V.Int16)), DEEP], V.DiagnosticInfo: [ua.DiagnosticInfo(SymbolicId=3, AdditionalInfo="i")],
}  # fmt: skip
ARRAYS = {
    "Doubles": [ua.Variant([], V.Double, is_array=True), ua.Variant([-0.0, float("nan"), 5e-324], V.Double)],
    "Texts": [ua.Variant([None, "", "ä"], V.String)],
    "Matrix": [
        ua.Variant([[1], [-2], [3]], V.Int32, Dimensions=[3, 1], is_array=True),
        ua.Variant([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], V.Int32, Dimensions=[2, 2, 2], is_array=True),
    ],
    "Ranges": [ua.Variant([ua.Range(1.0, -0.0)] * 3, V.ExtensionObject, is_array=True)],
    "Mixed": [ua.Variant([ua.Variant([1, 2], V.UInt16), ua.Variant(-0.0, V.Double)], V.Variant, is_array=True)],
    "Nothing": [ua.Variant(None, V.Int16, is_array=True), ua.Variant([-1], V.Int16, is_array=True)],
}  # fmt: skip
NODES = {V.DataValue: "Nested", V.DiagnosticInfo: "Diagnosis"}
STATUSES = (0, 0x40000000, 0x80340000, 0x408F0000, 0x00000400, 0x4000048B)


@pytest.fixture
def field():
    peer = Peer(commands=True).start()
    yield peer
    peer.kill()


@pytest.fixture
async def broker(tmp_path):
    async with mosquitto(tmp_path) as broker:
        yield broker


def written(round_):
    """Name -> DataValue of a round; each has a status and a time of its own. (asyncua's server has no value with a bad
    status, and lays picoseconds in the wrong place.)"""
    found, now = {}, datetime.now(UTC).replace(microsecond=123457)
    lists = {
        NODES.get(kind, kind.name): [ua.Variant(value, kind) for value in some]
        for kind, some in VALUES.items()
    }
    for at, (name, some) in enumerate({**lists, **ARRAYS}.items()):
        status = ua.StatusCode(STATUSES[(round_ + at) % len(STATUSES)])
        source = now + timedelta(seconds=1, microseconds=at)
        found[name] = ua.DataValue(some[min(round_, len(some) - 1)], status, source)
    return found


def bridge(folder, field, broker, ports, names):
    """The first plant reads the field and publishes it; the second reads that and serves it."""
    near = chains.write(
        folder / "near",
        connections__field=chains.opcua(field.url),
        assets__line=chains.asset("line", "field", {name: chains.near(name) for name in names}),
        destinations__ua=chains.server(ports[0]),
        destinations__spb=chains.edge(broker.port),
        destinations__uns=chains.mqtt(broker.port),
    )
    far = chains.write(
        folder / "far",
        connections__near=chains.host(broker.port),
        assets__copy=chains.asset("copy", "near", {n: chains.far("weft.test.line", n) for n in names}),
        destinations__ua=chains.server(ports[1]),
    )
    return near, far


async def test_every_type_arrives_bit_for_bit_at_the_far_end(tmp_path, field, broker):
    names = list(written(0))
    ports = chains.free_port(), chains.free_port()
    folders = bridge(tmp_path, field, broker, ports, names)
    async with living(folders[0]) as near, living(folders[1]) as far:
        await until(lambda: all_up(near) and all_up(far) and chains.sending(near) and chains.sending(far))
        urls = [field.url, *(f"opc.tcp://127.0.0.1:{port}" for port in ports)]
        async with (
            chains.client(urls[0]) as source,
            chains.client(urls[1]) as one,
            chains.client(urls[2]) as two,
        ):
            space = await source.get_namespace_index("urn:peer:plant")
            nodes = [ua.NodeId(name, space) for name in names]
            for round_ in range(5):
                values = list(written(round_).values())
                answers = await source.uaclient.write_attributes(nodes, values)
                assert all(status.is_good() for status in answers)
                told = await chains.samples(source, nodes)
                ends = (one, "ns=2;s=weft/test/line/"), (two, "ns=2;s=weft/test/copy/")
                for client, place in ends:
                    await chains.equal(client, [place + name for name in names], names, told)


GUARDED = """
["line"]
connection = "field"
["line".signals.speed]
type = "Int64"
address = { node = "nsu=urn:peer:plant;s=counter0" }
write = { minimum = -10.0, maximum = 100.0, interlock = "{door} < 5" }
["line".signals.door]
address = { node = "nsu=urn:peer:plant;s=counter1" }
["line".signals.load]
address = { node = "nsu=urn:peer:plant;s=load" }
"""
DOORS = '[commands]\ndoors = ["cli", "http", "logic", "opcua", "sparkplug"]\n'


async def hand(folder, port, *values, node="ns=2;s=weft/test/line/speed"):
    """What node-opcua read, wrote and saw."""
    options = {"url": f"opc.tcp://127.0.0.1:{port}", "user": "mes", "password": "warp and weft", "node": node}
    options |= {"folder": folder, "write": ",".join(map(str, values))}
    words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
    done = await anyio.run_process(["node", "hand.js", *words], cwd=PEERS / "node-opcua", check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    lines = [json.loads(line) for line in done.stdout.decode().splitlines() if line.startswith("{")]
    return [(line["what"], line["found"]) for line in lines]


async def commands(house):
    """Kind, actor, door and status of all that was asked, in order."""
    found = []
    with anyio.move_on_after(1):
        async with house.bus.subscribe("events.v1.weft.command.>", start=after(0)) as stream:
            while True:
                events = [message.body for message in await stream.next(100)]
                found += [
                    (e.kind.rpartition(".")[2], e.data["via"], e.data.get("status", "")) for e in events
                ]
    return found


async def test_a_client_of_our_server_writes_through_the_guard_rails(tmp_path, field, node_opcua):
    port = chains.free_port()
    files = {"connections__field": chains.opcua(field.url), "assets__line": GUARDED}
    plant = chains.write(tmp_path / "plant", destinations__ua=chains.server(port), settings=DOORS, **files)
    async with living(plant) as house, chains.client(field.url) as source:
        await until(lambda: all_up(house) and chains.sending(house))
        found = await hand(tmp_path, port, 60, 61, 101)
        assert found[0] == ("read", [-1, "Int64", "Good"])
        assert found[1:4] == [
            ("written", [60, "Good"]), ("written", [61, "Good"]), ("written", [101, "BadOutOfRange"])
        ]  # fmt: skip
        assert found[4] == ("seen", [-1, 60, 61])
        speed = source.get_node(ua.NodeId("counter0", await source.get_namespace_index("urn:peer:plant")))
        assert await speed.read_value() == 61
        await field.tell("count", 2, 1, 7)
        assert ("written", [1, "BadInvalidState"]) in await hand(tmp_path, port, 1)
        assert ("written", [1, "BadNotWritable"]) in await hand(tmp_path, port, 1, node=NODE_DOOR)
        asked = await commands(house)
    good, refused = [("requested", "opcua", ""), ("done", "opcua", "Good")], ("refused", "opcua")
    assert asked == [*good, *good, (*refused, "BadOutOfRange"), (*refused, "BadInvalidState")]


async def test_nobody_writes_through_a_door_that_is_shut(tmp_path, field, node_opcua):
    port = chains.free_port()
    files = {"connections__field": chains.opcua(field.url), "assets__line": GUARDED}
    plant = chains.write(tmp_path / "plant", destinations__ua=chains.server(port), **files)
    async with living(plant) as house, chains.client(field.url) as source:
        await until(lambda: all_up(house) and chains.sending(house))
        assert ("written", [60, "BadUserAccessDenied"]) in await hand(tmp_path, port, 60)
        speed = source.get_node(ua.NodeId("counter0", await source.get_namespace_index("urn:peer:plant")))
        assert await speed.read_value() == -1
        assert await commands(house) == [("refused", "opcua", "BadUserAccessDenied")]


async def test_one_plant_commands_another_over_sparkplug(tmp_path, field, broker):
    """The near plant's guard rails decide; Sparkplug has no answer, so the far one believes only what comes back."""
    near = chains.write(
        tmp_path / "near",
        settings=DOORS,
        connections__field=chains.opcua(field.url),
        assets__line=GUARDED,
        destinations__spb=chains.edge(broker.port),
    )
    speed = chains.far("weft.test.line", "speed", 'type = "Int64"\nwrite = {}\n')
    far = chains.write(
        tmp_path / "far",
        connections__near=chains.host(broker.port),
        assets__copy=chains.asset("copy", "near", {"speed": speed}),
    )
    async with living(near) as giver, living(far) as taker, chains.client(field.url) as source:
        await until(lambda: all_up(giver) and all_up(taker) and chains.sending(giver))
        handle = taker.plant().signals["weft/test/copy/speed"].handle
        await until(lambda: len(taker.history.snapshot([handle])))
        counter = source.get_node(ua.NodeId("counter0", await source.get_namespace_index("urn:peer:plant")))

        async def ask(value):
            command = Command(signal="weft/test/copy/speed", value=value, actor="hand", via="cli")
            return await taker.commands.execute(command)

        done = await ask(60)
        assert (done.status, done.value, await counter.read_value()) == (0, 60, 60)
        refused = await ask(101)
        assert refused.status == 0x40000000, refused  # Uncertain: written, but the field reads 60
        assert await counter.read_value() == 60
        asked = await commands(giver)
    assert asked == [
        ("requested", "sparkplug", ""), ("done", "sparkplug", "Good"), ("refused", "sparkplug", "BadOutOfRange")
    ]  # fmt: skip
