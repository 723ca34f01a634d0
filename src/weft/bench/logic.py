"""How fast local logic reacts: from a connector's ``emit`` to the same connector's ``write``, with everything between
that a running gateway has. Once with the bus there, once with the bus away; a load of other signals runs beside it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import anyio
import numpy as np

from weft.bus import MemoryBus, Stream
from weft.bus.api import Ack, Draft
from weft.catalog import Connection, Plant
from weft.connect import Line, Link, Point, Write
from weft.edge import Commands, Edge, Logic, doors
from weft.model import Batch, Rule, Signal, ValueType, Writable
from weft.runtime import Ready, Retry, SystemClock

__all__ = ["run"]

LOAD: Final = 2_000  # signals beside, ten times a second
PAUSE: Final = 0.02
SOURCE, TARGET = 1, 2


class _Machine:
    """A connector whose one signal changes and whose other is written; it measures the time between."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begun = 0
        self.reactions: list[float] = []

    async def run(self, link: Link) -> None:
        link.up()
        end = time.monotonic() + self.seconds
        value = 0.0
        while time.monotonic() < end:
            value = 100.0 - value
            self.begun = time.perf_counter_ns()
            link.emit(Batch.doubles([SOURCE], [time.time_ns()], [value]))
            await anyio.sleep(PAUSE)
        await anyio.sleep_forever()

    async def write(self, writes: Sequence[Write]) -> Sequence[int]:
        self.reactions.append((time.perf_counter_ns() - self.begun) / 1e6)
        return [0] * len(writes)


class _Bus(MemoryBus):
    """The bus, or none."""

    away = False

    async def publish(self, *drafts: Draft) -> Ack:
        if self.away:
            raise Retry("the bus is away")
        return await super().publish(*drafts)


async def run(seconds: float = 5.0) -> dict[str, Any]:
    """``ms_p50``, ``ms_p99``, ``ms_most`` from the change to the write, and how many, with the bus and without."""
    return {
        "with_bus": await _measure(seconds, away=False),
        "bus_away": await _measure(seconds, away=True),
    }


async def _measure(seconds: float, *, away: bool) -> dict[str, Any]:
    clock, bus, machine = SystemClock(), _Bus(), _Machine(seconds)
    await bus.declare(Stream(name="samples", subjects=("uns.v1.>",)))
    await bus.declare(Stream(name="events", subjects=("events.v1.>",)))
    bus.away = away
    plant = _plant()
    edge = Edge(bus, clock=clock, home=lambda _: "e/s")
    points = [Point(s.handle, s.path, None, s.type) for s in plant.signals.values()]
    line = Line("plc", machine, points, clock=clock, forward=edge.accept, tell=edge.tell)  # type: ignore[arg-type]  # has no Config: nobody configures it
    commands = Commands(
        bus,
        clock=clock,
        plant=lambda: plant,
        lines={"plc": line},
        latest=edge.treatment.latest,
        look=edge.treatment.look,
        tell=edge.tell,
        policy=doors(("logic",)),
    )
    logic = Logic(clock=clock, latest=edge.treatment.latest, execute=commands.execute, tell=edge.tell)
    logic.apply(plant.logic, plant.signals)
    edge.treatment.notice = logic.notice
    edge.apply(list(plant.signals.values()), logic.watched)
    async with anyio.create_task_group() as group:
        ready: Ready = _nothing
        group.start_soon(edge.run, ready)
        group.start_soon(logic.run, ready)
        group.start_soon(line.run)
        group.start_soon(_load, edge)
        await anyio.sleep(seconds + 0.5)
        group.cancel_scope.cancel()
    return _figures(machine.reactions)


def _plant() -> Plant:
    rails = Writable(logic=True, readback=False, minimum=0.0, maximum=200.0)
    signals = [
        Signal(handle=SOURCE, path="e/s/t", connection="plc", address=None, type=ValueType.DOUBLE),
        Signal(
            handle=TARGET, path="e/s/v", connection="plc", address=None, type=ValueType.DOUBLE, write=rails
        ),
    ]
    others = [
        Signal(handle=10 + i, path=f"e/s/x{i}", connection="load", address=None, deadband=0.1)
        for i in range(LOAD)
    ]
    rule = Rule(
        name="react",
        when="{e/s/t} > 50",
        set={"e/s/v": "{e/s/t}"},
        otherwise={"e/s/v": "0"},
        per_minute=1_000_000,
    )
    return Plant(
        name="bench",
        signals={signal.path: signal for signal in [*signals, *others]},
        connections={"plc": Connection(name="plc", protocol="none", config=None)},
        logic={"react": rule},
    )


async def _load(edge: Edge) -> None:
    handles, rng, sequence = np.arange(10, 10 + LOAD), np.random.default_rng(1), 0
    while True:
        now = time.time_ns()
        sequence += 1
        edge.accept(
            Batch.doubles(
                handles,
                np.full(LOAD, now),
                rng.normal(size=LOAD),
                source="load",
                sequence=sequence,
                received=now,
            )
        )
        await anyio.sleep(0.1)


def _figures(reactions: list[float]) -> dict[str, Any]:
    p50, p99 = np.percentile(reactions, [50, 99])
    return {
        "ms_p50": round(float(p50), 3),
        "ms_p99": round(float(p99), 3),
        "ms_most": round(max(reactions), 3),
        "reactions": len(reactions),
    }


def _nothing() -> None:
    return None
