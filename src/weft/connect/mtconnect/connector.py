"""The connector: one agent, its probe, its stream, its assets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio

from weft.connect import api
from weft.connect.api import Found, Link, Scope
from weft.connect.mtconnect import address
from weft.connect.mtconnect.place import Place
from weft.runtime import NeedsHuman, Retry, WeftError

__all__ = ["MtConnect"]

PORTS = (5000, 5001)


class MtConnect:
    """Reads an MTConnect agent (MTConnect 1.0 to 2.7, part 1) over HTTP and XML."""

    Config = address.Config
    Address = address.Address

    def __init__(self, config: address.Config) -> None:
        self._config = config
        self._place: Place | None = None  # kept while the line comes and goes

    async def run(self, link: Link) -> None:
        """Raises Retry when the agent is away or silent, NeedsHuman when a person must act."""
        from weft.connect.mtconnect.client import Client
        from weft.connect.mtconnect.reader import Reader

        fault: WeftError | None = None
        async with Client(self._config) as client, anyio.create_task_group() as group:
            if self._place is None:
                self._place = Place(link.recall())
            reader = Reader(self._config, link, client, self._place)
            group.start_soon(reader.follow)
            try:
                await reader.run()
            except WeftError as lost:
                fault = lost  # raised outside, where no exception group hides it
            group.cancel_scope.cancel()
        if fault is not None:
            raise fault

    # --- abilities ----------------------------------------------------------------------------------------

    async def browse(self, start: str = "") -> AsyncIterator[Found]:
        """The data items of all devices; with ``start`` those whose place (``device/component/…``) begins so."""
        from weft.connect.mtconnect.client import Client
        from weft.connect.mtconnect.document import streams_of
        from weft.connect.mtconnect.listing import found
        from weft.connect.mtconnect.model import model_of

        async with Client(self._config) as client:
            model = model_of(await client.get("probe"))
            seen = {one.id: one for one in streams_of(await client.get("current")).observations}
        for item in model.items.values():
            if "/".join((item.device, *item.place)).startswith(start.strip("/")):
                yield found(item, seen.get(item.id), several_devices=len(model.devices) > 1)

    async def probe(self) -> str:
        """Raises like ``run``."""
        from weft.connect.mtconnect.client import Client
        from weft.connect.mtconnect.document import Refusal, header_of
        from weft.connect.mtconnect.model import model_of

        async with Client(self._config) as client:
            try:
                root = await client.get("probe")
            except Refusal as refusal:
                raise NeedsHuman(
                    f"The agent refuses: {refusal}.", remedy="Check url and device."
                ) from refusal
        header, model = header_of(root), model_of(root)
        names = ", ".join(list(model.devices)[:5])
        return f"MTConnect agent {header.version} with {len(model.items)} data items of {names}"

    @classmethod
    async def discover(cls, scope: Scope) -> AsyncIterator[api.Place]:
        """Agents on the scope's hosts. Never raises."""
        for host in scope.hosts:
            for port in scope.ports or PORTS:
                url = f"http://{host}:{port}"
                connector = cls(address.Config(url=url, timeout=scope.seconds))
                try:
                    title = await connector.probe()
                except (Retry, NeedsHuman):
                    continue
                yield api.Place(
                    protocol="mtconnect", address=url, config={"url": url}, title=title, how="HTTP probe"
                )
