"""Our Modbus frames, and the values in them, as tshark reads them."""

import pathlib
import socket
import subprocess
import sys
from contextlib import contextmanager

import anyio
import judge
import pytest
import servers.connect.modbus.conftest
from servers.connect.modbus.conftest import Peer

from weft.connect import Point, Recorder, Write
from weft.connect.modbus import Address, Config, Modbus
from weft.runtime import Retry

pytestmark = pytest.mark.anyio
LINES = pathlib.Path(servers.connect.modbus.conftest.__file__).with_name("lines.py")
FIELDS = {1: "bitval", 2: "bitval", 3: "regval_uint16", 4: "regval_uint16"}


@contextmanager
def pymodbus():
    peer = Peer()
    peer.start()
    try:
        yield peer.port
    finally:
        peer.kill()


@contextmanager
def behind_a_converter():
    """RTU frames over TCP."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(LINES), "rtu_tcp", str(port)])
    try:
        yield port
    finally:
        process.kill()
        process.wait()


async def read_and_written(proxy, addresses, write, **config):
    """A cycle and a write through the proxy; the first value of each point."""
    link = Recorder([Point(i, f"s{i}", address) for i, address in enumerate(addresses)])
    usual = {"host": "127.0.0.1", "port": proxy.port, "interval": 0.05, "timeout": 2.0}
    connector = Modbus(Config(**usual | config))

    async def again():
        while True:
            try:
                await connector.run(link)
            except Retry:  # the server is still starting
                await anyio.sleep(0.1)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(again)
            await link.until(lambda: link.batches)
            await connector.write([Write(Point(99, "w", write), 4711)])
            group.cancel_scope.cancel()
    return {row.signal: row.value for row in reversed(link.rows)}


def told(layers, kind):
    """What tshark reads in the answers: (unit, function, number) -> value; and what was asked to be written."""
    found, written = {}, []
    for frame in layers:
        modbus = frame.get("modbus")
        if modbus is None:
            continue
        function = int(modbus["modbus.func_code"])
        values = judge.values(modbus, f"modbus.{FIELDS.get(function, '')}")
        numbers = judge.values(modbus, "modbus.bitnum" if function < 3 else "modbus.regnum16")
        [unit] = judge.values(frame, f"{kind}.unit_id")
        found |= {(int(unit), function, int(n)): int(v) for n, v in zip(numbers, values, strict=True)}
        if function == 6 and "modbus.data" in modbus:
            written.append((int(modbus["modbus.reference_num"]), modbus["modbus.data"]))
    assert all(kind in frame for frame in layers if "modbus" in frame)
    return found, written


async def test_registers_and_bits_over_tcp(tmp_path):
    addresses = [
        *(Address(register=10 + i) for i in range(24)),
        *(Address(table="coil", register=i) for i in range(20)),
        *(Address(table="discrete", register=i) for i in range(20)),
        *(Address(table="input", register=1 + i) for i in range(5)),
    ]
    with pymodbus() as port:
        async with judge.recording(port, 502) as proxy:
            ours = await read_and_written(proxy, addresses, Address(register=5, unit=2))
    theirs, written = told(proxy.judged(tmp_path), "mbtcp")
    functions = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
    assert ours == {i: theirs[1, functions[a.table], a.register] for i, a in enumerate(addresses)}
    assert written[0] == (5, "12:67")


async def test_rtu_frames_over_tcp(tmp_path):
    addresses = [Address(register=i, unit=1 + i % 2) for i in range(6)]
    with behind_a_converter() as port:
        async with judge.recording(port, 502) as proxy:
            ours = await read_and_written(
                proxy, addresses, Address(register=90, unit=1), transport="rtu_over_tcp"
            )
    assert ours == {i: (1 + i % 2) * 1000 + i for i in range(6)}
    layers = proxy.judged(tmp_path, "-d", "tcp.port==502,mbrtu", "-o", "mbrtu.crc_verification:TRUE")
    theirs, _ = told(
        layers, "mbrtu"
    )  # of a write it cannot tell the question from the answer: they are the same
    assert ours == {i: theirs[1 + i % 2, 3, i] for i in range(6)}
    assert [judge.values(frame, "modbus.func_code") for frame in layers][-2:] == [["6"], ["6"]]
    assert set(judge.values(layers, "mbrtu.crc16.status")) == {"1"}
