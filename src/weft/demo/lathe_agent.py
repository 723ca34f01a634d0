"""The lathe on its network: an adapter that says what changes (SHDR), and the agent that listens to it."""

from __future__ import annotations

import anyio

from weft.demo.display import Display
from weft.demo.lathe import Lathe
from weft.demo.lathe_signals import CONDITIONS, DEVICE, Condition, device_file
from weft.demo.mtconnect_agent import Agent
from weft.demo.mtconnect_model import Model
from weft.demo.mtconnect_shdr import ShdrReader
from weft.demo.mtconnect_store import Store
from weft.demo.sensor import Value
from weft.demo.timeline import play
from weft.model import instant

__all__ = ["LatheAgent", "level"]

BUFFER = 262_144  # observations


def level(condition: Condition, lathe: Lathe) -> tuple[str, str, str]:
    """Level, native code and text of a condition now."""
    if lathe.cause in condition.causes and lathe.alarm:
        code, _, text = lathe.alarm.partition(" ")
        return "FAULT", code, text
    warning = condition.warns(lathe)
    return ("WARNING", f"W-{condition.id}", warning) if warning else ("NORMAL", "", "")


class LatheAgent:
    """Serves ``display`` as an MTConnect agent."""

    def __init__(self, display: Display) -> None:
        self._display = display
        # One number per run of the process, as the standard wants it; what was said before it is gone.
        self._store = Store(Model(device_file()), size=BUFFER)
        self._reader = ShdrReader(self._store, DEVICE)
        self._levels: dict[str, tuple[str, str, str]] = {}

    async def run(self, port: int) -> None:
        """Until cancelled."""
        await self._show()
        async with anyio.create_task_group() as tasks:
            await tasks.start(Agent(self._store).run, port)
            await play(self._display.factory, self._display.timeline, 1, self._show)
            await anyio.sleep_forever()

    async def _show(self) -> None:
        moment = instant.text(self._display.time, 6)
        fields = [f"{s.address['id']}|{_text(raw)}" for s, raw in self._display.changes()]
        lines = [f"{moment}|{'|'.join(fields)}"] if fields else []
        if not self._levels:
            lines.insert(0, f"{moment}|avail|AVAILABLE")
        for condition in CONDITIONS:
            now = level(condition, self._display.machine)
            if self._levels.get(condition.id) != now:
                self._levels[condition.id] = now
                lines.append(f"{moment}|{condition.id}|{now[0]}|{now[1]}|||{now[2]}")
        self._reader.feed(lines)


def _text(value: Value) -> str:
    return repr(value) if isinstance(value, float) else str(value).replace("|", " ")
