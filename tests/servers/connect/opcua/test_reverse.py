"""Servers that call us: a relay that says ReverseHello and then is an asyncua server, and node-opcua."""

import asyncio
import contextlib
import socket
import struct

import anyio
import pytest

from weft.connect import LineState, Recorder
from weft.connect.opcua import OpcUa, reverse
from weft.connect.opcua.reverse import LARGEST
from weft.runtime import NeedsHuman

pytestmark = pytest.mark.anyio


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture(autouse=True)
async def _nobody_listens_afterwards():
    yield
    for listener in reverse._listeners.values():
        listener.close()
    reverse._listeners.clear()


def reverse_hello(server, endpoint):
    texts = [text.encode() for text in (server, endpoint)]
    body = b"".join(struct.pack("<i", len(text)) + text for text in texts)
    return b"RHEF" + struct.pack("<I", 8 + len(body)) + body


async def relay(listen, server_port, hello):
    """Calls, says who it is, and is the server from then on; for ever."""
    while True:
        with contextlib.suppress(OSError):
            async with await anyio.connect_tcp("127.0.0.1", listen) as out:
                await out.send(hello)
                with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                    first = await out.receive()
                    async with (
                        await anyio.connect_tcp("127.0.0.1", server_port) as back,
                        anyio.create_task_group() as pumps,
                    ):
                        await back.send(first)
                        pumps.start_soon(pump, out, back)
                        await pump(back, out)
        await anyio.sleep(0.1)


async def pump(source, target):
    with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
        async for data in source:
            await target.send(data)
    await target.aclose()


@pytest.mark.parametrize("security", ["none", "SignAndEncrypt"])
async def test_a_server_that_calls(peer, kit, tmp_path, security):
    listen = free_port()
    config = kit.config(
        peer.url,
        security=security,
        certificates=str(tmp_path),
        trust_on_first_use=True,
        listen=f"opc.tcp://127.0.0.1:{listen}",
        server_uri="urn:peer",
    )
    async with anyio.create_task_group() as group:
        group.start_soon(relay, listen, peer.options["port"], reverse_hello("urn:peer", peer.url))
        async with kit.running(config, kit.points("load")) as link:
            await link.until(lambda: bool(link.rows))
        group.cancel_scope.cancel()


async def test_two_connections_listen_at_one_port(peer, make_peer, kit):
    listen, other = free_port(), make_peer()
    where = {"listen": f"opc.tcp://127.0.0.1:{listen}"}
    async with anyio.create_task_group() as group:
        group.start_soon(relay, listen, peer.options["port"], reverse_hello("urn:one", peer.url))
        group.start_soon(relay, listen, other.options["port"], reverse_hello("urn:two", other.url))
        first = kit.config(peer.url, server_uri="urn:one", **where)
        second = kit.config(other.url, server_uri="urn:two", **where)
        async with (
            kit.connected(first, kit.points("load")) as (_, one),
            kit.connected(second, kit.points("load")) as (_, two),
        ):
            await one.until(lambda: bool(one.rows))
            await two.until(lambda: bool(two.rows))
        group.cancel_scope.cancel()


async def test_who_is_not_expected_is_hung_up_on(kit, monkeypatch):
    monkeypatch.setattr("weft.connect.opcua.reverse.SAY_WHO", 0.2)
    listen = free_port()
    config = kit.config("opc.tcp://mill", listen=f"opc.tcp://127.0.0.1:{listen}", server_uri="urn:mill")
    bad = [
        reverse_hello("urn:somebody", "opc.tcp://x:1"),
        b"GET / HTTP/1.1\r\n\r\n",
        b"RHEF" + struct.pack("<I", LARGEST + 1) + b"x",
        b"RHEF" + struct.pack("<Ii", 20, 2**31 - 1) + b"x" * 8,
        reverse_hello("urn:mill", "opc.tcp://x:1") + b"HEL",
        b"R",
    ]
    async with anyio.create_task_group() as group:
        group.start_soon(OpcUa(config).run, Recorder(()))
        for said in bad:
            stream = await _call(listen)
            async with stream:
                await stream.send(said)
                with anyio.fail_after(5), contextlib.suppress(anyio.BrokenResourceError, anyio.EndOfStream):
                    assert await stream.receive() == b""
        group.cancel_scope.cancel()


async def _call(port):
    with anyio.fail_after(5):
        while True:
            with contextlib.suppress(OSError):
                return await anyio.connect_tcp("127.0.0.1", port)
            await asyncio.sleep(0.02)


async def test_a_port_that_is_taken_needs_a_person(kit):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"opc.tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(NeedsHuman, match="Nobody can listen"):
            await OpcUa(kit.config("opc.tcp://mill", listen=listen, server_uri="urn:mill")).run(Recorder(()))


@pytest.mark.parametrize("security", ["none", "SignAndEncrypt"])
async def test_node_opcua_calls_and_calls_again(make_node_peer, kit, tmp_path, security):
    listen = free_port()
    node = await anyio.to_thread.run_sync(make_node_peer, "--reverse", listen)
    config = kit.config(
        node.url,
        security=security,
        certificates=str(tmp_path),
        trust_on_first_use=True,
        listen=f"opc.tcp://127.0.0.1:{listen}",
        server_uri="urn:peer:node",
    )
    async with kit.line(config, kit.points("Int32", space="nsu=urn:node:plant;s=")) as watch:
        await watch.until(lambda: watch.status.state is LineState.UP and watch.status.samples >= 1)
        await node.tell("count", "1", "2", "0")
