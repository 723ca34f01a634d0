"""Did every true value of the model factory arrive? The factory's own record against Weft's history."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec

from weft.app import House
from weft.catalog import Plant
from weft.demo import truth
from weft.history import History
from weft.history.columns import from_table
from weft.model import Flag, Row, Signal, instant

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
    now = time.time_ns()
    shown = await anyio.to_thread.run_sync(truth.read, folder)
    site = list(plant.assets)[1]
    expected: dict[str, dict[int, Any]] = {}
    for row in shown:
        expected.setdefault(f"{site}/{row.signal}", {})[row.time] = row.value
    verdict = Verdict(
        shown=dict(Counter(row.signal.split("/")[-2] for row in shown)), missing=[], wrong=[], extra=[]
    )
    for path, values in expected.items():
        await _compare_signal(history, plant.signals[path], values, verdict, now)
    return verdict


async def _compare_signal(
    history: History, signal: Signal, values: dict[int, Any], verdict: Verdict, now: int
) -> None:
    rows = await _measured(history, signal)
    if rows and all(row.flags & Flag.RECEIVE_TIME for row in rows):
        # The machine goes on while this is looked at: what was read after its truth was cannot be in it.
        _compare_order(signal, values, [row for row in rows if row.time <= now], verdict)
        return
    found = {row.time: row.value for row in rows}
    told_again = {row.time for row in rows if row.flags & (Flag.REPEATED | Flag.RECEIVE_TIME)}
    for moment, value in values.items():
        if moment not in found:
            verdict.missing.append((signal.path, moment, repr(value)))
        elif not _same(found[moment], value):
            verdict.wrong.append((signal.path, moment, f"{value!r} is {found[moment]!r} in history"))
    extra = found.keys() - values.keys() - told_again
    verdict.extra.extend((signal.path, moment, repr(found[moment])) for moment in extra)


def _compare_order(signal: Signal, values: dict[int, Any], rows: list[Row], verdict: Verdict) -> None:
    """Where the protocol carries no time, history has the moments of reading: what is compared is the order of
    values, each once as long as it does not change."""
    true = _runs(sorted(values.items()))
    found = _runs((row.time, row.value) for row in sorted(rows, key=lambda row: row.time))
    texts = [repr(value) for _, value in true], [_text(value) for _, value in found]
    for _, low, high, begin, end in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        if texts[0][low:high] != texts[1][begin:end]:
            verdict.missing.extend((signal.path, *_told(each)) for each in true[low:high])
            verdict.extra.extend((signal.path, *_told(each)) for each in found[begin:end])


def _text(value: Any) -> str:
    return repr(tuple(value) if isinstance(value, list) else value)


def _runs(samples: Iterable[tuple[int, Any]]) -> list[tuple[int, Any]]:
    """Without those that say the same as the one before."""
    found: list[tuple[int, Any]] = []
    for sample in samples:
        if not found or not _same(found[-1][1], sample[1]):
            found.append(sample)
    return found


def _told(sample: tuple[int, Any]) -> tuple[int, str]:
    return sample[0], repr(sample[1])


async def _measured(history: History, signal: Signal) -> list[Row]:
    """What history holds of a signal, without what the gateway wrote itself when a line was down, and without
    what a source said of having no value."""
    rows = from_table(await history.raw([signal.handle], -FOR_EVER, FOR_EVER))
    return [row for row in rows if not row.flags & Flag.SYNTHETIC and row.value is not None]


def _same(found: Any, true: Any) -> bool:
    if isinstance(true, tuple):
        return list(found) == list(true)
    if isinstance(true, (str, bytes)) or isinstance(found, (str, bytes)):
        return type(found) is type(true) and bool(found == true)
    return bool(found == true)
