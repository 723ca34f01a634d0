"""RTU over TCP and over a serial line (two pseudo terminals), several units on one line, and writes on each of them."""

import os
import pathlib
import selectors
import socket
import subprocess
import sys
import threading
import time
import tty

import anyio
import pytest

from weft.connect import Recorder, Write
from weft.connect.modbus import Address, Config, Modbus, SerialPort
from weft.model import quality

HERE = pathlib.Path(__file__).parent
GONE = 3
pytestmark = pytest.mark.anyio


class Cable:
    """Two pseudo terminals and who carries the bytes between them."""

    def __init__(self):
        self.ends = [os.openpty() for _ in range(2)]
        for _, slave in self.ends:
            tty.setraw(slave)
        self.names = [os.ttyname(slave) for _, slave in self.ends]
        self._stop, self._wake = os.pipe()
        self._carrier = threading.Thread(target=self._carry, daemon=True)
        self._carrier.start()

    def _carry(self):
        (a, _), (b, _) = self.ends
        with selectors.DefaultSelector() as ready:
            for master in (a, b, self._stop):
                ready.register(master, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fd == self._stop:
                        return
                    data = os.read(key.fd, 4096)
                    if key.fd == b or data[0] != GONE:  # unit 3 is not on the line
                        os.write(b if key.fd == a else a, data)

    def close(self):
        os.write(self._wake, b"x")
        self._carrier.join()
        for fd in (*self.ends[0], *self.ends[1], self._stop, self._wake):
            os.close(fd)


def served(*arguments):
    return subprocess.Popen(
        [sys.executable, str(HERE / "lines.py"), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module")
def serial_line():
    cable = Cable()
    process = served("serial", cable.names[1])
    yield SerialPort(device=cable.names[0], baudrate=38400, parity="none", stopbits=1)
    process.kill()
    process.wait()
    cable.close()


@pytest.fixture(scope="module")
def rtu_port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = served("rtu_tcp", str(port))
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield port
    process.kill()
    process.wait()


@pytest.fixture(params=["serial", "rtu_over_tcp"])
def config(request):
    usual = {"interval": 0.1, "timeout": 0.5}
    if request.param == "serial":
        return Config(transport="serial", serial=request.getfixturevalue("serial_line"), **usual)
    port = request.getfixturevalue("rtu_port")
    return Config(transport="rtu_over_tcp", host="127.0.0.1", port=port, **usual)


@pytest.mark.card("modbus", "reads")
@pytest.mark.card("modbus", "outside_peer")
async def test_units_on_one_line_are_read_and_written(config, points):
    wanted = points(
        Address(register=5),
        Address(register=6, unit=2),
        Address(register=7, type="uint32", unit=2),
        Address(register=0, table="coil"),
    )
    link, connector = Recorder(wanted), Modbus(config)
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, link)
        await link.until(lambda: {row.signal for row in link.rows if not row.status} == {0, 1, 2, 3}, 30)
        good = {row.signal: row.value for row in link.rows if not row.status}
        assert good == {0: 1005, 1: 2006, 2: 2007 << 16 | 2008, 3: False}
        targets = points(
            Address(register=50),
            Address(register=51),
            Address(register=60, type="float32", order="CDAB", unit=2),
            Address(register=70, bits=(4, 3)),
            Address(register=20, table="coil"),
            Address(register=80, type="string", length=4, order="BADC"),
            Address(register=200),
        )
        statuses = await connector.write(
            [Write(p, v) for p, v in zip(targets, (7, 8, -1.5, 5, True, "abcde", 1), strict=True)]
        )
        batch = await connector.read(targets[:6])
        group.cancel_scope.cancel()
    assert list(statuses[:6]) == [0] * 6
    assert statuses[6] == quality.BAD_NODE_ID_UNKNOWN
    assert {row.signal: row.value for row in batch} == {0: 7, 1: 8, 2: -1.5, 3: 5, 4: True, 5: "abcde"}


@pytest.mark.card("modbus", "bad_signal")
async def test_a_dead_unit_on_the_line_is_bad_and_the_others_go_on(serial_line, points):
    config = Config(transport="serial", serial=serial_line, interval=0.1, timeout=0.5)
    link = Recorder(points(Address(register=5), Address(register=6, unit=GONE), Address(register=6, unit=2)))
    async with anyio.create_task_group() as group:
        group.start_soon(Modbus(config).run, link)
        await link.until(lambda: len(link.of(0)) >= 12 and len(link.of(2)) >= 12, 40)
        group.cancel_scope.cancel()
    assert {row.status for row in link.of(1)} == {quality.BAD_NO_COMMUNICATION}
    assert {row.value for row in link.of(0)} == {1005}
    assert {row.value for row in link.of(2)} == {2006}
    assert len(link.of(1)) < len(link.of(0))


async def test_a_serial_port_that_is_not_there_is_worth_another_try():
    from weft.runtime import Retry

    config = Config(transport="serial", serial=SerialPort(device="/dev/weft-nowhere"))
    with pytest.raises(Retry, match="weft-nowhere cannot be opened"):
        await Modbus(config).run(Recorder(()))
