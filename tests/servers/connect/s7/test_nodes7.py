"""nodes7 and we see the same in one controller, whoever wrote it."""

import json

import anyio
import npm
import pytest

from weft.connect import Recorder, Write
from weft.connect.s7 import S7, Address

pytestmark = pytest.mark.anyio
SAME = {
    "DB1,INT2": Address(at="DB1.DBW2", type="INT"),
    "DB1,DWORD10": Address(at="DB1.DBD10"),
    "DB1,REAL14": Address(at="DB1.DBD14", type="REAL"),
    "DB1,LREAL18": Address(at="DB1.DBB18", type="LREAL"),
    "DB1,S42.10": Address(at="DB1.DBB42", type="STRING", length=10),
    "DB1,X0.1": Address(at="DB1.DBX0.1"),
    "DB1,DINT6": Address(at="DB1.DBD6", type="DINT"),
    "MB12": Address(at="MB12"),
    "DB1,INT98.5": Address(at="DB1.DBB98", type="INT", count=5),
}


async def told(port, **order):
    command = ["node", str(npm.installed("nodes7") / "client.js"), str(port), json.dumps(order)]
    with anyio.fail_after(20):
        done = await anyio.run_process(command)
    return json.loads(done.stdout.decode().splitlines()[-1])


@pytest.mark.card("s7", "outside_peer")
async def test_nodes7_reads_what_we_read_and_write(standing, points):
    wanted = points(*SAME.values(), Address(at="DB1.DBD220", type="REAL"), Address(at="DB1.DBX224.5"))
    link, connector = Recorder(wanted), S7(standing.config())
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: link.batches)
        assert await connector.write([Write(wanted[-2], 2.5), Write(wanted[-1], True)]) == [0, 0]
        theirs = await told(standing.port, read=[*SAME, "DB1,REAL220", "DB1,X224.5", "DB1,B224"])
        assert await told(standing.port, write={"DB1,INT230": -1234}) == {}
        [row] = await connector.read(points(Address(at="DB1.DBW230", type="INT")))
        group.cancel_scope.cancel()
    ours = {row.signal: row.value for row in link.batches[0]}
    assert {name: theirs[name] for name in SAME} == {name: ours[i] for i, name in enumerate(SAME)}
    assert (theirs["DB1,REAL220"], theirs["DB1,X224.5"], theirs["DB1,B224"]) == (2.5, True, 1 << 5)
    assert row.value == -1234
