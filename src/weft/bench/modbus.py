"""500 Modbus devices with 30 values each every 0.5 s, 5 % of them dead: does every live one keep its beat?

Load and clients are processes of their own. The peer is pymodbus' asynchronous client, one per device, asked on the
same beat; its registers are turned into floats, as any user of it would.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Final

import anyio
import numpy as np

from weft.connect import Line, Point, Recorder
from weft.connect.modbus import Address, Config, Device, Modbus
from weft.model import Batch, quality
from weft.runtime import SystemClock

__all__ = ["run"]

DEVICES: Final = 500
VALUES: Final = 30
INTERVAL: Final = 0.5
DEAD: Final = 0.05
DELAY: Final = 0.005
TIMEOUT: Final = 2.0
SETTLE: Final = 4.0
SELF: Final = (sys.executable, "-m", "weft.bench.modbus")
LOAD: Final = (sys.executable, "-m", "weft.bench.modbus_load")


class Beats:
    """When each device's values came, from :meth:`begin` on."""

    def __init__(self) -> None:
        self.values = 0
        self.times: dict[int, list[float]] = defaultdict(list)
        self._cpu = self._wall = 0.0
        self._counts = False

    def begin(self) -> None:
        self.values, self._counts = 0, True
        self.times.clear()
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def count(self, values: int) -> None:
        self.values += values if self._counts else 0

    def heard(self, device: int, moment: float) -> None:
        if self._counts:
            self.times[device].append(moment)

    def report(self, live: int) -> dict[str, float]:
        """Jitter is how far the time between two readings of a device is from the interval asked for."""
        wall, cpu = time.monotonic() - self._wall, time.process_time() - self._cpu
        gaps = [np.diff(times) for times in self.times.values() if len(times) > 1]
        jitter = np.abs(np.concatenate(gaps) - INTERVAL) * 1000 if gaps else np.array([np.inf])
        return {
            "values_per_second": round(self.values / wall),
            "asked_per_second": round(live * VALUES / INTERVAL),
            "devices_heard": len(self.times),
            "jitter_p50_ms": round(float(np.percentile(jitter, 50)), 2),
            "jitter_p99_ms": round(float(np.percentile(jitter, 99)), 2),
            "jitter_max_ms": round(float(jitter.max()), 2),
            "us_per_value": round(cpu / max(self.values, 1) * 1e6, 2),
            "cores": round(cpu / wall, 3),
            "rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }


def _addresses(device: str = "") -> list[Address]:
    return [Address(register=2 * i, type="float32", device=device) for i in range(VALUES)]


class Counted(Recorder):
    """Notes when each device's reading was made; keeps nothing."""

    def __init__(self, points: list[Point], beats: Beats) -> None:
        super().__init__(points)
        self._beats = beats

    def emit(self, batch: Batch, stored: Callable[[], None] | None = None) -> None:
        note(self._beats, batch)


def note(beats: Beats, batch: Batch) -> None:
    """The good values of a batch; a device's moment is that of its first value."""
    good = batch.status < quality.UNCERTAIN
    first = good & (batch.signal % VALUES == 0)
    beats.count(int(good.sum()))
    for signal, moment in zip(batch.signal[first].tolist(), batch.time[first].tolist(), strict=True):
        beats.heard(signal // VALUES, moment / 1e9)


async def measure_fleet(ports: list[int], seconds: float, live: int) -> dict[str, float]:
    """All devices in one connection."""
    devices = tuple(Device(name=f"d{i}", host="127.0.0.1", port=port) for i, port in enumerate(ports))
    points = [
        Point(i * VALUES + k, f"d{i}/{k}", address)
        for i in range(len(ports))
        for k, address in enumerate(_addresses(f"d{i}"))
    ]
    beats = Beats()
    config = Config(devices=devices, interval=INTERVAL, timeout=TIMEOUT)
    async with anyio.create_task_group() as group:
        group.start_soon(Modbus(config).run, Counted(points, beats))
        report = await _watch(beats, seconds, live)
        group.cancel_scope.cancel()
    return report


async def measure_lines(ports: list[int], seconds: float, live: int) -> dict[str, float]:
    """A connection for each device."""
    beats, clock = Beats(), SystemClock()
    async with anyio.create_task_group() as group:
        for i, port in enumerate(ports):
            points = [Point(i * VALUES + k, f"d{i}/{k}", address) for k, address in enumerate(_addresses())]
            config = Config(host="127.0.0.1", port=port, interval=INTERVAL, timeout=TIMEOUT)
            line = Line(
                f"d{i}",
                Modbus(config),
                points,
                clock=clock,
                forward=lambda batch, stored: note(beats, batch),
                tell=lambda event: None,
            )
            group.start_soon(line.run)
        report = await _watch(beats, seconds, live)
        group.cancel_scope.cancel()
    return report


async def measure_pymodbus(ports: list[int], seconds: float, live: int) -> dict[str, float]:
    """A client of pymodbus for each device."""
    from pymodbus import ModbusException
    from pymodbus.client import AsyncModbusTcpClient

    beats = Beats()

    async def poll(device: int, port: int) -> None:
        await anyio.sleep(INTERVAL * device / len(ports))
        client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=TIMEOUT, retries=0)
        beat = time.monotonic()
        while True:
            try:
                if client.connected or await client.connect():
                    answer = await client.read_holding_registers(0, count=2 * VALUES)
                    if not answer.isError():
                        client.convert_from_registers(answer.registers, client.DATATYPE.FLOAT32)
                        beats.count(VALUES)
                        beats.heard(device, time.time())
            except (OSError, ModbusException):
                pass
            beat = max(beat + INTERVAL, time.monotonic() - INTERVAL)
            await anyio.sleep(max(beat - time.monotonic(), 0))

    async with anyio.create_task_group() as group:
        for device, port in enumerate(ports):
            group.start_soon(poll, device, port)
        report = await _watch(beats, seconds, live)
        group.cancel_scope.cancel()
    return report


async def _watch(beats: Beats, seconds: float, live: int) -> dict[str, float]:
    await anyio.sleep(SETTLE)
    beats.begin()
    await anyio.sleep(seconds)
    return beats.report(live)


CLIENTS: Final = {"fleet": measure_fleet, "lines": measure_lines, "pymodbus": measure_pymodbus}


async def run(seconds: float = 5.0) -> dict[str, Any]:
    """Of each client, one after the other on the same devices: values delivered, jitter of the readings of live
    devices, CPU; and the ratio of CPU per value. A peer that is not installed is None."""
    there = {"fleet", "lines"} | ({"pymodbus"} if find_spec("pymodbus") else set())
    found: dict[str, Any] = {name: await _one(name, seconds) if name in there else None for name in CLIENTS}
    ours = found["fleet"]["us_per_value"]
    ratios = {
        f"{name} / fleet, CPU per value": round(found[name]["us_per_value"] / ours, 1)
        for name in ("lines", "pymodbus")
        if found[name]
    }
    shape = f"{DEVICES} devices of {VALUES} values every {INTERVAL} s, {DEAD:.0%} dead, answers after {DELAY * 1000:g} ms"
    return {"shape": shape, "clients": found, "ratios": ratios}


async def _one(client: str, seconds: float) -> dict[str, Any]:
    load = [*LOAD, "--devices", str(DEVICES), "--dead", str(DEAD), "--delay", str(DELAY)]
    async with await anyio.open_process(load, stderr=None) as server:
        try:
            assert server.stdout is not None
            told = b""
            while b"\n" not in told:
                told += await server.stdout.receive()
            command = [*SELF, client, "--seconds", str(seconds)]
            done = await anyio.run_process(command, input=told, stderr=None)
            return dict(json.loads(done.stdout.decode().splitlines()[-1]))
        finally:
            server.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m weft.bench.modbus")
    parser.add_argument("client", choices=[*CLIENTS, "run"])
    parser.add_argument("--seconds", type=float, default=5.0)
    told = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if told.client == "run":
        print(json.dumps(asyncio.run(run(told.seconds)), indent=2))
        return
    ports = json.loads(sys.stdin.readline())
    everyone = [*ports["live"], *ports["silent"], *ports["refused"]]
    print(json.dumps(asyncio.run(CLIENTS[told.client](everyone, told.seconds, len(ports["live"])))))


if __name__ == "__main__":
    main()
