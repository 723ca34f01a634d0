"""The server on loopback: ports, slow callers, endless answers at the end."""

import socket
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from litestar import Router, get
from litestar.response import Stream

from weft import web
from weft.runtime import NeedsHuman
from weft.web import server

pytestmark = pytest.mark.anyio


async def forever():
    while True:
        yield b"data: 1\n\n"
        await anyio.sleep(0.01)


@get("/endless", sync_to_thread=False)
def endless() -> Stream:
    return Stream(forever(), media_type="text/event-stream")


@asynccontextmanager
async def serving(access, *, port=0, host="127.0.0.1"):
    """A running server; gives its address."""
    app = web.create([Router("/", route_handlers=[endless])], access=access)
    up = anyio.Event()

    def ready(address):
        access.serving(address)
        up.set()

    async def run():
        await web.serve(app, host=host, port=port, ready=ready)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await up.wait()
            yield access.address
            group.cancel_scope.cancel()


@pytest.fixture
def access(tmp_path):
    return web.Access(tmp_path)


HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def hung_up(stream):
    """Returns when the other side ends the connection."""
    with anyio.fail_after(3):
        try:
            while True:
                await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return


async def test_it_takes_a_free_port_and_says_which(access):
    async with serving(access) as address, httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/healthz")).text == "ok\n"
        assert "server" not in (await client.get("/healthz")).headers
        assert (await client.get("/metrics")).status_code == 401


async def test_a_taken_port_gives_way_to_the_next(access):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with serving(access, port=port) as address:
            assert port < int(address.rpartition(":")[2]) <= port + server.NEXT_PORTS


async def test_an_address_of_another_machine_needs_a_person(access):
    with pytest.raises(NeedsHuman, match="cannot listen"):
        server._bind("192.0.2.1", 0)


async def test_ipv6_loopback(access):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    async with serving(access, host="::1") as address, httpx.AsyncClient(base_url=address) as client:
        assert address.startswith("http://[::1]:")
        assert (await client.get("/healthz")).status_code == 200


async def test_the_port_is_free_at_once_after_the_end(access):
    async with serving(access) as address:
        port = int(address.rpartition(":")[2])
    async with serving(access, port=port) as again:
        assert again == address


async def test_an_endless_answer_does_not_hold_up_the_end(access):
    async with serving(access) as address:
        stream = await anyio.connect_tcp("127.0.0.1", int(address.rpartition(":")[2]))
        request = f"GET /endless HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {access.token}\r\n\r\n"
        await stream.send(request.encode())
        assert (await stream.receive()).startswith(b"HTTP/1.1 200")
        began = anyio.current_time()
    assert anyio.current_time() - began < 5
    await hung_up(stream)
    await stream.aclose()


async def test_a_header_that_never_ends_is_hung_up(access, monkeypatch):
    monkeypatch.setattr(server, "HEADER_SECONDS", 0.1)
    async with serving(access) as address:
        port = int(address.rpartition(":")[2])
        for whole, half in ((b"", b""), (b"", b"GET / HTTP/1.1\r\nHost: loc"), (HEALTHZ, b"GET /")):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                if whole:
                    await stream.send(whole)
                    while b"ok\n" not in await stream.receive():
                        pass
                if half:
                    await stream.send(half)
                await hung_up(stream)


@pytest.mark.parametrize(
    "bytes_",
    [b"\x00\xff\xfe\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
     b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
     b"GET /%ff%fe HTTP/1.1\r\nHost: \xff\xfe\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000,
     b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"],
)  # fmt: skip
async def test_nonsense_is_answered_or_hung_up_and_the_rest_goes_on(access, bytes_):
    async with serving(access) as address:
        port = int(address.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            try:
                await stream.send(bytes_)
                answer = await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                answer = b"HTTP/1.1 4"
            assert answer.startswith(b"HTTP/1.1 4")
        async with httpx.AsyncClient(base_url=address) as client:
            assert (await client.get("/healthz")).status_code == 200


async def test_a_request_that_says_its_length_twice_is_refused_and_ends_its_connection(access):
    """A proxy that believes Content-Length would pass the second request off as a body."""
    smuggled = (
        b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 64\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTHZ
    )
    async with serving(access) as address:
        port = int(address.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(smuggled)
            answer = b""
            try:
                while True:
                    answer += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1
