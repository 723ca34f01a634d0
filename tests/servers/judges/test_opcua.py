"""OPC UA: what our client and our server say, and the values in it, as tshark reads them."""

import struct
from datetime import UTC, datetime

import anyio
import judge
import pytest
from asyncua import Client, ua
from servers.connect.opcua.conftest import Kit, Peer
from servers.destinations.opcua.conftest import Kit as House

from weft.connect import Recorder
from weft.connect.opcua import OpcUa

pytestmark = pytest.mark.anyio
PUBLISH_RESPONSE = "829"
# Name of the peer's variable, which is the built-in type's, and tshark's reading as ours.
SCALARS = {
    "Boolean": lambda text: text in ("1", "True"),
    "SByte": int,
    "Byte": int,
    "Int16": int,
    "UInt16": int,
    "Int32": int,
    "UInt32": int,
    "Int64": int,
    "UInt64": int,
    "Float": float,
    "Double": float,
    "String": str,
    "StatusCode": lambda text: int(text, 16),
    "ByteString": lambda text: bytes.fromhex(text.replace(":", "")),
}


def messages(layers, service):
    """The messages of a service, several of which may share a frame."""
    for frame in layers:
        found = frame.get("opcua", [])
        for message in found if isinstance(found, list) else [found]:
            if service in judge.values(message, "opcua.servicenodeid.numeric"):
                yield message


def changes(layers):
    """(client handle, its DataValue) of each data change that a server has told."""
    for message in messages(layers, PUBLISH_RESPONSE):
        for name, item in judge.walk(message):
            if name.endswith(": MonitoredItemNotification"):
                yield int(item["opcua.ClientHandle"]), item["Value: DataValue"]


def ticks(text):
    """Nanoseconds of a time as tshark writes it."""
    whole, _, rest = text.removesuffix(" UTC").partition(".")
    moment = datetime.strptime(whole, "%b %d, %Y %H:%M:%S").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 10**9 + int(rest.ljust(9, "0"))


async def test_values_that_our_client_reads(tmp_path):
    peer = Peer().start()
    try:
        async with judge.recording(peer.options["port"], 4840) as proxy:
            link = Recorder(Kit.points(*SCALARS))
            with anyio.fail_after(30):
                async with anyio.create_task_group() as group:
                    connector = OpcUa(Kit.config(f"opc.tcp://127.0.0.1:{proxy.port}"))
                    group.start_soon(connector.run, link)
                    await link.until(lambda: len({row.signal for row in link.rows}) == len(SCALARS))
                    group.cancel_scope.cancel()
    finally:
        peer.kill()
    theirs = dict(changes(proxy.judged(tmp_path)))
    ours = {row.signal: row for row in link.rows}
    for i, (name, read) in enumerate(SCALARS.items()):
        told = theirs[i + 1]  # client handles are counted from 1
        [text] = judge.values(told["Value: Variant"], f"opcua.{name}")
        assert same(ours[i].value, read(text)), name
        assert ours[i].status == int(told.get("opcua.StatusCode", "0"), 16)
        assert ours[i].time == ticks(told["opcua.datavalue.SourceTimestamp"]), name


def same(ours, theirs):
    if isinstance(ours, float):
        return struct.pack("<d", ours) == struct.pack("<d", theirs)
    return ours == theirs


class Watch:
    """Waits until a client was told all of some values."""

    def __init__(self, wanted):
        self.wanted = set(wanted)
        self.all = anyio.Event()

    def datachange_notification(self, node, value, data):
        self.wanted.discard(value)
        if not self.wanted:
            self.all.set()


async def test_values_that_our_server_tells(tmp_path):
    plant = House.plant(tmp_path / "feed")
    watch = Watch({6.25, -8})
    async with (
        House.serving(plant, House.config(users={}, anonymous=True, insecure=True)) as server,
        judge.recording(server.port, 4840) as proxy,
        Client(f"opc.tcp://127.0.0.1:{proxy.port}") as client,
    ):
        subscription = await client.create_subscription(50, watch)
        nodes = [client.get_node(f"ns=2;s={signal.path}") for signal in plant.signals]
        await subscription.subscribe_data_change(nodes)
        plant.put((0, House.T + 10**9, 6.25, 11), (1, House.T + 10**9, -8, 6, 0x40000000))
        with anyio.fail_after(20):
            await watch.all.wait()
        for child in await client.nodes.objects.get_children():
            assert await child.read_browse_name()
    layers = proxy.judged(tmp_path)
    told = [value for _, value in changes(layers)]
    [load] = [value for value in told if judge.values(value, "opcua.Double") == ["6.25"]]
    [speed] = [value for value in told if judge.values(value, "opcua.Int32") == ["-8"]]
    assert ticks(load["opcua.datavalue.SourceTimestamp"]) == (House.T + 10**9) // 100 * 100
    assert int(speed["opcua.StatusCode"], 16) == 0x40000000
    faults = list(messages(layers, str(ua.ObjectIds.ServiceFault_Encoding_DefaultBinary)))
    assert not faults
