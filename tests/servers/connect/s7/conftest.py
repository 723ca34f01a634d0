"""python-snap7's server in a process of its own, which can be killed and started again on the same port."""

import pathlib
import socket
import subprocess
import sys
import time

import pytest

from weft.connect import Point
from weft.connect.s7 import Address, Config

HERE = pathlib.Path(__file__).parent


class Peer:
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
                assert self._process.poll() is None, "the S7 server ended by itself"
                assert time.monotonic() < deadline, "the S7 server did not start"
                time.sleep(0.05)
            else:
                return

    def kill(self):
        self._process.kill()
        self._process.wait()

    def config(self, **more):
        return Config(**{"host": "127.0.0.1", "port": self.port, "interval": 0.05, "timeout": 1.0} | more)


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


@pytest.fixture
def points():
    def made(*addresses):
        return [
            Point(handle=i, path=f"s{i}", address=a if isinstance(a, Address) else Address(at=a))
            for i, a in enumerate(addresses)
        ]

    return made
