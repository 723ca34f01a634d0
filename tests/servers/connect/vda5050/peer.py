"""vda-5050-lib in a process of its own: software of others as the other side."""

from __future__ import annotations

from contextlib import asynccontextmanager

import anyio
import npm


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
    command = ["node", npm.installed("vda5050") / script, *map(str, arguments)]
    async with await anyio.open_process(command, stderr=None) as process:
        try:
            yield Peer(process)
        finally:
            if process.returncode is None:
                process.kill()
