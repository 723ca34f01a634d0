"""Signals whose place is a browse path."""

import pytest

from weft.connect import Point
from weft.connect.opcua import Address

pytestmark = pytest.mark.anyio


async def test_paths_are_found_on_connecting_and_a_missing_one_fails_nobody_else(peer, kit):
    space = "nsu=urn:peer:plant;"
    addresses = {
        "path": Address(path=f"{space}Types/Int32"),
        "from": Address(node="i=2253", path="0:ServerStatus/0:CurrentTime"),
        "node": Address(node=f"{space}s=String"),
        "missing": Address(path=f"{space}Types/Nobody"),
        "foreign": Address(path="nsu=urn:nowhere;Types"),
    }
    points = [Point(i, name, address) for i, (name, address) in enumerate(addresses.items())]
    async with kit.running(kit.config(peer.url), points) as link:
        await link.until(lambda: len({row.signal for row in link.rows}) == 3 and len(link.refused) == 2)
    assert link.of(0)[0].value == -12
    assert link.of(2)[0].value == "000123"
    assert link.refused["missing"][0] == 0x806F0000  # BadNoMatch
    assert link.refused["foreign"] == (
        0x80330000,
        "nsu=urn:nowhere;Types: the server has no namespace 'urn:nowhere'",
    )
