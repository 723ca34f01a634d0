"""How simulated time follows the clock on the wall."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import anyio
import anyio.lowlevel

from weft.demo.factory import Factory
from weft.demo.machine import STEP, STEP_NS

__all__ = ["Timeline", "fast_forward", "play"]

BEHIND: Final = 10_000_000_000  # ns; later than this a process does not catch up showing, it jumps
LOOK: Final = 0.02  # s between two looks at the gate
SOON: Final = 0.5  # s of the wall's clock within which all processes learn of a command
CHUNK: Final = 20_000  # steps: some 50 ms of work between two looks at the sockets


class Timeline:
    """Step 0 is the simulated time ``start`` (ns UTC, cut to ms) and is present at the wall time ``origin``;
    from then on simulated time runs ``speed`` times as fast, up to the step ``last``.

    With a ``gate`` instead of an origin, time stands at step 0 until that file exists; its text is the origin.
    """

    def __init__(
        self,
        start: int,
        origin: int | None = None,
        *,
        speed: float = 1.0,
        last: int | None = None,
        gate: Path | None = None,
    ) -> None:
        if speed <= 0.0:
            raise ValueError(f"speed must be above 0, not {speed}")
        if origin is None and gate is None:
            raise ValueError("a timeline needs its origin or a gate that tells it")
        self.start = start - start % 1_000_000
        self.speed = speed
        self.last = last
        self._origin = origin
        self._gate = gate

    @property
    def origin(self) -> int | None:
        """ns UTC; None while the gate is shut."""
        if self._origin is None and self._gate is not None and self._gate.exists():
            self._origin = int(self._gate.read_text(encoding="ascii"))
        return self._origin

    async def opened(self) -> int:
        """Waits until time runs."""
        while (origin := self.origin) is None:  # noqa: ASYNC110  # another process opens it
            await anyio.sleep(LOOK)
        return origin

    async def present(self, step: int) -> None:
        """Waits until the simulated time of ``step`` does not lie in the future."""
        await anyio.sleep(max(0.0, (self.time_of(step) - time.time_ns()) / 1e9))

    def time_of(self, step: int) -> int:
        return self.start + step * STEP_NS

    def step_at(self, wall: int) -> int:
        origin = self.origin
        if origin is None:
            return 0
        step = max(0, int((wall - origin) * self.speed // STEP_NS))
        return step if self.last is None else min(step, self.last)

    def soon(self, step: int) -> int:
        """A step that no process has come to yet, when this one is at ``step``."""
        return step + max(2, int(SOON * self.speed / STEP) + 1)

    def ended(self, step: int) -> bool:
        return self.last is not None and step >= self.last

    def after(self, step: int, period: int) -> int:
        """The next step that is shown every ``period`` steps."""
        step = step - step % period + period
        return step if self.last is None else min(step, self.last)


async def fast_forward(factory: Factory, step: int) -> None:
    """To ``step``, without keeping others from their turn."""
    while factory.clock < step:
        factory.run_to(min(step, factory.clock + CHUNK))
        await anyio.lowlevel.checkpoint()


async def play(
    factory: Factory, timeline: Timeline, period: int, show: Callable[[], Awaitable[None]]
) -> None:
    """Runs ``factory`` along its timeline and calls ``show`` every ``period`` steps, the present one first."""
    now = timeline.step_at(time.time_ns())
    aligned = now if timeline.ended(now) else now - now % period
    await fast_forward(factory, max(factory.clock, aligned))
    await show()
    origin = await timeline.opened()
    while not timeline.ended(factory.clock):
        step = timeline.after(factory.clock, period)
        late = time.time_ns() - origin - round(step * STEP_NS / timeline.speed)
        if late > BEHIND:
            present = timeline.step_at(time.time_ns())
            step = max(step, present - present % period)
        await anyio.sleep(max(0.0, -late / 1e9))
        await fast_forward(factory, step)
        await show()
