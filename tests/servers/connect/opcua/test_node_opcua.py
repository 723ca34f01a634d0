"""The connector on software of others: a node-opcua server."""

import anyio
import pytest

from weft.connect.opcua import OpcUa
from weft.model import ARRAY, Flag, ValueType, quality

pytestmark = [pytest.mark.anyio, pytest.mark.card("opcua", "outside_peer")]

SPACE = "nsu=urn:node:plant;s="


@pytest.fixture(scope="module")
def node(node_peer):
    return node_peer


async def test_values_and_statuses(node, kit):
    expected = {
        "Boolean": (ValueType.BOOLEAN, True),
        "Int32": (ValueType.INT32, -12),
        "UInt64": (ValueType.UINT64, 2**64 - 1),
        "Float": (ValueType.FLOAT, 0.5),
        "String": (ValueType.STRING, "000123"),
        "Guid": (ValueType.GUID, "72962b91-fa75-4ae6-8d28-b404dc7daf63"),
        "Bytes": (ValueType.BYTESTRING, b"\x00\xff"),
        "Text": (ValueType.LOCALIZEDTEXT, {"locale": "de", "text": "Guten Tag"}),
        "Doubles": (ValueType.DOUBLE | ARRAY, [1.0, 2.5]),
        "Temperature": (ValueType.DOUBLE, 21.5),
    }
    points = kit.points(*expected, "Failed", "Missing", space=SPACE)
    async with kit.running(kit.config(node.url), points) as link:
        await link.until(lambda: len(link.rows) >= len(expected) + 1 and len(link.refused) == 1)
        await link.until(lambda: bool(link.details))
    rows = {points[row.signal].path[2:]: row for row in link.rows}
    assert {name: (rows[name].type, rows[name].value) for name in expected} == expected
    assert rows["Failed"].status == quality.BAD_SENSOR_FAILURE
    assert link.refused["p/Missing"][0] == quality.BAD_NODE_ID_UNKNOWN
    assert link.details[0].startswith("node peer")


@pytest.mark.card("opcua", "reads")
async def test_every_value_counted_in_order(node, kit):
    points = kit.points(
        *[f"counter{i}" for i in range(10)], space=SPACE, sampling_interval=0.0, queue_size=2000
    )
    async with kit.running(kit.config(node.url), points) as link:
        await link.until(lambda: len(link.rows) >= 10)
        await node.tell("count", 10, 500, 0)
        await link.until(lambda: len(link.rows) >= 10 + 5000, 20)
    for point in points:
        assert [row.value for row in link.of(point.handle)][1:] == list(range(500))


async def test_overflow_of_the_servers_queue_is_marked(node, kit):
    points = kit.points("counter9", space=SPACE, sampling_interval=0.0, queue_size=3)
    async with kit.running(kit.config(node.url, publishing_interval=0.5), points) as link:
        await link.until(lambda: bool(link.rows))
        await node.tell("count", 10, 100, 1000)
        await link.until(lambda: link.rows[-1].value == 1099)
    marked = [row for row in link.rows if row.flags & Flag.OVERFLOW]
    assert marked
    assert all(row.status & 0x480 == 0x480 for row in marked)


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes256Sha256RsaPss"])
async def test_encrypted(node, kit, tmp_path, policy):
    config = kit.config(
        node.url,
        security="SignAndEncrypt",
        policy=policy,
        certificates=str(tmp_path),
        trust_on_first_use=True,
    )
    async with kit.running(config, kit.points("Int32", "String", space=SPACE)) as link:
        await link.until(lambda: len(link.rows) >= 2)


@pytest.mark.card("opcua", "browse")
async def test_browse(node, kit):
    with anyio.fail_after(20):
        found = {one.name: one async for one in OpcUa(kit.config(node.url)).browse()}
    assert found["Temperature"].unit == "Cel"
    assert (found["UInt64"].type, found["UInt64"].value) == (ValueType.UINT64, 2**64 - 1)
    assert found["Failed"].status == quality.BAD_SENSOR_FAILURE
    assert found["counter3"].folder == "Machine"
