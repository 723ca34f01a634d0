"""Structures that only the server knows, and matrices, arrive as tables and nested lists."""

import pytest

from weft.model import ARRAY, ValueType

pytestmark = pytest.mark.anyio

POSE = {
    "Name": "home", "At": {"X": 1.0, "Y": 2.0}, "Path": [{"X": 0.0, "Y": 0.5}], "Turn": 1, "Codes": [7, -1], "Rest": 9
}  # fmt: skip


@pytest.mark.card("opcua", "types")
async def test_asyncua(make_peer, kit):
    peer = make_peer(structures=True)
    points = kit.points("Pose", "Poses")
    async with kit.connected(kit.config(peer.url), points) as (connector, link):
        await link.until(lambda: link.of(0) and link.of(1))
        read = {row.signal: row.value for row in await connector.read(points)}
    assert link.of(0)[0].value == read[0] == {"type": "Pose", "body": POSE}
    assert link.of(1)[0].value == read[1] == [{"type": "Pose", "body": POSE}] * 2
    assert link.of(1)[0].type == ValueType.EXTENSIONOBJECT | ARRAY
    assert link.of(0)[0].flags == 32


@pytest.mark.card("opcua", "outside_peer")
async def test_node_opcua(node_peer, kit):
    points = kit.points("Pose", "Grid", "Span", space="nsu=urn:node:plant;s=")
    async with kit.connected(kit.config(node_peer.url), points) as (_, link):
        await link.until(lambda: link.of(0) and link.of(1) and link.of(2))
    assert link.of(0)[0].value == {"type": "Pose", "body": {"Name": "home", "Codes": [7, -1]}}
    assert link.of(1)[0].value == [[1.0, 2.0], [3.0, 5.0]]
    assert link.of(2)[0].value == {"type": "Range", "body": {"Low": 1.0, "High": 2.0}}
