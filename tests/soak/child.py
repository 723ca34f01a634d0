"""A process of the soak: started, frozen, killed and started again."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess

import anyio

__all__ = ["Child", "answers", "port_of_our_own"]


def port_of_our_own():
    """Below the range of outgoing connections: who dials a dead port there can be connected to itself."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


async def answers(port, child, seconds=30):
    """Waits until somebody listens there."""
    with anyio.fail_after(seconds):
        while True:
            try:
                stream = await anyio.connect_tcp("127.0.0.1", port)
            except OSError:
                assert child.alive, f"{child.name} has ended: {child.words()}"
                await anyio.sleep(0.02)
            else:
                await stream.aclose()
                return


class Child:
    def __init__(self, name, command, log, env=None):
        self.name, self._command, self._log = name, command, log
        self._env = {**os.environ, **(env or {})}
        self._process = None

    @property
    def alive(self):
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self):
        return self._process.pid

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._env)

    def signal(self, number):
        if self.alive:
            self._process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self, seconds=20):
        """In order; whoever is frozen goes on first."""
        if self._process is None:
            return
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def words(self):
        return self._log.read_text(errors="replace")[-2000:]
