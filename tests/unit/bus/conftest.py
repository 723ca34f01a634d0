import pytest

from weft.bus import MemoryBus


@pytest.fixture
def bus():
    return MemoryBus(live_limit=16)


@pytest.fixture
def peer(bus):
    return bus
