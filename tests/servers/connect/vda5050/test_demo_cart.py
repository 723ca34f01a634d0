"""The model factory's cart, judged by the master control of vda-5050-lib, and driven by our own connector."""

import anyio
import pytest
from servers.connect.mqtt.broker import running as broker_running
from servers.connect.vda5050.peer import running
from servers.connect.vda5050.test_cart import CART, control, edge, last, node, order, points

from weft.connect.testing import Recorder
from weft.demo.cart import Cart
from weft.demo.cart_link import CartLink
from weft.model import Kind
from weft.runtime import Invalid

pytestmark = pytest.mark.anyio


async def start(group, broker, **settings):
    link = CartLink(Cart(**settings), manufacturer="weft", serial="0001")
    await group.start(link.run, "127.0.0.1", broker.port)


async def test_the_master_control_of_others_finds_no_fault(tmp_path):
    async with broker_running(tmp_path) as broker, anyio.create_task_group() as group:
        await start(group, broker, speed=10)
        async with running("master.js", broker.port, *CART.split("/")) as master:
            done = await master.until("done")
            said = master.lines
        group.cancel_scope.cancel()
    assert "error" not in {line.split(" ")[0] for line in said}, said
    assert "connection ONLINE" in said
    assert "factsheet demo cart" in said
    assert [line for line in said if line.startswith("node")] == ["node a", "node b", "node c"]
    assert "action p1 FINISHED" in said
    assert "order finished" in said
    assert "far refused noRouteError" in said
    assert int(done.split(" ")[1]) > 5


async def test_our_connector_drives_it(tmp_path):
    link = Recorder(points())
    async with (
        broker_running(tmp_path) as broker,
        control(broker, link) as connector,
        anyio.create_task_group() as group,
    ):
        await start(group, broker, speed=20)
        await link.until(lambda: last(link, "agvPosition.x") == 0)
        way = [node("a", 0, 0.0), node("b", 2, 2.0)]
        assert await connector.call(CART, "order", [order("o", 0, way, [edge("e", 1, "a", "b")])]) == ["o", 0]
        await link.until(lambda: last(link, "lastNodeId") == "b")
        with pytest.raises(Invalid, match="noRouteError"):
            await connector.call(CART, "order", [order("far", 0, [node("x", 0, 99.0)], [])])
        group.cancel_scope.cancel()
    documents = [data for kind, data, _ in link.events if kind == Kind.DOCUMENT]
    assert documents[0]["id"] == f"{CART}/factsheet"
