"""The HTTP server: uvicorn as a part of our own task group, so that it starts, fails and stops with the rest."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import anyio
import h11
import uvicorn
from litestar.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from weft.runtime import NeedsHuman

__all__ = ["serve"]

NEXT_PORTS: Final = 50
HEADER_SECONDS: Final = 10.0
MAX_HEADER_BYTES: Final = 32_768


async def serve(
    app: ASGIApp, *, host: str = "127.0.0.1", port: int = 8080, ready: Callable[[str], None]
) -> None:
    """Serves ``app`` until cancelled. A taken port gives way to the next free one, 0 takes any; ``ready`` is
    told the address, as ``http://127.0.0.1:8081``. Raises NeedsHuman when no port can be had."""
    with _bind(host, port) as listener:
        leaving = anyio.Event()
        config = uvicorn.Config(
            _Leaving(app, leaving),
            http=_Patient,
            ws="none",
            lifespan="off",  # services are run by the supervisor, never by the web
            log_config=None,
            log_level="critical",  # the application logs its own errors; the rest is about our stopping
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config, lambda: ready(_address(listener)))
        async with anyio.create_task_group() as group:
            group.start_soon(_run, server, listener)
            try:
                await anyio.sleep_forever()
            finally:
                leaving.set()
                server.should_exit = True


async def _run(server: _Server, listener: socket.socket) -> None:
    # uvicorn ends its connections only when asked to stop: a cancelled one would leave them hanging.
    with anyio.CancelScope(shield=True):
        await server.serve(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._tell()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the program, not to one of its services."""
        yield


class _Patient(H11Protocol):
    """Closes a connection that does not finish a request's header in time: uvicorn itself waits for ever, and
    500 half-sent headers were enough to exhaust it."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._disarm()

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._disarm()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self._late)

    def _late(self) -> None:
        self._deadline = None
        if self.conn.their_state is h11.IDLE:
            self.transport.close()

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


_REFUSAL: Final = b"A request says its length once: Content-Length or Transfer-Encoding.\n"


async def _refuse_two_lengths(send: Send) -> None:
    """A proxy before us may believe the other one, and take for a body what we take for the next request
    (RFC 9112, 6.3)."""
    headers = [
        (b"content-type", b"text/plain"),
        (b"content-length", b"%d" % len(_REFUSAL)),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": _REFUSAL, "more_body": False})


class _Leaving:
    """Tells endless answers (event streams) that the caller is gone once the server is to stop."""

    def __init__(self, app: ASGIApp, leaving: anyio.Event) -> None:
        self._app = app
        self._leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in scope["headers"]}:
            await _refuse_two_lengths(send)
            return

        async def receive_or_leave() -> Any:
            message: Any = {"type": "http.disconnect"}

            async def take() -> None:
                nonlocal message
                message = await receive()
                group.cancel_scope.cancel()

            async with anyio.create_task_group() as group:
                group.start_soon(take)
                await self._leaving.wait()
                group.cancel_scope.cancel()
            return message

        await self._app(scope, receive_or_leave, send)


def _bind(host: str, port: int) -> socket.socket:
    last: OSError | None = None
    for candidate in range(port, port + (NEXT_PORTS if port else 1)):
        if candidate > 65_535:
            break
        try:
            return _listen(host, candidate)
        except OSError as error:
            last = error
            if error.errno != errno.EADDRINUSE:
                break
    raise NeedsHuman(
        f"Weft cannot listen on {host} port {port}: {last}.",
        remedy="Name a free port and an address of this machine under [web] in plant.toml.",
    ) from last


def _listen(host: str, port: int) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, proto)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    # A link to "any address" leads nowhere on some systems.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
