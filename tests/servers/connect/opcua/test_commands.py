"""Values written, values read at once, and methods called, at an asyncua server and at node-opcua's."""

import anyio
import pytest
from faults import Proxy

from weft.connect import Point, Write
from weft.connect.opcua import Address, OpcUa
from weft.model import ARRAY, ValueType, instant, quality
from weft.runtime import Invalid, NotFound, Retry

pytestmark = pytest.mark.anyio

TICKS = instant.to_filetime(instant.parse_instant("2026-11-21T06:00:00.1234567Z"))
WRITTEN = {
    "Boolean": False, "SByte": -128, "Byte": 255, "Int16": -(2**15), "UInt16": 1, "Int32": -12, "UInt32": 2**32 - 1,
    "Int64": -(2**63), "UInt64": 2**64 - 1, "Float": -0.25, "Double": 1e300, "String": "000123 ä",
    "Guid": "00000000-0000-0000-0000-00000000000a", "ByteString": b"\x01\x00", "XmlElement": "<b/>",
    "NodeId": "ns=3;s=y", "ExpandedNodeId": "i=85", "StatusCode": 0x80050000, "QualifiedName": "2:r",
    "LocalizedText": {"locale": "en", "text": "Hello"}, "ExtensionObject": {"type": "Range", "body": {"Low": -1.0, "High": 5.0}},
    "Doubles": [3.0, -4.5, 5.0], "Texts": ["x", ""], "Matrix": [[7, 8, 9], [-1, -2, -3]], "Nothing": [1, 2],
    "Mode": 2, "Duration": 2.5, "Numbers": [1, -1],
    "Ranges": [{"type": "Range", "body": {"Low": 0.0, "High": 1.0}}] * 2,
}  # fmt: skip
REFUSED = [
    ("SByte", 128, quality.BAD_OUT_OF_RANGE), ("Byte", -1, quality.BAD_OUT_OF_RANGE),
    ("Byte", 256, quality.BAD_OUT_OF_RANGE), ("Int16", 32768, quality.BAD_OUT_OF_RANGE),
    ("UInt16", -1, quality.BAD_OUT_OF_RANGE), ("Int32", 2**31, quality.BAD_OUT_OF_RANGE),
    ("UInt32", 2**32, quality.BAD_OUT_OF_RANGE), ("Int64", 2**63, quality.BAD_OUT_OF_RANGE),
    ("UInt64", 2**64, quality.BAD_OUT_OF_RANGE), ("Float", 1e39, quality.BAD_OUT_OF_RANGE),
    ("Int32", 1.5, quality.BAD_TYPE_MISMATCH), ("Int32", "1", quality.BAD_TYPE_MISMATCH),
    ("Boolean", 2, quality.BAD_TYPE_MISMATCH), ("String", 1, quality.BAD_TYPE_MISMATCH),
    ("Double", [1.0], quality.BAD_TYPE_MISMATCH), ("Doubles", 1.0, quality.BAD_TYPE_MISMATCH),
    ("Matrix", [1, 2, 3], quality.BAD_TYPE_MISMATCH), ("Matrix", [[1, 2, 3, 4]], quality.BAD_OUT_OF_RANGE),
    ("Matrix", [[1], [2, 3]], quality.BAD_TYPE_MISMATCH), ("Int32", float("nan"), quality.BAD_TYPE_MISMATCH),
    ("Guid", "no guid", quality.BAD_TYPE_MISMATCH), ("nowhere", 1, quality.BAD_NODE_ID_UNKNOWN),
]  # fmt: skip


@pytest.fixture(scope="module")
def commanded(make_shared_peer):
    return make_shared_peer(commands=True)


def points(kit, *names):
    return kit.points(*names)


async def written(kit, url, values, space="nsu=urn:peer:plant;s="):
    """What the nodes hold after writing, and the statuses."""
    asked = kit.points(*values, space=space)
    async with kit.connected(kit.config(url), asked) as (connector, _):
        statuses = await connector.write([Write(p, v) for p, v in zip(asked, values.values(), strict=True)])
        batch = await connector.read(asked)
    return statuses, {asked[row.signal].path[2:]: row for row in batch}


async def test_each_type_is_written_as_the_node_has_it(commanded, kit):
    statuses, found = await written(kit, commanded.url, WRITTEN)
    assert statuses == [0] * len(WRITTEN)
    assert {name: row.value for name, row in found.items()} == WRITTEN
    assert found["Mode"].type == ValueType.INT32
    assert found["Matrix"].type == ValueType.INT32 | ARRAY
    assert all(row.time > 0 for row in found.values())


async def test_a_date_keeps_its_100_ns(commanded, kit):
    for value in (TICKS, "2026-11-21T06:00:00.1234567Z"):
        asked = kit.points("DateTime")
        async with kit.connected(kit.config(commanded.url), asked) as (connector, _):
            assert await connector.write([Write(asked[0], value)]) == [0]
    # asyncua's server keeps microseconds; that all of it was sent is shown at node-opcua below


