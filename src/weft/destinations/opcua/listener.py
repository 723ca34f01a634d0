"""Who may connect: so many connections altogether and from one address, and none for long without a login."""

from __future__ import annotations

import time
from collections import Counter

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.stapled import MultiListener

from weft.destinations.opcua.channel import Rules
from weft.destinations.opcua.config import Config
from weft.destinations.opcua.connection import Connection, Dispatch, address_of
from weft.destinations.opcua.session import Sessions
from weft.runtime import NeedsHuman, get_logger

__all__ = ["Listener"]

log = get_logger(__name__)


class Listener:
    def __init__(self, config: Config, rules: Rules, sessions: Sessions, dispatch: Dispatch) -> None:
        self.port = config.port
        self.connections: set[Connection] = set()
        self._config = config
        self._rules = rules
        self._sessions = sessions
        self._dispatch = dispatch
        self._addresses: Counter[str] = Counter()
        self._listening: MultiListener[SocketStream]

    async def open(self) -> None:
        """Raises NeedsHuman when the address is taken or not ours."""
        self._listening = await self._listen()
        for one in self._listening.listeners:
            self.port = int(one.extra(SocketAttribute.local_port))  # noqa: S610  # anyio's, not Django's

    async def run(self) -> None:
        """Serves who comes, once it is open."""
        async with self._listening:
            await self._listening.serve(self._serve)

    async def sweep(self) -> None:
        """Closes what has no right to stay, for ever."""
        while True:
            await anyio.sleep(0.5)
            now = time.monotonic()
            self._sessions.sweep(now)
            for connection in list(self.connections):
                age = now - connection.since
                if (not connection.greeted and age > self._config.hello_timeout) or (
                    connection.session is None and age > self._config.login_timeout
                ):
                    connection.close()
                elif connection.session is not None:
                    connection.since = now
                if now > connection.channel.expires:
                    connection.close()

    async def _listen(self) -> MultiListener[SocketStream]:
        try:
            return await anyio.create_tcp_listener(local_host=self._config.host, local_port=self._config.port)
        except OSError as error:
            where = f"{self._config.host}:{self._config.port}"
            raise NeedsHuman(
                f"The OPC UA server cannot listen on {where}: {error.strerror or error}.",
                remedy="Choose another port, or an address of this machine.",
            ) from error

    async def _serve(self, stream: SocketStream) -> None:
        address = address_of(stream)
        config = self._config
        if (
            len(self.connections) >= config.max_connections
            or self._addresses[address] >= config.max_connections_per_address
        ):
            log.warning("connection refused: too many", peer=address, connections=len(self.connections))
            await stream.aclose()
            return
        connection = Connection(stream, self._rules, self._dispatch)
        self.connections.add(connection)
        self._addresses[address] += 1
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
            if connection.session is not None:
                self._sessions.leave(connection.session)
