"""Whole plants for tests: a house in this process, or as a program of its own that can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio

from weft.app import House
from weft.cli.up import running
from weft.connect import LineState
from weft.history.columns import from_table
from weft.model import Flag
from weft.runtime.settings import state_dir
from weft.web import Access

FOR_EVER = 2**62


@asynccontextmanager
async def living(folder, **settings):
    """The house of a folder, up, its page on a free port."""
    async with running(House(folder, web={"port": 0}, **settings)) as house:
        yield house


async def until(condition, seconds=30.0, every=0.05):
    """Waits until ``condition()`` (or what it awaits) holds. Raises TimeoutError."""
    with anyio.fail_after(seconds):
        while True:
            found = condition()
            if hasattr(found, "__await__"):
                found = await found
            if found:
                return found
            await anyio.sleep(every)


def all_up(house):
    return all(line.state is LineState.UP for line in house.lines())


async def measured(history, handle):
    """``[(time, value)]`` of a signal as history has it, without what the gateway wrote itself."""
    rows = from_table(await history.raw([handle], -FOR_EVER, FOR_EVER))
    return [(row.time, row.value) for row in rows if not row.flags & Flag.SYNTHETIC]


class Program:
    """``weft up`` as a process of its own, which can be killed and started again."""

    def __init__(self, folder, log):
        self.folder, self.log = folder, log
        self.process = None

    def start(self):
        command = [sys.executable, "-m", "weft.cli", "up", "--plant", str(self.folder), "--port", "0"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)

    async def answers(self):
        """Waits until the page of this life answers."""
        access = Access(state_dir(self.folder))

        def there():
            try:
                port = int(access.address.rpartition(":")[2])
            except Exception:
                return False
            try:
                os.kill(self.process.pid, 0)
            except ProcessLookupError:
                raise AssertionError(f"weft up ended: {self.log.read_text()[-2000:]}") from None
            return port

        async def connects():
            port = there()
            if not port:
                return False
            try:
                stream = await anyio.connect_tcp("127.0.0.1", port)
            except OSError:
                return False
            await stream.aclose()
            return True

        await until(connects, 30)
