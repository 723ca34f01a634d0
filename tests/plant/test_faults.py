"""The short form of `make soak`: faults one after the other, and every value counted by a recorder of no common code."""

import shutil

import pytest
from soak import campaign, report, troubles

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None,
        reason="mosquitto is not installed (Debian package mosquitto)",
    ),
]


async def counted(folder, ones, **settings):
    result = await campaign.run(folder, "short", ones, seed=1, **settings)
    report.show([result])
    assert result.ok, (result.unmarked, result.kept, result.uns, result.spb)
    return result


async def test_a_gateway_among_faults_loses_and_doubles_nothing(tmp_path):
    ones = [
        troubles.cut("opcua", 3),
        troubles.kill_bus(),
        troubles.cut("far", 4),
        troubles.kill("gateway", 0.5),
        troubles.together(troubles.cut("mqtt", 2), troubles.kill_bus()),
    ]
    result = await counted(tmp_path / "world", ones)
    assert result.of("kept").said > 1000
    assert not result.of("kept", ("c0", "c1", "c2", "q0", "q1")).told, "sources that keep have lost something"


async def test_what_a_killed_field_loses_is_in_a_gap_record(tmp_path):
    ones = [troubles.kill("opcua", 0.5), troubles.kill("modbus", 0.5), troubles.kill("near", 0.5)]
    result = await counted(tmp_path / "world", ones)
    assert {gap.source for gap in result.gaps} >= {"mill", "meter", "press"}


async def test_hub_and_leaf_killed_and_cut_in_turn(tmp_path):
    ones = [troubles.kill("leaf", 0.5), troubles.cut("hub", 2), troubles.kill("gateway", 0.5)]
    await counted(tmp_path / "world", ones, hub=True)
