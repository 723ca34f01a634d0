"""What the tests of the field share: fields that are fast, and a factory in this process to compare with."""

import time
from contextlib import asynccontextmanager

import anyio
import pytest

from weft.demo.factory import Factory
from weft.demo.field import Field
from weft.demo.layout import MILL_PATH, PACKING_PATH, meter_sensors, washer_sensors
from weft.demo.machine import STEP_NS
from weft.demo.mill_signals import MILL
from weft.demo.packing_signals import PACKING

SECOND = 1_000_000_000


@pytest.fixture
def field(tmp_path):
    """A factory of fields whose simulated time ends about now; each leaves its truth in ``tmp_path/truth``."""

    @asynccontextmanager
    async def start(*, speed=20.0, until=60.0, **options):
        begin = time.time_ns() - round(until * SECOND)
        truth = tmp_path / "truth"
        options = {"folder": tmp_path / "field", "start": begin, "hold": True, **options}
        async with Field(seed=4, speed=speed, until=until, truth=truth, **options) as field:
            yield field

    return start


class Replay:
    """Says what a signal's true value was, from a simulation of its own."""

    def __init__(self, seed, start):
        self.factory = Factory(seed)
        self.start = start - start % 1_000_000
        self.sensors = {f"{MILL_PATH}/{s.name}": (self.factory.mill, s) for s in MILL}
        self.sensors |= {f"{PACKING_PATH}/{s.name}": (self.factory.packing, s) for s in PACKING}
        self.sensors |= {path: (self.factory.washer, s) for path, s in washer_sensors()}
        for meter in range(4):
            self.sensors |= {path: (self.factory.meters, s) for path, s in meter_sensors(meter)}

    def differing(self, rows):
        """The rows that the simulation does not confirm."""
        wrong = []
        for row in sorted(rows, key=lambda row: row.time):
            step, rest = divmod(row.time - self.start, STEP_NS)
            self.factory.run_to(step)
            machine, sensor = self.sensors[row.signal]
            if rest or sensor.true(sensor.raw(machine)) != row.value or sensor.true_type != row.type:
                wrong.append(row)
        return wrong


@pytest.fixture
def until():
    """Waits for what another process does and nobody tells; the test's own time limit ends it."""

    async def wait(condition, every=0.05):
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(every)

    return wait


@pytest.fixture
def replay():
    return Replay
