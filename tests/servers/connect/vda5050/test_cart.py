"""Carts of vda-5050-lib on mosquitto: what they say is read, what they are told they do."""

from contextlib import asynccontextmanager

import anyio
import pytest
from servers.connect.mqtt.broker import running as broker_running
from servers.connect.vda5050.peer import running

from weft.connect.api import Point
from weft.connect.line import Line, LineState
from weft.connect.testing import Recorder
from weft.connect.vda5050 import Address, Config, Vda5050
from weft.model import Flag, Kind, ValueType, quality
from weft.runtime import Invalid, Retry, SystemClock

pytestmark = pytest.mark.anyio

CART = "weft/0001"
PATHS = (
    "agvPosition.x",
    "driving",
    "lastNodeId",
    "batteryState.batteryCharge",
    "nodeStates.length",
    "orderId",
)


def points():
    read = [Point(i, path, Address(cart=CART, path=path)) for i, path in enumerate(PATHS)]
    connection = Address(cart=CART, path="connectionState", topic="connection")
    return [
        *read,
        Point(9, "connection", connection),
        Point(10, "x", Address(cart=CART, path="velocity.vx", topic="visualization")),
    ]


@asynccontextmanager
async def control(broker, link, **settings):
    """The connector at work; up when this begins."""
    connector = Vda5050(Config(host="127.0.0.1", port=broker.port, **settings))
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: bool(link.details))
        try:
            yield connector
        finally:
            group.cancel_scope.cancel()


def node(name, sequence, x, *, released=True, actions=()):
    position = {"x": x, "y": 0.0, "theta": 0.0, "mapId": "hall"}
    return {
        "nodeId": name, "sequenceId": sequence, "released": released, "nodePosition": position,
        "actions": list(actions),
    }  # fmt: skip


def edge(name, sequence, start, end, *, released=True):
    return {
        "edgeId": name, "sequenceId": sequence, "released": released, "startNodeId": start, "endNodeId": end,
        "actions": [],
    }  # fmt: skip


def order(id, update, nodes, edges):
    return {"orderId": id, "orderUpdateId": update, "nodes": nodes, "edges": edges}


def last(link, path):
    rows = link.of(PATHS.index(path))
    return rows[-1].value if rows else None


@pytest.mark.card("vda5050", "reads")
@pytest.mark.card("vda5050", "types")
@pytest.mark.card("vda5050", "source_time")
@pytest.mark.card("vda5050", "outside_peer")
async def test_a_cart_of_others_is_read_and_driven(tmp_path):
    link = Recorder(points())
    async with (
        broker_running(tmp_path) as broker,
        control(broker, link) as connector,
        running("cart.js", broker.port, *CART.split("/")) as cart,
    ):
        await cart.until("ready")
        await link.until(lambda: last(link, "agvPosition.x") == 0)
        released = [node("start", 0, 0.0), node("a", 2, 5.0)]
        planned = [node("b", 4, 10.0, released=False)]
        first = order(
            "o1",
            0,
            released + planned,
            [edge("e1", 1, "start", "a"), edge("e2", 3, "a", "b", released=False)],
        )
        assert await connector.call(CART, "order", [first]) == ["o1", 0]
        assert await connector.call(CART, "order", [first]) == ["o1", 0]  # known already: no harm
        await link.until(lambda: last(link, "lastNodeId") == "a", 20)
        update = order("o1", 1, [node("a", 2, 5.0), node("b", 4, 10.0)], [edge("e2", 3, "a", "b")])
        assert await connector.call(CART, "order", [update]) == ["o1", 1]
        await link.until(lambda: last(link, "lastNodeId") == "b" and last(link, "driving") is False, 20)
        assert last(link, "nodeStates.length") == 0
    x = [row for row in link.of(0) if not row.flags & Flag.SYNTHETIC]
    assert {row.type for row in x} <= {ValueType.DOUBLE, ValueType.INT64}
    assert x[-1].value == pytest.approx(10, abs=0.5)
    assert not any(row.flags & Flag.RECEIVE_TIME for row in x)
    assert [row.time for row in x] == sorted(row.time for row in x)
    assert link.of(3)[0].type in (ValueType.DOUBLE, ValueType.INT64)
    assert link.of(9)[0].value == "ONLINE"
    assert link.of(10)
    assert not link.gaps


