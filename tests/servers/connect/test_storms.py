"""Lines that are cut up to 200 times leave nothing behind; `make soak` does it 2,400 times."""

import shutil

import pytest
from soak import sources, storm

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None,
        reason="mosquitto is not installed (Debian package mosquitto)",
    ),
]

TIMES = {"sparkplug": 50, "opcua": 100, "mtconnect": 100}  # they take longer to come back


@pytest.mark.parametrize("name", sources.SOURCES)
async def test_a_storm_leaves_nothing_behind(name, tmp_path):
    async with sources.serving(name, tmp_path) as (port, connect, points):
        found = await storm.storm(name, port, connect, points, TIMES.get(name, 200))
    assert found.ok, found.grown
