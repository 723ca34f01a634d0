"""The connector: a listener for those who post, and polls for those who are asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import anyio

from weft.connect.api import Found, Link
from weft.connect.webhook import address
from weft.connect.webhook.desk import Desk
from weft.runtime import NeedsHuman, Retry, WeftError

if TYPE_CHECKING:
    from weft.connect.webhook.poller import Poller

__all__ = ["Webhook"]


class Webhook:
    """Takes HTTP posts and polls REST addresses. ``port`` is where it listens, 0 while it does not."""

    Config = address.Config
    Address = address.Address

    def __init__(self, config: address.Config) -> None:
        self._config = config
        self.port = 0

    async def run(self, link: Link) -> None:
        """Raises Retry when no poll answers and nobody can post, NeedsHuman when the port cannot be had."""
        desk = Desk(link, frozenset(self._config.poll), listens=self._config.port is not None)
        work = _Work(self, desk, link)
        async with anyio.create_task_group() as group:
            group.start_soon(_follow, link, desk)
            if self._config.port is not None:
                group.start_soon(work.listen)
            for poller in work.pollers:
                group.start_soon(poller.run, work.tell)
            await work.over.wait()
            group.cancel_scope.cancel()
        self.port = 0
        if work.fault is not None:
            raise work.fault

    # --- abilities ----------------------------------------------------------------------------------------

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """The values that the polls whose names begin with ``start`` answer now. What will be posted cannot be
        known."""
        from weft.connect.webhook.listing import found
        from weft.connect.webhook.poller import fetch, http_client

        for name, poll in self._config.poll.items():
            if name.startswith(start):
                async with http_client(self._config.timeout, poll.ca) as http:
                    body, form = await fetch(http, poll, self._config.max_body)
                for item in found(name, body, form):
                    yield item

    async def probe(self) -> str:
        """Raises like ``run``."""
        from weft.connect.webhook.poller import fetch, http_client

        for poll in self._config.poll.values():
            async with http_client(self._config.timeout, poll.ca) as http:
                await fetch(http, poll, self._config.max_body)
        polls = [f"{len(self._config.poll)} polls answer"] if self._config.poll else []
        port = self._config.port
        listens = [f"listens on {self._config.host}:{port}"] if port is not None else []
        return ", ".join([*polls, *listens])


class _Work:
    """What runs at once, and how it ends: ``over`` is set with ``fault``."""

    def __init__(self, connector: Webhook, desk: Desk, link: Link) -> None:
        self.over = anyio.Event()
        self.fault: WeftError | None = None
        self._connector = connector
        self._config = connector._config  # noqa: SLF001  # its own other half
        self._desk = desk
        self._link = link
        self._where = ""
        self.pollers = self._make_pollers()

    def _make_pollers(self) -> list[Poller]:
        if not self._config.poll:
            return []
        from weft.connect.webhook.poller import Poller

        return [
            Poller(name, poll, self._desk, most=self._config.max_body, timeout=self._config.timeout)
            for name, poll in self._config.poll.items()
        ]

    async def listen(self) -> None:
        from weft.connect.webhook.door import Door
        from weft.web import serve

        config = self._config
        try:
            await serve(
                Door(config, self._desk), host=config.host, port=config.port or 0, ready=self._listening
            )
        except NeedsHuman as fault:
            self._end(NeedsHuman(fault.message, remedy="Give the connection a free port of this machine."))

    def _listening(self, url: str) -> None:
        port = int(url.rpartition(":")[2])
        if self._config.port not in (0, port):
            # Those who post know one port only: the next free one would be silence.
            self._end(
                NeedsHuman(
                    f"The port {self._config.port} is taken by another program.",
                    remedy="End it, or give the connection another port.",
                )
            )
            return
        self._connector.port, self._where = port, url
        self.tell()

    def tell(self) -> None:
        """The line is up while somebody can post or some poll answers."""
        lost = [poller for poller in self.pollers if poller.fault is not None]
        if self.pollers and len(lost) == len(self.pollers) and self._config.port is None:
            self._end(lost[0].fault)
            return
        if self._config.port is not None and not self._where:
            return
        if not all(poller.asked for poller in self.pollers):
            return
        parts = [f"listens on {self._where}"] if self._where else []
        if self.pollers:
            parts.append(f"{len(self.pollers) - len(lost)} of {len(self.pollers)} polls answer")
        parts += [f"{poller.name}: {poller.fault}" for poller in lost[:3]]
        self._link.up(", ".join(parts))

    def _end(self, fault: WeftError | None) -> None:
        if not self.over.is_set():
            self.fault = fault if isinstance(fault, (Retry, NeedsHuman)) else Retry(str(fault))
            self.over.set()


async def _follow(link: Link, desk: Desk) -> None:
    while True:
        await link.changed(desk.points)
        desk.follow(link.points)
