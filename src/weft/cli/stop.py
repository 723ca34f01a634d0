"""Until somebody says stop: Ctrl-C, SIGTERM, or the clock."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import anyio

__all__ = ["unless_stopped", "until_signal"]


async def unless_stopped(work: Callable[[], Awaitable[None]], seconds: float | None = None) -> None:
    """Does the work until it ends, is ended by Ctrl-C or SIGTERM, or the time is over. Signals count from the
    first moment: whoever stops a start stops all of it."""
    async with anyio.create_task_group() as group:

        async def do() -> None:
            await work()
            group.cancel_scope.cancel()

        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            group.start_soon(do)
            with anyio.move_on_after(seconds):
                async for _ in signals:
                    break
            group.cancel_scope.cancel()


async def until_signal(seconds: float | None = None) -> None:
    """Returns on Ctrl-C, on SIGTERM, or when the time is over."""
    with (
        anyio.move_on_after(seconds),
        anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals,
    ):
        async for _ in signals:
            return
