"""modbus-serial from npm as the device: read and written."""

import socket

import anyio
import npm
import pytest

from weft.connect import Recorder, Write
from weft.connect.modbus import Address, Config, Modbus

pytestmark = pytest.mark.anyio


@pytest.mark.card("modbus", "outside_peer")
async def test_modbus_serial_is_read_and_written(points):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    wanted = points(
        Address(register=7),
        Address(register=7, table="input"),
        Address(register=3, table="discrete"),
        Address(register=20, type="float32", order="CDAB"),
        Address(register=30, bits=(4, 3)),
        Address(register=5, table="coil"),
        Address(register=6, table="coil"),
        Address(register=40, type="int16"),
    )
    command = ["node", str(npm.installed("modbus-serial") / "server.js"), str(port)]
    async with await anyio.open_process(command) as process:
        with anyio.fail_after(20):
            assert await process.stdout.receive() == b"ready\n"
        link, connector = Recorder(wanted), Modbus(Config(host="127.0.0.1", port=port, interval=0.1))
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, link)
            await link.until(lambda: link.batches)
            values = zip(wanted[3:], (-2.5, 5, True, True, -7), strict=True)
            statuses = await connector.write([Write(point, value) for point, value in values])
            batch = await connector.read(wanted)
            group.cancel_scope.cancel()
        process.kill()
    assert {row.signal: row.value for row in link.batches[0] if row.signal < 3} == {0: 7, 1: 14, 2: True}
    assert list(statuses) == [0] * 5  # it has no function 22: bits are read, changed and written back
    assert {row.signal: row.value for row in batch if row.signal > 2} == {
        3: -2.5,
        4: 5,
        5: True,
        6: True,
        7: -7,
    }
