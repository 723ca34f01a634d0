"""The model factory's EtherNet/IP server in a process of its own, which can be killed and started again."""

import socket
import subprocess
import sys
import time

import pytest

from weft.connect import Point
from weft.connect.ethernetip import Address, Config


class Peer:
    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process = None

    def start(self):
        command = [sys.executable, "-m", "weft.demo.cip_server", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert int(self._process.stdout.readline()) == self.port

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def config(self, **more):
        return Config(**{"host": "127.0.0.1", "port": self.port, "interval": 0.05, "timeout": 2.0} | more)


@pytest.fixture(scope="module")
def standing():
    peer = Peer()
    peer.start()
    yield peer
    peer.kill()


@pytest.fixture
def mortal():
    peer = Peer()
    peer.start()
    yield peer
    peer.kill()


class Cpppo:
    """cpppo's simulator: a second server, for objects and their attributes."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "cpppo.server.enip", "--address", f"127.0.0.1:{self.port}"]
        tags = ["Assembly@0x04/100/3=INT[8]", "Scale@0x93/1/1=REAL"]
        self._process = subprocess.Popen(
            [*command, "--no-udp", *tags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert self._process.poll() is None, "cpppo ended by itself"
                assert time.monotonic() < deadline, "cpppo did not start"
                time.sleep(0.1)
            else:
                return

    def kill(self):
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def cpppo():
    server = Cpppo()
    yield server
    server.kill()


@pytest.fixture
def points():
    def made(*addresses):
        return [
            Point(handle=i, path=f"s{i}", address=a if isinstance(a, Address) else Address(tag=a))
            for i, a in enumerate(addresses)
        ]

    return made
