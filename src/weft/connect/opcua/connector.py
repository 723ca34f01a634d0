"""The OPC UA connector's face; what it does is in ``client``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from importlib import import_module
from typing import Any

import anyio.to_thread

from weft.connect.api import Found, Link, Place, Point, Scope, Write
from weft.connect.opcua import config
from weft.model import Batch
from weft.runtime import Retry

__all__ = ["OpcUa"]


class OpcUa:
    """Subscribes to nodes of one server, reads, writes and calls there; see README.md of this folder.

    A sample keeps the type that the server sends, whatever ``Point.type`` asks for: the connector never
    converts, so that nothing is lost before the edge decides.
    """

    Config = config.Config
    Address = config.Address

    def __init__(self, config: config.Config) -> None:
        self._config = config
        self._client: Any = None

    @property
    def clock(self) -> dict[str, float | None]:
        """How far the clocks were apart when last looked at, ms: ``server_minus_source_ms``,
        ``receive_minus_server_ms``."""
        return {} if self._client is None else dict(self._client.clocks.as_dict())

    async def run(self, link: Link) -> None:
        await (await self._load()).run(link)

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """Variables, methods and objects with a type of their own: below the node ``start``, of what fits the pattern
        ``start`` (``Machine/**/Temp*``), or all of the Objects folder without the Server object."""
        async for found in (await self._load()).browse(start):
            yield found

    async def survey(self, start: str = "", cursor: bytes = b"") -> AsyncIterator[Any]:
        """As :meth:`browse` in pages (``found``, ``cursor()``): a cursor's bytes go on where its page ended."""
        async for page in (await self._load()).survey(start, cursor):
            yield page

    @classmethod
    def discover(cls, scope: Scope) -> AsyncIterator[Place]:
        """As :class:`~weft.connect.Discovers`."""
        from weft.connect.opcua.discover import discover

        return discover(scope)

    async def probe(self) -> str:
        """Name and product of the server, and the security it offers."""
        text: str = await (await self._load()).probe()
        return text

    async def write(self, writes: Sequence[Write]) -> Sequence[int]:
        """As :class:`~weft.connect.Writes`; each value as the node's own type."""
        written: Sequence[int] = await self._up().write(writes)
        return written

    async def read(self, points: Sequence[Point]) -> Batch:
        """As :class:`~weft.connect.Reads`."""
        batch: Batch = await self._up().read(points)
        return batch

    async def call(self, target: str, method: str, arguments: Sequence[Any]) -> list[Any]:
        """As :class:`~weft.connect.Calls`; ``target`` is an object's node, ``method`` a node or the method's name."""
        outputs: list[Any] = await self._up().call(target, method, arguments)
        return outputs

    def _up(self) -> Any:
        if self._client is None:
            raise Retry(f"The connection to {self._config.endpoint} is not up.")
        return self._client

    async def _load(self) -> Any:
        if self._client is None:
            module = await anyio.to_thread.run_sync(import_module, "weft.connect.opcua.client")
            self._client = self._client or module.Client(self._config)
        return self._client
