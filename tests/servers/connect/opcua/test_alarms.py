"""Alarms and conditions of a node-opcua server: received, refreshed, acknowledged, confirmed."""

import pytest
from faults import Proxy

from weft.connect.opcua import OpcUa
from weft.connect.testing import Recorder
from weft.model import Kind
from weft.runtime import Invalid

pytestmark = pytest.mark.anyio

SERVER = "i=2253"
AREA = "nsu=urn:node:plant;s=Area"
ACKNOWLEDGE, CONFIRM = "i=9111", "i=9113"


def alarms(link):
    return [
        data for kind, data, _ in link.events if kind == Kind.ALARM and data.get("name") == "PressureHigh"
    ]


@pytest.fixture
def calm(node_peer):
    """The peer with a pressure in its limits, the last alarm dealt with."""
    return node_peer


async def test_an_alarm_comes_is_acknowledged_confirmed_and_goes(calm, kit):
    config = kit.config(calm.url, events=(SERVER,))
    async with kit.connected(config, kit.points("Int32", space="nsu=urn:node:plant;s=")) as (connector, link):
        await calm.tell("pressure", "50")
        await link.until(lambda: any(data.get("active") for data in alarms(link)))
        raised = next(data for data in alarms(link) if data.get("active"))
        assert raised["source"].endswith("Pump")
        assert (raised["acked"], raised["enabled"], raised["retain"], raised["branch"]) == (
            False,
            True,
            True,
            "",
        )
        assert (raised["high_limit"], raised["high_high_limit"]) == (10.0, 100.0)
        assert raised["severity"] > 0
        assert isinstance(raised["message"], str)
        time = next(time for _, data, time in link.events if data is raised)
        assert abs(time - link.clock.now()) < 60e9
        event = bytes.fromhex(raised["event"])
        assert await connector.call(raised["condition"], ACKNOWLEDGE, [event, "seen"]) == []
        await link.until(lambda: any(data.get("acked") for data in alarms(link)))
        acked = next(data for data in alarms(link) if data.get("acked"))
        event = bytes.fromhex(acked["event"])
        await connector.call(raised["condition"], CONFIRM, [event, {"locale": "en", "text": "done"}])
        await link.until(lambda: any(data.get("confirmed") for data in alarms(link)))
        with pytest.raises(Invalid, match="BadEventIdUnknown|BadConditionBranchAlreadyAcked"):
            await connector.call(raised["condition"], ACKNOWLEDGE, [b"\0" * 16, "x"])
        await calm.tell("pressure", "5")
        await link.until(lambda: alarms(link)[-1].get("active") is False)
    assert all(data.get("condition") for kind, data, _ in link.events if kind == Kind.ALARM)


async def test_an_alarm_that_stands_already_is_told_after_connecting(calm, kit):
    await calm.tell("pressure", "500")
    async with kit.connected(kit.config(calm.url, events=(AREA,)), ()) as (_, link):
        await link.until(lambda: any(data.get("active") for data in alarms(link)))
        assert alarms(link)[-1]["limit_state"]["text"] == "HighHigh"
    await calm.tell("pressure", "5")


async def test_alarms_of_an_outage_are_received_afterwards(calm, kit):
    async with Proxy(int(calm.url.rpartition(":")[2])) as proxy:
        config = kit.config(f"opc.tcp://127.0.0.1:{proxy.port}", events=(SERVER,))
        connector, link = OpcUa(config), Recorder(())
        async with kit.line_of(connector, link):
            await link.until(lambda: bool(link.details))
            proxy.cut()
            await calm.tell("pressure", "60")
            await calm.tell("pressure", "6")
            proxy.resume()
            await link.until(lambda: any(data.get("active") for data in alarms(link)))
            await link.until(lambda: alarms(link)[-1].get("active") is False)


async def test_a_node_without_events_is_named_and_disturbs_nobody(calm, kit):
    config = kit.config(calm.url, events=("nsu=urn:node:plant;s=Missing", "nsu=urn:none;s=x", SERVER))
    points = kit.points("Int32", space="nsu=urn:node:plant;s=")
    async with kit.connected(config, points) as (_, link):
        await link.until(lambda: bool(link.of(0)))
        assert "no events of nsu=urn:node:plant;s=Missing: BadNodeIdUnknown" in link.details[0]
        assert "no events of nsu=urn:none;s=x" in link.details[0]
