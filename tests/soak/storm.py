"""Reconnect storms: a line that is cut again and again, and what the process holds after each.

20 hours at one reconnect every 30 s are 2,400; a leak per reconnect does not know how long the wait between was.
"""

from __future__ import annotations

import asyncio
import gc
import os
import pathlib
from typing import NamedTuple

import anyio
from faults import Proxy

from weft.connect import Line, LineState
from weft.connect import line as line_module
from weft.runtime import SystemClock

__all__ = ["Held", "Storm", "storm"]

QUICK = (0.0, 0.001)  # s between two attempts


class Held(NamedTuple):
    """Bytes of resident memory, what the collector knows of, open descriptors, tasks."""

    memory: int
    objects: int
    descriptors: int
    tasks: int

    @classmethod
    def now(cls):
        gc.collect()
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
        return cls(
            pages * os.sysconf("SC_PAGE_SIZE"),
            len(gc.get_objects()),
            len(list(pathlib.Path("/proc/self/fd").iterdir())),
            len(asyncio.all_tasks()),
        )


class Storm(NamedTuple):
    """``before`` is after a fifth of the reconnects: what is made once has been made then."""

    name: str
    reconnects: int
    seconds: float
    before: Held
    after: Held

    @property
    def grown(self):
        return Held(*(b - a for a, b in zip(self.before, self.after, strict=True)))

    @property
    def ok(self):
        """No object stays per reconnect, no descriptor and no task at all; 2 MiB are the allocator's."""
        counted = self.reconnects * 4 // 5
        grown = self.grown
        few = grown.objects < counted / 10 + 200 and grown.memory < (2 << 20) + 200 * counted
        return few and grown.descriptors <= 0 and grown.tasks <= 0


class _Watch:
    """A line's news."""

    def __init__(self, connector, points):
        self.samples = 0
        self._news = asyncio.Event()
        self.line = Line(
            "storm",
            connector,
            points,
            clock=SystemClock(),
            forward=self._forward,
            tell=lambda event: self._news.set(),
        )

    def _forward(self, batch, stored):
        self.samples += int((batch.status < 0x80000000).sum())
        if stored is not None:
            stored()
        self._news.set()

    async def until(self, condition):
        with anyio.fail_after(30):
            while not condition():
                self._news.clear()
                await self._news.wait()


async def storm(name, port, connect, points, reconnects):
    """``connect(port)`` makes the connector for a server at ``port``, behind a proxy of ours."""
    pause, line_module.RETRY = line_module.RETRY, QUICK
    clock = SystemClock()
    begun = clock.monotonic()
    try:
        async with Proxy(port) as proxy, anyio.create_task_group() as group:
            watch = _Watch(connect(proxy.port), points)
            group.start_soon(watch.line.run)
            before = None
            for number in range(reconnects):
                await _once(watch, proxy)
                if number == reconnects // 5:
                    before = Held.now()
            after = Held.now()
            group.cancel_scope.cancel()
    finally:
        line_module.RETRY = pause
    return Storm(name, reconnects, clock.monotonic() - begun, before, after)


async def _once(watch, proxy):
    """Up with a sample, cut, down, and whole again."""
    seen = watch.samples
    await watch.until(lambda: watch.line.status.state is LineState.UP and watch.samples > seen)
    proxy.cut()
    await watch.until(lambda: watch.line.status.state is not LineState.UP)
    proxy.resume()
