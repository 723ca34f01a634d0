"""The connector: one TCP connection to an adapter, kept by its heartbeat."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import ClassVar, Final

import anyio
from anyio.abc import SocketStream

from weft.connect.api import Found, Link, Place, Point, Scope
from weft.connect.shdr import address
from weft.connect.shdr.listing import found
from weft.connect.shdr.pulse import Pulse, keep_alive
from weft.connect.shdr.reader import Reader
from weft.connect.tally import Tally
from weft.runtime import Retry, SystemClock

__all__ = ["Shdr"]

LISTEN: Final = 5.0  # s a browse listens at most
QUIET: Final = 1.0  # s without a line after which a browse has heard the whole first burst
CHUNK: Final = 65536
HIGH_PRESSURE: Final = 0.9


class Shdr:
    """Reads an MTConnect adapter (ANSI/MTC1.4 part 1, appendix on the adapter protocol)."""

    Config = address.Config
    Address = address.Address
    forgets: ClassVar[bool] = True

    def __init__(self, config: address.Config) -> None:
        self._config = config

    async def run(self, link: Link) -> None:
        """Raises Retry when the adapter is away, silent for two heartbeats, or hangs up."""
        reader = Reader(link.points, self._config.device, link.refuse, Tally(link.name))
        fault: Retry | None = None
        async with self._connection() as stream, anyio.create_task_group() as group:
            group.start_soon(_follow, link, reader)
            try:
                await self._read(link, stream, reader)
            except Retry as lost:
                fault = lost  # raised outside, where no exception group hides it
            group.cancel_scope.cancel()
        if fault is not None:
            raise fault

    async def _read(self, link: Link, stream: SocketStream, reader: Reader) -> None:
        pulse = Pulse(self._config.heartbeat)
        while True:
            data = await self._receive(stream, pulse)
            batch = reader.feed(data, link.clock.now())
            pulse.heard(reader.pong)
            link.up(self._detail(reader))
            link.emit(batch)
            while link.pressure > HIGH_PRESSURE:
                # Unread, the lines wait in the socket and then in the adapter.
                await link.clock.sleep(0.05)
                pulse.heard(reader.pong)

    async def _receive(self, stream: SocketStream, pulse: Pulse) -> bytes:
        """The next bytes, asking for a sign of life meanwhile. Raises Retry."""
        while True:
            try:
                if pulse.due():
                    await stream.send(b"* PING\n")
                with anyio.move_on_after(pulse.wait()):
                    return await stream.receive(CHUNK)
            except (anyio.EndOfStream, anyio.BrokenResourceError, OSError) as error:
                raise Retry(f"The adapter at {self._where} closed the connection.") from error
            if pulse.dead():
                raise Retry(
                    f"The adapter at {self._where} has been silent for {pulse.limit:g} s, two heartbeats.",
                    remedy="Is the control switched off or the cable out?",
                )

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[SocketStream]:
        config = self._config
        try:
            with anyio.fail_after(config.timeout):
                stream = await anyio.connect_tcp(config.host, config.port)
        except TimeoutError as error:
            raise Retry(f"{self._where} did not answer within {config.timeout:g} s.") from error
        except OSError as error:
            raise Retry(
                f"No adapter answers at {self._where}: {error.strerror or error}.",
                remedy="Check host, port and that the adapter runs.",
            ) from error
        keep_alive(stream)
        async with stream:
            yield stream

    @property
    def _where(self) -> str:
        return f"{self._config.host}:{self._config.port}"

    def _detail(self, reader: Reader) -> str:
        said = [f"{name} {value}" for name, value in reader.about.items() if value not in ("", "UNAVAILABLE")]
        beat = [f"heartbeat {reader.pong:g} s"] if reader.pong else []
        return ", ".join([f"adapter at {self._where}", *beat, *said[:5]])

    # --- abilities ----------------------------------------------------------------------------------------

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """The keys that begin with ``start``, heard in the adapter's first burst (at most five seconds). The
        category is guessed from the values: SHDR does not say it."""
        reader = await self._listen(LISTEN, QUIET)
        for key, last in sorted(reader.last.items()):
            item = found(key, last)
            if item.name.startswith(start):
                yield item

    @classmethod
    def discover(cls, scope: Scope) -> AsyncIterator[Place]:
        """As :class:`~weft.connect.Discovers`."""
        from weft.connect.shdr.discover import discover

        return discover(scope)

    async def probe(self) -> str:
        """Raises Retry when nobody answers there."""
        reader = await self._listen(1.0, 0.3)
        seen = f"{len(reader.last)} keys" if reader.last else "no data yet"
        return f"{self._detail(reader)}, {seen}"

    async def _listen(self, longest: float, quiet: float) -> Reader:
        reader = Reader((), "", _refuse_nothing, Tally("browse"))
        pulse = Pulse(self._config.heartbeat)
        clock = SystemClock()
        async with self._connection() as stream:
            with anyio.move_on_after(longest):
                while True:
                    with anyio.move_on_after(quiet if reader.last else longest) as pause:
                        reader.feed(await self._receive(stream, pulse), clock.now())
                    if pause.cancelled_caught:
                        break
        return reader


def _refuse_nothing(point: Point, status: int, reason: str) -> None:
    """A listener without signals refuses none."""


async def _follow(link: Link, reader: Reader) -> None:
    while True:
        await link.changed(reader.points)
        link.emit(reader.follow(link.points))
