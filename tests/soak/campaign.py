"""One run: a world, some troubles one after the other, and the verdict."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from typing import NamedTuple

import anyio
from plant.houses import until
from soak import plant
from soak.clock import FakedClock
from soak.verdict import Count, caught_up, judge, judge_far, read_kept
from soak.world import living

__all__ = ["Result", "run"]


class Result(NamedTuple):
    """``kept``, ``uns`` and ``spb`` are :class:`Count` by signal; the seconds are from the last trouble's end until
    Weft (``stored``) and the far side (``arrived``) had all that was said by then."""

    name: str
    kept: dict
    uns: dict
    spb: dict
    gaps: list
    stored: float
    arrived: float
    unmarked: dict

    def of(self, where, names=plant.NAMES):
        """The sum over signals."""
        total = Count(*[0] * 7)
        for name in names:
            total += getattr(self, where)[name]
        return total

    @property
    def ok(self):
        return self.of("kept").ok and self.of("uns").ok and self.of("spb").ok


async def run(folder, name, troubles, *, seed=0, mount=None, clock=False, hub=False):
    """``mount``: a folder on a small disk, for the gateway's state; ``clock``: its clock can jump; ``hub``: an edge
    forwards to it. Between two troubles all is caught up first."""
    chance = random.Random(seed)
    more = {"hub": hub, "state": mount}
    faked = None
    if clock:
        folder.mkdir(parents=True, exist_ok=True)
        faked = FakedClock(folder / "clock")
        more["env"] = faked.env
    async with living(folder, **more) as world:
        world.clock = faked
        whole = 0
        for trouble in troubles:
            await anyio.sleep(chance.uniform(0.5, 1.5))
            await trouble.run(world)
            whole = time.time_ns()
            await _caught_up(world)
        await anyio.sleep(1.0)
        await world.rest()
        said, state = world.said(), world.states["gateway"]
        uns, spb = dict(world.recorder.uns), dict(world.recorder.spb)
    kept = await read_kept(state)
    return _result(name, said, kept, uns, spb, whole)


async def _caught_up(world, seconds=60):
    """Until the far side has the newest of each signal; what never comes is the verdict's."""
    said = {name: ones[-1].value for name, ones in world.said().items() if ones}
    with suppress(TimeoutError):
        await until(lambda: world.has(said), seconds)


def _result(name, said, kept, uns, spb, whole):
    stored = {key: [(row.value, row.at) for row in rows] for key, rows in kept.stream.items()}
    arrived = {key: [(one.value, one.at) for one in ones] for key, ones in uns.items()}
    counts = judge(said, kept)
    return Result(
        name=name,
        kept=counts,
        uns=judge_far(said, uns, kept),
        spb=judge_far(said, spb, kept, unit=10**6),
        gaps=kept.gaps,
        stored=caught_up(said, stored, whole),
        arrived=caught_up(said, arrived, whole),
        unmarked=_unmarked(said, kept, counts),
    )


def _unmarked(said, kept, counts):
    """What is missing without a gap record, for whoever looks for the cause: ``{signal: [(value, time), …]}``."""
    found = {}
    for name, count in counts.items():
        if count.missing:
            have = {row.value for row in kept.history.get(name, ())}
            found[name] = [(one.value, one.time) for one in said[name] if one.value not in have]
    return found
