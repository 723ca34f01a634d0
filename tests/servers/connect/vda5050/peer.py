"""vda-5050-lib in a process of its own: software of others as the other side."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from contextlib import asynccontextmanager

import anyio
import pytest

FOLDER = pathlib.Path(__file__).parents[3] / "peers" / "vda5050"
NODE = shutil.which("node")


def installed() -> None:
    if NODE is None:
        pytest.skip("node is not installed")
    if not (FOLDER / "node_modules" / "vda-5050-lib").is_dir():
        done = subprocess.run(["npm", "ci", "--silent"], cwd=FOLDER, capture_output=True, timeout=120)
        if done.returncode:
            pytest.skip("the peer vda-5050-lib cannot be installed from npm")


class Peer:
    """A running script; ``say`` writes a line to it, ``until`` waits for one of its lines."""

    def __init__(self, process) -> None:
        self._process = process
        self._text = b""

    @property
    def lines(self) -> list[str]:
        return self._text.decode().splitlines()

    async def until(self, word: str) -> str:
        with anyio.fail_after(20):
            while True:
                for line in self.lines:
                    if line.startswith(word):
                        return line
                self._text += await self._process.stdout.receive()

    async def say(self, line: str) -> None:
        await self._process.stdin.send(line.encode() + b"\n")

    async def ended(self) -> None:
        with anyio.fail_after(10):
            await self._process.wait()

    def kill(self) -> None:
        self._process.kill()


@asynccontextmanager
async def running(script: str, *arguments):
    """The script of the peer's folder, killed on leaving."""
    installed()
    command = [NODE, FOLDER / script, *map(str, arguments)]
    async with await anyio.open_process(command, stderr=None) as process:
        try:
            yield Peer(process)
        finally:
            if process.returncode is None:
                process.kill()