async def test_what_a_type_cannot_hold_is_never_wrapped(commanded, kit):
    names = [name for name, _, _ in REFUSED]
    before = kit.points(*{name: 0 for name in names if name != "nowhere"})
    asked = [Point(i, f"p/{i}", Address(node=f"nsu=urn:peer:plant;s={name}")) for i, name in enumerate(names)]
    async with kit.connected(kit.config(commanded.url), before) as (connector, _):
        was = [(row.signal, row.value) for row in await connector.read(before)]
        statuses = await connector.write(
            [Write(p, value) for p, (_, value, _) in zip(asked, REFUSED, strict=True)]
        )
        assert [(row.signal, row.value) for row in await connector.read(before)] == was
    assert list(zip(names, statuses, strict=True)) == [(name, status) for name, _, status in REFUSED]


async def test_a_node_that_may_not_be_written_fails_alone(peer, kit):
    asked = kit.points("Int32", "counter7")
    async with kit.connected(kit.config(peer.url), asked) as (connector, _):
        denied, done = await connector.write([Write(asked[0], 1), Write(asked[1], 77)])
    assert denied >= quality.BAD
    assert done == 0


async def test_methods(commanded, kit):
    folder = "nsu=urn:peer:plant;s=add"
    async with kit.connected(kit.config(commanded.url), kit.points("load")) as (connector, _):
        parent = await kit.parent_of(commanded.url, "Commands")
        assert await connector.call(parent, "add", [1, 2]) == [3, "1+2"]
        assert await connector.call(parent, folder, [-1, 2]) == [1, "-1+2"]
        with pytest.raises(Invalid, match="argument b.*outside of Int16"):
            await connector.call(parent, "add", [1, 40000])
        with pytest.raises(Invalid, match=r"2 arguments \(a, b\), not 1"):
            await connector.call(parent, "add", [1])
        with pytest.raises(NotFound, match="'subtract'"):
            await connector.call(parent, "subtract", [])
        with pytest.raises(Invalid, match="BadInvalidState"):
            await connector.call(parent, "refuse", [])
        with pytest.raises(Invalid):
            await connector.call("i=2253", "nsu=urn:none;s=x", [])


async def test_nothing_is_sent_before_the_line_is_up(kit):
    connector = OpcUa(kit.config("opc.tcp://127.0.0.1:1"))
    [point] = kit.points("load")
    for attempt in (
        connector.write([Write(point, 1)]),
        connector.read([point]),
        connector.call("i=1", "i=2", []),
    ):
        with pytest.raises(Retry):
            await attempt


async def test_a_write_that_is_not_answered_may_have_happened(commanded, kit):
    async with Proxy(commanded.options["port"]) as proxy:
        asked = kit.points("Int32")
        config = kit.config(f"opc.tcp://127.0.0.1:{proxy.port}", timeout=1.0)
        async with kit.connected(config, asked) as (connector, _):
            assert await connector.write([Write(asked[0], 1)]) == [0]
            proxy.stall()
            with anyio.fail_after(10):
                assert await connector.write([Write(asked[0], 2)]) == [quality.BAD_TIMEOUT]


async def test_node_opcua(node_peer, kit):
    space = "nsu=urn:node:plant;s="
    values = {
        "Boolean": False, "Int32": -7, "UInt64": 2**63 + 1, "Float": 0.75, "String": "ä", "Bytes": b"\x07",
        "Guid": "72962b91-fa75-4ae6-8d28-b404dc7daf64", "Text": {"locale": "en", "text": "Hi"}, "Doubles": [9.0],
        "Grid": [[1.0, 2.0], [3.0, 4.0]], "Span": {"type": "Range", "body": {"Low": 1.0, "High": 9.0}}, "Level": 1,
        "When": TICKS // 10_000 * 10_000,
    }  # fmt: skip
    statuses, found = await written(kit, node_peer.url, values, space)
    assert statuses == [0] * len(values)
    assert {name: row.value for name, row in found.items()} == values
    async with kit.connected(kit.config(node_peer.url), kit.points("Int32", space=space)) as (connector, _):
        assert await connector.call("nsu=urn:node:plant;s=Machine", "Double", [21]) == [42]
        with pytest.raises(Invalid, match="outside of UInt32"):
            await connector.call("nsu=urn:node:plant;s=Machine", "Double", [-1])


async def test_the_clocks_are_compared(commanded, kit):
    async with kit.connected(kit.config(commanded.url), kit.points("load")) as (connector, _):
        with anyio.fail_after(10):
            while connector.clock["receive_minus_server_ms"] is None:  # noqa: ASYNC110  # nothing is told of it
                await anyio.sleep(0.01)
    assert abs(connector.clock["receive_minus_server_ms"]) < 60_000
