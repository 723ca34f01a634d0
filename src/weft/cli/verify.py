"""Did every true value of the model factory arrive? The factory's own record against Weft's history."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec

from weft.app import House
from weft.catalog import Plant
from weft.demo import truth
from weft.history import History
from weft.history.columns import from_table
from weft.model import Flag, Signal, instant

__all__ = ["Verdict", "compare", "verify"]

PATIENCE: Final = 30.0
FOR_EVER: Final = 2**62
SHOWN: Final = 5


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """``missing``: shown by a machine and not in history; ``wrong``: there with another value; ``extra``: in
    history, never shown. Each lists ``(signal, time, text)``."""

    shown: dict[str, int]
    missing: list[tuple[str, int, str]]
    wrong: list[tuple[str, int, str]]
    extra: list[tuple[str, int, str]]

    @property
    def ok(self) -> bool:
        return bool(self.shown) and not (self.missing or self.wrong or self.extra)

    def text(self) -> str:
        total = sum(self.shown.values())
        by_machine = ", ".join(f"{machine} {count}" for machine, count in sorted(self.shown.items()))
        lines = [f"{total} true values ({by_machine}):"]
        for name in ("missing", "wrong", "extra"):
            found = getattr(self, name)
            lines.append(f"  {len(found)} {name}")
            lines += [f"    {path} {instant.text(time)} {what}" for path, time, what in found[:SHOWN]]
        return "\n".join(lines)


async def verify(house: House, folder: Path) -> Verdict:
    """Waits until what is on the way has arrived, then compares."""
    with anyio.move_on_after(PATIENCE):
        while (verdict := await compare(house.plant(), house.history, folder)).missing:
            await anyio.sleep(0.5)
    return verdict


async def compare(plant: Plant, history: History, folder: Path) -> Verdict:
    """Truth against history as they are now."""
    shown = await anyio.to_thread.run_sync(truth.read, folder)
    site = list(plant.assets)[1]
    expected: dict[str, dict[int, Any]] = {}
    for row in shown:
        expected.setdefault(f"{site}/{row.signal}", {})[row.time] = row.value
    verdict = Verdict(
        shown=dict(Counter(row.signal.split("/")[-2] for row in shown)), missing=[], wrong=[], extra=[]
    )
    for path, values in expected.items():
        await _compare_signal(history, plant.signals[path], values, verdict)
    return verdict


async def _compare_signal(history: History, signal: Signal, values: dict[int, Any], verdict: Verdict) -> None:
    found = await _measured(history, signal)
    for time, value in values.items():
        if time not in found:
            verdict.missing.append((signal.path, time, repr(value)))
        elif not _same(found[time], value):
            verdict.wrong.append((signal.path, time, f"{value!r} is {found[time]!r} in history"))
    verdict.extra.extend((signal.path, time, repr(found[time])) for time in found.keys() - values.keys())


async def _measured(history: History, signal: Signal) -> dict[int, Any]:
    """What history holds of a signal, without what the gateway wrote itself when a line was down."""
    rows = from_table(await history.raw([signal.handle], -FOR_EVER, FOR_EVER))
    return {row.time: row.value for row in rows if not row.flags & Flag.SYNTHETIC}


def _same(found: Any, true: Any) -> bool:
    if isinstance(true, str) or isinstance(found, str):
        return type(found) is type(true) and found == true
    return bool(found == true)
