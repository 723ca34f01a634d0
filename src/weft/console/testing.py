"""A plant of paper: everything the pages need, without field, bus or files. For tests and for looking at pages.

``python -m weft.console.testing`` serves it on loopback and prints a link.
"""

from __future__ import annotations

import math
import sys
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import anyio
import pyarrow as pa

from weft import console, web
from weft.bus.api import Promise, StreamState
from weft.catalog.api import Connection, Plant
from weft.connect import LineState, Status
from weft.destinations import Status as DestinationStatus
from weft.history.api import History
from weft.model import Asset, Batch, Flag, Level, Limits, Row, Signal, ValueType, quality
from weft.runtime import Clock, Invalid, Service, State, SystemClock

__all__ = ["PaperHistory", "PaperHouse", "paper_plant"]

SECOND: Final = 1_000_000_000


class PaperHistory:
    """A :class:`~weft.history.api.History` in memory; samples of a signal must come in order of time."""

    def __init__(self) -> None:
        self.rows: dict[int, list[Row]] = {}
        self.sealed = 0

    def append(self, batch: Batch, sequence: int = 0) -> None:
        for row in batch:
            self.rows.setdefault(row.signal, []).append(row)

    async def seal(self) -> int:
        return self.sealed

    def snapshot(self, signals: Sequence[int] | None = None) -> Batch:
        wanted = self.rows if signals is None else signals
        return Batch.of(tuple(self.rows[handle][-1]) for handle in wanted if self.rows.get(handle))

    async def raw(self, signals: Sequence[int], start: int, end: int, *, most: int = 1_000_000) -> pa.Table:
        found = [row for handle in sorted(signals) for row in self._between(handle, start, end)]
        if end < start or len(found) > most:
            raise Invalid(f"{len(found)} samples; at most {most} are given.")
        return _raw_table(found)

    async def summary(self, signals: Sequence[int], start: int, end: int, interval: int) -> pa.Table:
        columns: dict[str, list[Any]] = {name: [] for name in _SUMMARY.names}
        for handle in sorted(signals):
            bins: dict[int, list[Row]] = {}
            for row in self._between(handle, start, end):
                bins.setdefault((row.time - start) // interval, []).append(row)
            for place, rows in bins.items():
                for name, cell in _summary_row(handle, start + place * interval, rows).items():
                    columns[name].append(cell)
        return pa.table(columns, schema=_SUMMARY)

    async def sql(self, query: str, *, most: int = 100_000) -> pa.Table:
        raise Invalid("Paper answers no SQL.")

    def _between(self, handle: int, start: int, end: int) -> list[Row]:
        rows = self.rows.get(handle, [])
        low, high = (bisect_left(rows, time, key=lambda row: row.time) for time in (start, end))
        return rows[low:high]


_TIME: Final = pa.timestamp("ns", tz="UTC")
_SUMMARY: Final = pa.schema(
    {
        "signal": pa.int32(),
        "time": _TIME,
        "count": pa.int64(),
        "good": pa.int64(),
        "minimum": pa.float64(),
        "maximum": pa.float64(),
        "average": pa.float64(),
    }
)


def _summary_row(handle: int, time: int, rows: Sequence[Row]) -> dict[str, Any]:
    good = [row.value for row in rows if quality.severity(row.status) == "good"]
    numbers = [float(value) for value in good if isinstance(value, (int, float))]
    return {
        "signal": handle,
        "time": time,
        "count": len(rows),
        "good": len(good),
        "minimum": min(numbers, default=None),
        "maximum": max(numbers, default=None),
        "average": sum(numbers) / len(numbers) if numbers else None,
    }


def _raw_table(rows: Sequence[Row]) -> pa.Table:
    def of(kind: type | tuple[type, ...]) -> list[Any]:
        return [row.value if isinstance(row.value, kind) else None for row in rows]

    return pa.table(
        {
            "signal": pa.array([row.signal for row in rows], pa.int32()),
            "time": pa.array([row.time for row in rows], pa.int64()).cast(_TIME),
            "value": pa.array(of(float), pa.float64()),
            "integer": pa.array([None if v is None else int(v) for v in of(int)], pa.int64()),
            "text": pa.array(of(str), pa.string()),
            "type": pa.array([row.type for row in rows], pa.uint8()),
            "status": pa.array([row.status for row in rows], pa.uint32()),
            "flags": pa.array([row.flags for row in rows], pa.uint16()),
        }
    )


# --- the plant --------------------------------------------------------------------------------------------

ROOT: Final = "weft/model-factory"
_MILL_STATES: Final = {0: "stopped", 1: "running", 2: "starved", 3: "fault"}
_SIGNALS: Final[Sequence[dict[str, Any]]] = (
    {"path": "machining/line1/mill/state", "connection": "mill", "states": _MILL_STATES, "step": True},
    {"path": "machining/line1/mill/spindle-load", "connection": "mill", "unit": "%", "limits": Limits(high=90.0)},
    {"path": "machining/line1/mill/spindle-speed", "connection": "mill", "unit": "/min"},
    {"path": "machining/line1/mill/vibration", "connection": "mill", "unit": "mm/s", "limits": Limits(high=4.5)},
    {"path": "machining/line1/mill/tool-wear", "connection": "mill", "unit": "um", "limits": Limits(high=300.0)},
    {"path": "machining/line1/mill/programme", "connection": "mill", "step": True},
    {"path": "machining/line1/mill/parts", "connection": "mill", "unit": "{parts}", "step": True},
    {"path": "machining/line1/washer/temperature", "connection": "washer", "unit": "Cel", "limits": Limits(low=55.0)},
    {"path": "machining/line1/washer/flow", "connection": "washer", "unit": "m3/h", "silence": 5.0},
    {"path": "machining/line1/washer/pump", "connection": "washer", "states": {0: "off", 1: "on"}, "step": True},
    {"path": "packing/line2/packer/rate", "connection": "packing", "unit": "{parts}/min"},
    {"path": "packing/line2/packer/last-serial", "connection": "packing", "step": True},
    {"path": "packing/line2/packer/door", "connection": "packing", "states": {0: "closed", 1: "open"}, "step": True},
    {"path": "energy/main-meter/power", "connection": "meters", "unit": "kW"},
    {"path": "energy/main-meter/energy", "connection": "meters", "unit": "kW.h"},
    {"path": "energy/compressor/power", "connection": "compressor", "unit": "kW"},
    {"path": "energy/compressor/pressure", "connection": "compressor", "unit": "bar"},
)  # fmt: skip
_DESCRIPTIONS: Final = {
    "machining/line1/mill": "CNC mill, OPC UA",
    "machining/line1/washer": "Parts washer, Modbus TCP",
    "packing/line2/packer": "Packing cell, MQTT",
    "energy/main-meter": "Main meter, Modbus TCP",
    "energy/compressor": "Compressor meter, Modbus TCP",
}


def paper_plant() -> Plant:
    """Five assets, seventeen signals, five connections."""
    signals = [Signal(handle=i, address=None, **_rooted(entry)) for i, entry in enumerate(_SIGNALS, 1)]
    assets: dict[str, Asset] = {}
    for signal in signals:
        parts = signal.asset.split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            text = _DESCRIPTIONS.get("/".join(parts[2:depth]), "")
            assets.setdefault(path, Asset(path=path, level=list(Level)[depth - 1], description=text))
    protocols = {
        "mill": "opcua",
        "washer": "modbus",
        "packing": "mqtt",
        "meters": "modbus",
        "compressor": "modbus",
    }
    return Plant(
        name="Model factory",
        timezone="Europe/Berlin",
        assets=assets,
        signals={signal.path: signal for signal in signals},
        connections={
            name: Connection(name=name, protocol=kind, config=None) for name, kind in protocols.items()
        },
    )


def _rooted(entry: dict[str, Any]) -> dict[str, Any]:
    return entry | {"path": f"{ROOT}/{entry['path']}"}


class PaperHouse:
    """A :class:`~weft.console.House` whose values follow from the time alone."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or SystemClock()
        self.history: History = PaperHistory()
        self.described = paper_plant()
        self.begun = self.clock.now()
        self.trouble = False
        self.supervised = [Service(name, _nothing) for name in ("bus", "history", "edge", "web")]
        for service in self.supervised:
            service.state = State.RUNNING

    def plant(self) -> Plant:
        return self.described

    def services(self) -> Sequence[Service]:
        return self.supervised

    async def streams(self) -> Sequence[StreamState]:
        count = sum(len(rows) for rows in getattr(self.history, "rows", {}).values())
        return [
            StreamState(
                name="SAMPLES", promise=Promise.POWER, messages=count, bytes=count * 41, first=1, last=count
            ),
            StreamState(name="EVENTS", promise=Promise.POWER, messages=12, bytes=4_300, first=1, last=12),
        ]

    def lines(self) -> Sequence[Status]:
        now = self.clock.now()
        lines = [
            Status(name=name, state=LineState.UP, since=self.begun, last_data=now, samples=1_200 + i * 377)
            for i, name in enumerate(self.described.connections)
        ]
        if self.trouble:
            lines[-1] = Status(
                name="compressor",
                state=LineState.DOWN,
                reason="No connection to 127.0.0.1:5022: refused. Is the meter switched on?",
                since=now - 75 * SECOND,
                last_data=now - 76 * SECOND,
                next_retry=now + SECOND,
                samples=8_311,
            )
        return lines

    def destinations(self) -> Sequence[DestinationStatus]:
        now = self.clock.now()
        state = LineState.DOWN if self.trouble else LineState.UP
        return [
            DestinationStatus(
                name="head office",
                state=state,
                reason="No broker answers at 127.0.0.1:8883." if self.trouble else "",
                detail="17 signals under uns/v1",
                since=self.begun,
                last_sent=now - (40 * SECOND if self.trouble else 0),
                samples=2_815,
                waiting_samples=680 if self.trouble else 0,
                behind=40.0 if self.trouble else 0.0,
            )
        ]

    def fill(self, seconds: int = 900) -> None:
        """The past, a sample a second."""
        now = self.clock.now()
        for back in range(seconds, 0, -1):
            self.step(now - back * SECOND)

    def step(self, now: int | None = None) -> None:
        """One more sample of every signal, as it is at ``now``."""
        time = self.clock.now() if now is None else now
        self.history.append(Batch.of(_samples(time, trouble=self.trouble)), 0)

    async def live(self, every: float = 0.1) -> None:
        """Steps until cancelled."""
        while True:
            self.step()
            await self.clock.sleep(every)


async def _nothing(ready: Any) -> None:
    ready()


def _samples(time: int, *, trouble: bool) -> Iterator[tuple[Any, ...]]:
    t = time / SECOND
    running = t % 90 < 70
    state = 1 if running else (2 if t % 180 < 90 else 3 if trouble else 0)
    load = 62 + 14 * math.sin(t / 7) + 4 * math.sin(t * 1.7) if running else 2.1
    values: Iterable[Any] = (
        state, load + (24 if trouble else 0), 11_800 + 240 * math.sin(t / 5) if running else 0.0,
        1.9 + 0.6 * math.sin(t / 11) + 0.3 * math.sin(t * 2.3), 40 + t % 3600 / 16, "O4711 HOUSING",
        int(t / 45) % 100_000,
        61.5 + 1.8 * math.sin(t / 60), 7.2 + 0.2 * math.sin(t / 9), int(running),
        38 + 6 * math.sin(t / 33) if running else 0.0, f"{int(t / 3) % 1_000_000:06d}", int(t % 200 > 190),
        84 + 9 * math.sin(t / 13) + (18 if running else 0), 48_210.4 + t % 86_400 / 40,
        22 + 3 * math.sin(t / 17), 7.1 + 0.4 * math.sin(t / 21),
    )  # fmt: skip
    types = {float: ValueType.DOUBLE, int: ValueType.INT32, str: ValueType.STRING}
    for handle, value in enumerate(values, 1):
        if trouble and handle >= 16:
            yield handle, time, None, ValueType.NULL, quality.BAD_NO_COMMUNICATION, Flag.SYNTHETIC
        elif trouble and handle == 9:
            yield handle, time, value, types[type(value)], quality.UNCERTAIN
        else:
            yield handle, time, value, types[type(value)]


async def main(port: int = 8080, *, trouble: bool = False) -> None:
    """Serves the paper plant until interrupted."""
    house = PaperHouse()
    house.fill()
    house.trouble = trouble
    with tempfile.TemporaryDirectory() as folder:
        access = web.Access(Path(folder))
        app = web.create([console.router(house)], access=access, page=console.page())

        def ready(address: str) -> None:
            access.serving(address)
            sys.stdout.write(f"{access.new_link()}\n")
            sys.stdout.flush()

        async with anyio.create_task_group() as group:
            group.start_soon(house.live)
            await web.serve(app, port=port, ready=ready)


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
