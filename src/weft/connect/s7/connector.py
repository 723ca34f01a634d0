"""The connector: see the package's README for what it does with a controller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

import anyio
import msgspec

from weft.connect.api import Found, Link, Place, Point, Scope, Write
from weft.connect.s7.address import Address as S7Address
from weft.connect.s7.address import Config as S7Config
from weft.connect.s7.client import Client, connect, tsaps
from weft.connect.s7.poll import Cycle, Poll
from weft.connect.s7.writer import write as write_all
from weft.model import Batch, BatchBuilder, Flag, ValueType, concat
from weft.runtime import Clock, Retry, SystemClock

__all__ = ["S7"]

MOST_BLOCKS = 65535


class S7:
    """S7 communication (PUT/GET), client side."""

    Config: ClassVar[type[msgspec.Struct]] = S7Config
    Address: ClassVar[type[msgspec.Struct]] = S7Address
    forgets: ClassVar[bool] = True

    def __init__(self, config: S7Config) -> None:
        self.config = config
        self._client: Client | None = None
        self._clock: Clock = SystemClock()

    async def run(self, link: Link) -> None:
        self._clock = link.clock
        async with connect(self.config) as client:
            self._client = client
            try:
                await Poll(self.config, link, client).run()
            finally:
                self._client = None

    async def write(self, writes: Sequence[Write]) -> Sequence[int]:
        """One OPC UA StatusCode each; a write without an answer is BadTimeout and is not sent again."""
        return await write_all(self._up(), writes)

    async def read(self, points: Sequence[Point]) -> Batch:
        """The points as they are now."""
        cycle = Cycle(self.config, self._up(), points)
        now = self._clock.now()
        batch = await cycle.read(now, Flag.RECEIVE_TIME)
        missing = BatchBuilder()
        for i, (status, _) in cycle.refused.items():
            missing.add(
                points[i].handle, now, None, ValueType.NULL, status, Flag.RECEIVE_TIME | Flag.SYNTHETIC
            )
        return concat([batch, missing.build(received=now)])

    @classmethod
    def discover(cls, scope: Scope) -> AsyncIterator[Place]:
        """As :class:`~weft.connect.Discovers`."""
        from weft.connect.s7.discover import discover

        return discover(scope)

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """The data blocks and their sizes. What is in them the controller does not say: names and types are in the
        engineering project only."""
        from snap7.error import S7Error
        from snap7.type import Block

        async with self._peer() as peer:
            try:
                numbers = await peer.list_blocks_of_type(Block.DB, MOST_BLOCKS)
                for number in sorted(numbers):
                    size = (await peer.get_block_info(Block.DB, number)).MC7Size
                    yield Found(
                        name=f"DB{number}",
                        address={"db": number, "offset": 0, "type": "BYTE"},
                        type=ValueType.BYTE,
                        description=f"{size} bytes; the controller does not tell what is in them",
                    )
            except S7Error as error:
                raise Retry(f"{self.config.host} does not list its blocks: {error}.") from error

    async def probe(self) -> str:
        """The CPU's type, name and serial number, where it tells them."""
        from snap7.error import S7Error

        where = f"{self.config.host}:{self.config.port}"
        async with self._peer() as peer:
            try:
                info = await peer.get_cpu_info()
            except S7Error:
                return f"An S7 controller answers at {where}; it does not say its name."
        said = [_text(getattr(info, name, b"")) for name in ("ModuleTypeName", "ASName", "SerialNumber")]
        return f"{' '.join(part for part in said if part) or 'An S7 controller'} at {where}"

    def _peer(self) -> Any:
        """python-snap7's own client, for what is not reading and writing."""
        return _peer(self.config)

    def _up(self) -> Client:
        if self._client is None:
            raise Retry("The connection is not up: nothing was sent.")
        return self._client


def _peer(config: S7Config) -> Any:
    from contextlib import asynccontextmanager

    from snap7.async_client import AsyncClient
    from snap7.error import S7Error

    @asynccontextmanager
    async def opened() -> AsyncIterator[AsyncClient]:
        client = AsyncClient()
        local, remote = tsaps(config)
        client.local_tsap, client.connection_type = local, remote >> 8
        try:
            with anyio.fail_after(config.timeout * 2):
                await client.connect(config.host, remote >> 5 & 7, remote & 31, config.port)
        except (S7Error, OSError, TimeoutError) as error:
            raise Retry(
                f"No S7 connection to {config.host}:{config.port}: {error or 'no answer'}.",
                remedy="Is the controller on, and are rack and slot (or the TSAPs) right?",
            ) from error
        try:
            yield client
        finally:
            with anyio.move_on_after(1.0, shield=True):
                await client.disconnect()

    return opened()


def _text(raw: Any) -> str:
    data = raw if isinstance(raw, bytes) else str(raw).encode()
    return data.partition(b"\0")[0].decode("ascii", "replace").strip()
