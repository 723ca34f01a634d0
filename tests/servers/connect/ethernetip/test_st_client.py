"""The factory's EtherNet/IP server, checked by a client of others: st-ethernet-ip from npm."""

import json

import anyio
import npm
import pytest

from weft.connect import Recorder, Write
from weft.connect.ethernetip import EtherNetIp

pytestmark = pytest.mark.anyio


async def told(port, **order):
    command = ["node", str(npm.installed("ethernetip") / "client.js"), str(port), json.dumps(order)]
    with anyio.fail_after(30):
        done = await anyio.run_process(command)
    return json.loads(done.stdout.decode().splitlines()[-1])


@pytest.mark.card("ethernetip", "outside_peer")
async def test_another_client_finds_reads_and_writes_the_same_tags(mortal, points):
    wanted = points("Temperature", "Level", "Recipe", "Program:Main.Speed")
    link, connector = Recorder(wanted), EtherNetIp(mortal.config())
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: link.batches)
        assert await connector.write([Write(wanted[0], 2.5), Write(wanted[2], "blue")]) == [0, 0]
        said = await told(
            mortal.port,
            write={"Level": -99},
            read=["Temperature", "Level", "Running", "Program:Main.Speed", "Counts[7]", "Total"],
            structures=["Recipe", "Drive"],
        )
        ours = {wanted[row.signal].address.tag: row.value for row in await connector.read(wanted)}
        group.cancel_scope.cancel()
    assert said["values"] == {
        "Temperature": 2.5,
        "Level": -99,
        "Running": True,
        "Program:Main.Speed": 99.5,
        "Counts[7]": 49,
        "Total": str(-(2**53) - 1),
        "Recipe": "blue",
        "Drive": {"Speed": 1480.5, "Starts": 7, "Currents": [1.5, 2.5, 3.5]},
    }
    assert ours == {"Temperature": 2.5, "Level": -99, "Recipe": "blue", "Program:Main.Speed": 99.5}
    types = {(tag["program"], tag["name"]): tag["type"] for tag in said["tags"]}
    assert types[None, "Precise"] == "LREAL"
    assert types["Main", "Step"] == "DINT"
    assert types[None, "Drive"] == "Motor"
