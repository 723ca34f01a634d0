"""Looking for real servers on loopback: each is found under its own protocol, and nothing else is."""

import socket
import subprocess
import sys
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest
from servers.connect.mqtt.broker import Mosquitto, free_port

from weft import demo
from weft.connect import Scope
from weft.onboard import mdns
from weft.onboard.address import offered, recognised
from weft.onboard.look import look
from weft.runtime import Invalid

pytestmark = pytest.mark.anyio

S7_PEER = Path(__file__).parents[1] / "connect" / "s7" / "peer.py"


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


def program(stack, *command):
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    stack.callback(process.wait)
    stack.callback(process.kill)


async def listening(port):
    with anyio.fail_after(15):
        while True:
            try:
                stream = await anyio.connect_tcp("127.0.0.1", port)
            except OSError:
                await anyio.sleep(0.05)
            else:
                await stream.aclose()
                return


async def test_each_is_found_under_its_own_protocol(tmp_path):
    broker, s7, enip = Mosquitto(tmp_path), free_port(), free_port()
    await broker.start()
    with ExitStack() as stack:
        stack.callback(broker.stop)
        program(stack, str(S7_PEER), str(s7))
        program(stack, "-m", "weft.demo.cip_server", str(enip))
        async with (
            demo.Field(tmp_path / "field", processes=("mill", "washer")) as field,
            one_that_says(b"SSH-2.0-OpenSSH_9.2p1\r\n") as ssh,
            one_that_says(b"2026-01-01T00:00:00Z|execution|READY\n") as adapter,
        ):
            mill = field.ports.mill
            for port in (mill, field.ports.washer, s7, enip):
                await listening(port)
            ports = (mill, field.ports.washer, broker.port, s7, enip, ssh, adapter, free_port())
            with anyio.fail_after(40):
                places, _ = await look(Scope(hosts=("127.0.0.1",), ports=ports, listen=False, seconds=2.0))
                assert await recognised(f"127.0.0.1:{mill}", 4.0) == f"opc.tcp://127.0.0.1:{mill}"
                assert await offered(f"opc.tcp://127.0.0.1:{mill}", 4.0) == {"security": "none"}
                with pytest.raises(Invalid):
                    await recognised(f"127.0.0.1:{ssh}", 1.0)
    found = {(place.protocol, int(place.address.rpartition(":")[2].partition("/")[0])) for place in places}
    assert found == {
        ("opcua", mill),
        ("modbus", field.ports.washer),
        ("mqtt", broker.port),
        ("s7", s7),
        ("ethernetip", enip),
        ("shdr", adapter),
    }


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
