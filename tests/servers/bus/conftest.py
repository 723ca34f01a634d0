import pytest

from weft.bus import NatsBus, NatsServer


@pytest.fixture
async def server(tmp_path):
    async with NatsServer(tmp_path / "bus") as server:
        yield server


@pytest.fixture
async def bus(server):
    async with NatsBus.connect(server.address, live_limit=16) as bus:
        yield bus


@pytest.fixture
async def peer(server):
    """Another process at the same bus: a connection of its own is all that the server knows of one."""
    async with NatsBus.connect(server.address) as bus:
        yield bus
