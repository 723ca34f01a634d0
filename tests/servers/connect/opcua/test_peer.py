"""The connector on an asyncua server: all types, refusals, every value counted, changes of the plant, browse."""

import itertools

import anyio
import pytest

from weft.connect import Point
from weft.connect.opcua import Address, OpcUa
from weft.model import ARRAY, Flag, ValueType, instant, quality

pytestmark = pytest.mark.anyio

EXPECTED = {
    "Boolean": True, "SByte": -5, "Byte": 200, "Int16": -12, "UInt16": 65535, "Int32": -12, "UInt32": 2**32 - 1,
    "Int64": -(2**63), "UInt64": 2**64 - 1, "Float": 0.5, "Double": -0.0, "String": "000123",
    "DateTime": instant.to_filetime(instant.parse_instant("2026-11-21T06:00:00.123456Z")),
    "Guid": "00000000-0000-0000-0000-000000000007", "ByteString": b"\x00\xff", "XmlElement": "<a/>",
    "NodeId": "ns=3;s=x", "ExpandedNodeId": "ns=3;s=x", "StatusCode": 0x80340000, "QualifiedName": "2:q",
    "LocalizedText": {"locale": "de", "text": "Guten Tag"},
    "ExtensionObject": {"type": "Range", "body": {"Low": 1.0, "High": 2.0}},
}  # fmt: skip
ARRAYS = {
    "Doubles": (ValueType.DOUBLE, [1.0, 2.5]),
    "Texts": (ValueType.STRING, ["a", None, ""]),
    "Matrix": (ValueType.INT32, [[1, 2, 3], [4, 5, 6]]),
    "Ranges": (ValueType.EXTENSIONOBJECT, [{"type": "Range", "body": {"Low": 1.0, "High": 2.0}}]),
    "Mixed": (ValueType.VARIANT, [{"type": "Byte", "value": 1}, {"type": "String", "value": "z"}]),
    "Nothing": (ValueType.INT16, []),
}


@pytest.mark.card("opcua", "types")
@pytest.mark.card("opcua", "reads")
async def test_all_types_arrive_as_they_are(peer, kit):
    names = [*EXPECTED, *ARRAYS, "Nested", "Diagnosis"]
    async with kit.running(kit.config(peer.url), kit.points(*names)) as link:
        await link.until(lambda: len(link.rows) >= len(names))
    found = {names[row.signal]: row for row in link.rows}
    for name, value in EXPECTED.items():
        assert (found[name].type, found[name].value) == (ValueType[name.upper()], value), name
    for name, (kind, value) in ARRAYS.items():
        assert (found[name].type, found[name].value) == (kind | ARRAY, value), name
    assert found["Nested"].value == {"type": "Int16", "value": 7, "status": 0}
    assert found["Diagnosis"].value == {"additional": "d"}
    assert not link.refused


@pytest.mark.card("opcua", "bad_signal")
async def test_a_bad_node_fails_nobody_else_and_is_served_once_it_is_there(make_peer, kit, monkeypatch):
    monkeypatch.setattr("weft.connect.opcua.monitoring.RETRY_REFUSED", 0.2)
    peer = make_peer()
    points = [*kit.points("late", "load"), Point(2, "p/far", Address(node="nsu=urn:nowhere;i=1"))]
    async with kit.running(kit.config(peer.url), points) as link:
        await link.until(lambda: link.of(1) and len(link.refused) == 2)
        assert link.refused["p/late"][0] == quality.BAD_NODE_ID_UNKNOWN
        assert "urn:nowhere" in link.refused["p/far"][1]
        await peer.tell("add")
        await link.until(lambda: link.of(0))
    assert [row.value for row in link.of(0)] == [7.0]
    assert len(link.of(1)) == 1


@pytest.mark.card("opcua", "reads")
@pytest.mark.card("opcua", "source_time")
async def test_every_value_counted_in_order(peer, kit):
    """20 nodes, 300 numbered values each: all of them, in order, with times that never go back."""
    nodes, values = 20, 300
    points = kit.points(*[f"counter{i}" for i in range(nodes)], queue_size=1000)
    async with kit.running(kit.config(peer.url), points) as link:
        await link.until(lambda: len(link.rows) >= nodes)
        seen = len(link.rows)
        await peer.tell("count", nodes, values, 0)
        await link.until(lambda: len(link.rows) >= seen + nodes * values, 20)
    for point in points:
        rows = link.of(point.handle)
        assert [row.value for row in rows[1:]] == list(range(values))
        assert rows[0].flags == Flag.FIRST
        assert all(row.flags == 0 for row in rows[1:])
        assert all(a.time <= b.time for a, b in itertools.pairwise(rows))


@pytest.mark.card("opcua", "update_without_reconnect")
async def test_other_signals_without_reconnecting(peer, kit):
    first, second, third = kit.points("counter1", "counter2", "counter3")
    async with kit.running(kit.config(peer.url), [first, second]) as link:
        await link.until(lambda: link.of(0) and link.of(1))
        link.update((second, third))
        await link.until(lambda: bool(link.of(2)))
        before = len(link.of(0))
        await peer.tell("count", 4, 5, 1000)
        await link.until(lambda: len(link.of(2)) >= 2 and len(link.of(1)) >= 2)
    assert len(link.of(0)) == before
    assert sum(bool(row.flags & Flag.FIRST) for row in link.of(1)) == 1
    assert [detail.rpartition(": ")[2] for detail in link.details] == ["2 of 2 signals"] * 2


async def test_more_items_than_one_chunk_and_the_same_node_twice(peer, kit, monkeypatch):
    monkeypatch.setattr("weft.connect.opcua.items.CHUNK", 7)
    points = kit.points(*[f"counter{i}" for i in range(20)] * 2)
    points = [Point(i, f"p/{i}", point.address) for i, point in enumerate(points)]
    async with kit.running(kit.config(peer.url), points) as link:
        await link.until(lambda: {row.signal for row in link.rows} == set(range(40)))


async def test_a_short_queue_keeps_the_newest(peer, kit):
    points = kit.points("counter5", queue_size=2)
    async with kit.running(kit.config(peer.url, publishing_interval=0.5), points) as link:
        await link.until(lambda: bool(link.rows))
        await peer.tell("count", 6, 50, 5000)
        await link.until(lambda: link.rows[-1].value == 5049)
    assert len(link.rows) < 52


@pytest.mark.card("opcua", "browse")
async def test_browse_lists_variables_with_type_unit_and_value(peer, kit):
    found = {}
    with anyio.fail_after(20):
        async for one in OpcUa(kit.config(peer.url)).browse():
            found[one.name] = one
    assert found["load"].unit == "Cel"
    assert (found["load"].type, found["load"].value) == (ValueType.DOUBLE, 1.5)
    assert found["load"].folder == "Types/Counters"
    assert (found["Int32"].type, found["Int32"].value) == (ValueType.INT32, -12)
    assert found["Matrix"].value == [[1, 2, 3], [4, 5, 6]]
    assert "EngineeringUnits" not in found
    address = Address(**found["load"].address)
    below = [one async for one in OpcUa(kit.config(peer.url)).browse(address.node)]
    assert [(one.value, one.unit) for one in below] == [(1.5, "Cel")]


async def test_probe_names_the_server_and_its_security(peer, kit):
    text = await OpcUa(kit.config(peer.url)).probe()
    assert text.startswith("peer (")
    assert "Basic256Sha256/SignAndEncrypt" in text
    assert "none" in text
