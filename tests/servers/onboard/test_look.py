"""Looking for real servers on loopback: each is found under its own protocol, and nothing else is."""

import socket
from contextlib import asynccontextmanager

import anyio
import pytest
from servers.connect.mqtt.broker import Mosquitto, free_port

from weft import demo
from weft.connect import Scope
from weft.onboard import mdns
from weft.onboard.look import look

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def one_that_says(text):
    """A server that greets and means nothing."""

    async def greet(stream):
        async with stream:
            await stream.send(text)
            await anyio.sleep(5)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0) as listener,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, greet)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        group.cancel_scope.cancel()


async def test_each_is_found_under_its_own_protocol(tmp_path):
    broker = Mosquitto(tmp_path)
    await broker.start()
    try:
        async with (
            demo.Field(tmp_path / "field", processes=("mill", "washer")) as field,
            one_that_says(b"SSH-2.0-OpenSSH_9.2p1\r\n") as ssh,
            one_that_says(b"2026-01-01T00:00:00Z|execution|READY\n") as adapter,
        ):
            ports = (field.ports.mill, field.ports.washer, broker.port, ssh, adapter, free_port())
            with anyio.fail_after(30):
                places, _ = await look(Scope(hosts=("127.0.0.1",), ports=ports, listen=False, seconds=2.0))
        found = {
            (place.protocol, int(place.address.rpartition(":")[2].partition("/")[0])) for place in places
        }
        expected = {("opcua", ports[0]), ("modbus", ports[1]), ("mqtt", broker.port), ("shdr", adapter)}
        assert {pair for pair in found if pair[0] in {"opcua", "modbus", "mqtt", "shdr"}} == expected
    finally:
        broker.stop()


async def test_what_announces_itself_is_heard():
    from zeroconf import ServiceInfo
    from zeroconf.asyncio import AsyncZeroconf

    zeroconf = AsyncZeroconf(interfaces=["127.0.0.1"])
    kind = "_opcua-tcp._tcp.local."
    info = ServiceInfo(
        kind, f"Mill.{kind}", addresses=[socket.inet_aton("127.0.0.1")], port=4999, properties={"path": "/UA"},
        server="mill.local.",
    )  # fmt: skip
    try:
        await zeroconf.async_register_service(info)
        with anyio.fail_after(20):
            places = await mdns.listen(2.0, interfaces=["127.0.0.1"])
    except OSError as error:
        pytest.skip(f"no multicast here: {error}")
    finally:
        await zeroconf.async_unregister_all_services()
        await zeroconf.async_close()
    (place,) = [place for place in places if place.title == "Mill"]
    assert (place.address, place.config["endpoint"]) == ("opc.tcp://127.0.0.1:4999/UA",) * 2
