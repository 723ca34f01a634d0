"""Agents to read: the model factory's, in the test's own process where it must be led by the hand."""

from contextlib import asynccontextmanager

import anyio
import pytest

from weft.connect.mtconnect import Address, Config, MtConnect
from weft.connect.testing import Recorder
from weft.demo.mtconnect_agent import Agent
from weft.demo.mtconnect_model import Model
from weft.demo.mtconnect_store import Store
from weft.model import Flag


@pytest.fixture
def devices(reference):
    """The text of a device file by its name."""
    folder = reference / "machines" / "mtconnect"

    def text(name: str) -> str:
        file = folder / "okuma" / "Devices.xml" if name == "okuma" else folder / "devices" / f"{name}.xml"
        return file.read_text(encoding="utf-8")

    return text


def store_of(text: str, **settings) -> Store:
    return Store(Model(text), **settings)


@asynccontextmanager
async def serving(store: Store, port: int = 0, **settings):
    """(agent, url) while it listens."""
    agent = Agent(store, **settings)
    async with anyio.create_task_group() as group:
        port = await group.start(agent.run, port)
        try:
            yield agent, f"http://127.0.0.1:{port}"
        finally:
            group.cancel_scope.cancel()


@asynccontextmanager
async def reading(url: str, link: Recorder, connector: MtConnect | None = None, **settings):
    """The connector at work on ``link``; up when this begins."""
    settings = {"interval": 0.01, "heartbeat": 0.5} | settings
    connector = connector or MtConnect(Config(url=url, **settings))
    ups = len(link.details)
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: len(link.details) > ups)
        try:
            yield connector
        finally:
            group.cancel_scope.cancel()


def own(link, handle):
    """The source's own samples of a signal: without what is told again for the line's sake."""
    return [row for row in link.of(handle) if not row.flags & Flag.REPEATED]


def address(id, **more):
    return Address(id=id, **more)
