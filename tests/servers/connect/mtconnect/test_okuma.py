"""The recorded lathe through an agent: every observation as the log has it, judged by a parser of its own."""

import json
import subprocess
import sys
from collections import defaultdict

import anyio
import pytest
from servers.connect.mtconnect.conftest import reading
from servers.connect.shdr import okuma

from weft.connect.api import Point
from weft.connect.mtconnect import Address
from weft.connect.testing import Recorder
from weft.model import Flag, Kind, ValueType, concat, quality

pytestmark = pytest.mark.anyio

PER_MINUTE = ("MILLIMETER/MINUTE", "DEGREE/MINUTE")


@pytest.fixture
def agent(reference):
    """The url of an agent process that has the whole log."""
    folder = reference / "machines" / "mtconnect" / "okuma"
    command = [sys.executable, "-m", "weft.demo.mtconnect_agent", folder / "Devices.xml"]
    command += ["--shdr", folder / "okuma.txt", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


def expected(reference):
    """What the log says by data item, in the units of the agent; without keys that no device has."""
    known = okuma.categories(reference)
    out = {}
    for item, samples in okuma.expected(reference).items():
        if item.category == "asset" or item.key not in known:
            continue
        factor = 1 / 60 if known[item.key].get("nativeUnits") in PER_MINUTE else None
        out[item.key] = [
            (s.time, s.value * factor if factor and s.value is not None else s.value, s.bad) for s in samples
        ]
    return out, known


def plain(row):
    if not isinstance(row.value, str) or not row.value.startswith('{"level"'):
        return row.value
    filled = json.loads(row.value)
    return tuple(filled.get(name, "") for name in okuma.CONDITION_NAMES)


async def record(url, keys):
    """All that the agent's buffer holds, as if we had been there when it started."""
    link = Recorder([Point(handle, key, Address(id=key, device="OKUMA")) for handle, key in enumerate(keys)])
    async with anyio.create_task_group():
        import httpx

        async with httpx.AsyncClient() as client:
            text = (await client.get(f"{url}/current")).text
        instance = int(text.partition('instanceId="')[2].partition('"')[0])
        link.memory = {"instance": instance, "next": 1, "time": 1}
        with anyio.fail_after(30):
            async with reading(url, link):
                pass
    return link


@pytest.mark.card("mtconnect", "reads")
@pytest.mark.card("mtconnect", "types")
@pytest.mark.card("mtconnect", "source_time")
async def test_every_observation_of_the_lathe_is_as_the_adapter_sent_it(reference, agent):
    log, known = expected(reference)
    link = await record(agent, list(log))
    batch = concat(link.batches)
    assert not link.gaps
    rows = defaultdict(list)
    for row in batch:
        if not row.flags & Flag.REPEATED:
            rows[row.signal].append(row)
    compared = 0
    for handle, (key, samples) in enumerate(log.items()):
        unavailable, *said = rows[handle]  # an agent begins with UNAVAILABLE
        assert unavailable.status == quality.BAD_NO_COMMUNICATION
        assert [(r.time, plain(r), r.status == quality.BAD_NO_COMMUNICATION) for r in said] == samples, key
        compared += len(said)
        numeric = known[key].get("category") == "SAMPLE"
        types = {row.type & 0x7F for row in said if row.value is not None}
        assert types <= ({ValueType.DOUBLE} if numeric else {ValueType.STRING}), key
    assert (compared, len(log)) == (25_503, 88)


async def test_the_lathe_s_tools_are_handed_over_as_documents(reference, agent):
    bodies = {}
    for item, samples in okuma.expected(reference).items():
        if item.category == "asset" and not item.part:
            bodies[item.key] = samples[-1]
    link = await record(agent, ["avail"])
    told = {data["id"]: (data, time) for kind, data, time in link.events if kind == Kind.DOCUMENT}
    assert len(bodies) == 17
    assert {id for id, (data, _) in told.items() if data["state"] == "present"} <= set(bodies)
    assert len(told) >= 15
    for id, (data, time) in told.items():
        assert time == bodies[id].time
        assert data["type"] == "CuttingTool"
        assert f'serialNumber="{id.partition(".")[2]}"' in data["text"]
    assert set(link.memory["assets"]) == set(told)
