"""Devices for the tests of this folder: pymodbus in a process of its own, and scripted ones in this process."""

import os
import pathlib
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import anyio
import pytest

from weft.connect import Line, Point
from weft.connect.modbus import Address, Config, Modbus
from weft.connect.modbus.frames import Frame, Splitter, encode
from weft.runtime import SystemClock

HERE = pathlib.Path(__file__).parent


class Peer:
    """The process of peer.py, which can be killed and started again on the same port."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process = None

    def start(self):
        command = [sys.executable, str(HERE / "peer.py"), str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self._process.poll() is None, "the pymodbus server ended by itself"
                assert time.monotonic() < deadline, "the pymodbus server did not start"
                time.sleep(0.05)
            else:
                return

    def kill(self):
        self._process.kill()
        self._process.wait()

    def send(self, number):
        os.kill(self._process.pid, number)

    def config(self, **more):
        usual = {"host": "127.0.0.1", "port": self.port, "interval": 0.05, "timeout": 1.0}
        return Config(**usual | more)


@pytest.fixture(scope="module")
def standing():
    """A peer that nobody in the module harms."""
    peer = Peer()
    peer.start()
    yield peer
    peer.kill()


@pytest.fixture
def mortal():
    """A peer of the test's own."""
    peer = Peer()
    peer.start()
    yield peer
    peer.kill()


class Scripted:
    """A device whose every answer a test decides: ``answer(frame, stream)`` is called per question."""

    def __init__(self, answer):
        self.connections = 0
        self.questions = []
        self._answer = answer

    async def serve(self, stream):
        self.connections += 1
        splitter = Splitter()
        async with stream:
            try:
                while True:
                    for frame in splitter.feed(await stream.receive()):
                        self.questions.append(frame)
                        await self._answer(frame, stream)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return


@pytest.fixture
def scripted():
    """``async with scripted(answer) as (device, config)``: the device listens on a free port."""

    @asynccontextmanager
    async def listening(answer, **more):
        device = Scripted(answer)
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, device.serve)
            yield device, Config(host="127.0.0.1", port=port, **{"interval": 0.02, "timeout": 0.3} | more)
            group.cancel_scope.cancel()

    return listening


def own_numbers(question: Frame) -> bytes:
    """The right answer of a device whose registers hold their own number."""
    function, start, count = (
        question.pdu[0],
        *(int.from_bytes(question.pdu[i : i + 2], "big") for i in (1, 3)),
    )
    data = b"".join(number.to_bytes(2, "big") for number in range(start, start + count))
    return encode(question._replace(pdu=bytes((function, len(data))) + data))


@pytest.fixture
def right():
    return own_numbers


def points_of(*addresses, start=0):
    return [Point(handle=i, path=f"s{i}", address=a) for i, a in enumerate(addresses, start)]


@pytest.fixture
def points():
    return points_of


class Watched:
    """A line and everything that came out of it."""

    def __init__(self, config, points):
        self.rows = []
        self.events = []
        self._news = anyio.Event()
        self.line = Line(
            "washer",
            Modbus(config),
            points,
            clock=SystemClock(),
            forward=self._forward,
            tell=self.events.append,
        )

    def _forward(self, batch, _stored):
        self.rows += list(batch)
        news, self._news = self._news, anyio.Event()
        news.set()

    async def until(self, condition, seconds=20.0):
        with anyio.fail_after(seconds):
            while not condition():
                await self._news.wait()


@pytest.fixture
def watched():
    """``async with watched(config, points) as line``: it runs until the block ends."""

    @asynccontextmanager
    async def run(config, points):
        watched = Watched(config, points)
        async with anyio.create_task_group() as group:
            group.start_soon(watched.line.run)
            yield watched
            group.cancel_scope.cancel()

    return run


REGISTERS = {
    "int16": (Address(register=10, type="int16"), -12),
    "uint16": (Address(register=11), 65535),
    "int32": (Address(register=12, type="int32"), -123456),
    "uint32 CDAB": (Address(register=14, type="uint32", order="CDAB"), 0xDEADBEEF),
    "float32": (Address(register=16, type="float32"), 21.5),
    "float32 DCBA": (Address(register=18, type="float32", order="DCBA"), -0.125),
    "float64": (Address(register=20, type="float64"), 3.141592653589793),
    "int64 DCBA": (Address(register=24, type="int64", order="DCBA"), -(2**53) - 1),
    "string": (Address(register=28, type="string", length=4), "000123"),
    "bit": (Address(register=32, bit=3), True),
    "no bit": (Address(register=32, bit=4), False),
    "bits": (Address(register=32, bits=(13, 3)), 5),
    "null": (Address(register=33, type="int16", null=-32768), None),
    "coil": (Address(table="coil", register=18), True),
    "discrete": (Address(table="discrete", register=16), False),
    "input": (Address(table="input", register=9), 1009),
    "other unit": (Address(register=9, unit=2), 2009),
}


@pytest.fixture
def known():
    """What peer.py holds: name -> (address, value)."""
    return REGISTERS
