"""The OPC UA connector's face; what it does is in ``client``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any

import anyio.to_thread

from weft.connect.api import Found, Link
from weft.connect.opcua import config

__all__ = ["OpcUa"]


class OpcUa:
    """Subscribes to nodes of one server; see README.md of this folder.

    A sample keeps the type that the server sends, whatever ``Point.type`` asks for: the connector never
    converts, so that nothing is lost before the edge decides.
    """

    Config = config.Config
    Address = config.Address

    def __init__(self, config: config.Config) -> None:
        self._config = config

    async def run(self, link: Link) -> None:
        await (await _client()).run(self._config, link)

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """Variables below the node ``start`` (default: the Objects folder without the Server object)."""
        async for found in (await _client()).browse(self._config, start):
            yield found

    async def probe(self) -> str:
        """Name and product of the server, and the security it offers."""
        text: str = await (await _client()).probe(self._config)
        return text


async def _client() -> Any:
    return await anyio.to_thread.run_sync(import_module, "weft.connect.opcua.client")