async def test_what_a_cart_would_refuse_is_refused_before_and_what_it_refuses_is_told(tmp_path):
    link = Recorder(points())
    async with (
        broker_running(tmp_path) as broker,
        control(broker, link) as connector,
        running("cart.js", broker.port, *CART.split("/")) as cart,
    ):
        await cart.until("ready")
        await link.until(lambda: last(link, "agvPosition.x") == 0)
        far = order("far", 0, [node("x", 0, 99.0)], [])
        with pytest.raises(Invalid, match="noRouteError"):
            await connector.call(CART, "order", [far])
        await link.until(lambda: any(kind == Kind.ALARM for kind, _, _ in link.events))
        alarm = next(data for kind, data, _ in link.events if kind == Kind.ALARM)
        assert (alarm["name"], alarm["active"], alarm["source"]) == ("noRouteError", True, CART)
        assert alarm["references"]["orderId"] == "far"
        with pytest.raises(Invalid, match=r"edges\[0\].endNodeId"):
            await connector.call(
                CART, "order", [order("o", 0, [node("a", 0, 0), node("b", 2, 1)], [edge("e", 1, "a", "c")])]
            )
        with pytest.raises(Invalid, match="no cart|No cart"):
            await connector.call("weft/0002", "order", [far])
        way = [node("start", 0, 0.0), node("far", 2, 500.0)]
        assert await connector.call(CART, "order", [order("long", 0, way, [edge("e", 1, "start", "far")])])
        await link.until(lambda: last(link, "driving") is True)
        with pytest.raises(Invalid, match="busy with the order 'long'"):
            await connector.call(CART, "order", [order("other", 0, [node("start", 0, 0.0)], [])])
        [[_, status]] = await connector.call(CART, "startPause", [])
        assert status == "FINISHED"
        [[_, status]] = await connector.call(CART, "stopPause", [])
        [[_, status]] = await connector.call(CART, "cancelOrder", [])
        assert status == "FINISHED"
        with pytest.raises(Invalid, match="order"):
            await connector.call(CART, "cancelOrder", [])
        with pytest.raises(Invalid, match="method 'fly'"):
            await connector.call(CART, "fly", [])


@pytest.mark.card("vda5050", "line_quality")
async def test_a_cart_that_goes_leaves_bad_quality_however_it_goes(tmp_path):
    link = Recorder(points())
    async with broker_running(tmp_path) as broker, control(broker, link) as connector:
        for farewell, status, word in (
            ("stop", quality.BAD_NOT_CONNECTED, "OFFLINE"),
            ("kill", quality.BAD_NO_COMMUNICATION, "CONNECTIONBROKEN"),
        ):
            async with running("cart.js", broker.port, *CART.split("/")) as cart:
                await cart.until("ready")
                await link.until(lambda: bool(link.of(0)) and link.of(0)[-1].status == 0)
                await (cart.say("stop") if farewell == "stop" else anyio.lowlevel.checkpoint())
                if farewell == "kill":
                    cart.kill()
                await cart.ended()
                await link.until(lambda word=word: link.of(9)[-1].value == word)
            rows = link.of(0)
            assert (rows[-1].status, rows[-1].value) == (status, None)
            assert rows[-1].flags & Flag.SYNTHETIC
            assert rows[-1].time >= max(row.time for row in rows)
            with pytest.raises(Retry, match=word.lower()):
                await connector.call(CART, "startPause", [])


@pytest.mark.card("vda5050", "browse")
async def test_browse_lists_a_cart_s_fields_with_their_units(tmp_path):
    async with broker_running(tmp_path) as broker, running("cart.js", broker.port, *CART.split("/")) as cart:
        await cart.until("ready")
        connector = Vda5050(Config(host="127.0.0.1", port=broker.port))
        found = {item.name: item async for item in connector.browse()}
        assert [item async for item in connector.browse("other/")] == []
        assert "with 1 carts, 1 of them online" in await connector.probe()
    assert found["agvPosition.x"].unit == "m"
    assert found["agvPosition.x"].value == 0
    assert found["agvPosition.x"].address == {"cart": CART, "path": "agvPosition.x"}
    assert found["batteryState.batteryCharge"].unit == "%"
    assert found["connection"].value == "ONLINE"
    assert found["nodeStates.length"].value == 0


@pytest.mark.card("vda5050", "reconnect")
async def test_the_broker_comes_back_and_so_do_the_carts(tmp_path):
    kept, told = [], []

    def forward(batch, done):
        kept.extend(batch)
        if done is not None:
            done()

    async with (
        broker_running(tmp_path) as broker,
        running("cart.js", broker.port, *CART.split("/")) as cart,
        anyio.create_task_group() as group,
    ):
        await cart.until("ready")
        connector = Vda5050(Config(host="127.0.0.1", port=broker.port))
        line = Line("carts", connector, points(), clock=SystemClock(), forward=forward, tell=told.append)
        group.start_soon(line.run)
        await until(lambda: any(row.signal == 0 and row.status == 0 for row in kept))
        broker.kill()
        await until(lambda: line.status.state is LineState.DOWN)
        assert kept[-1].status == quality.BAD_NO_COMMUNICATION
        await broker.start()
        count = len(kept)
        await until(lambda: any(row.signal == 0 and row.status == 0 for row in kept[count:]))
        group.cancel_scope.cancel()


async def until(condition, seconds=20.0):
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110  # a line has no event for this
            await anyio.sleep(0.01)
