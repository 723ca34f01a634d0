"""Ten minutes of the model factory, faster than real time: every true value is in history, exactly."""

import time

import pytest
from plant.houses import all_up, living, until

from weft import demo
from weft.cli.verify import compare

pytestmark = pytest.mark.anyio

SECONDS = 600
SPEED = 20.0


async def test_every_true_value_of_ten_minutes_is_in_history(tmp_path):
    truth = tmp_path / "truth"
    start = time.time_ns() - SECONDS * 10**9
    async with demo.Field(
        tmp_path / "field", speed=SPEED, start=start, until=SECONDS, truth=truth, pace="read", hold=True
    ) as field:
        demo.plant.write(tmp_path / "plant", field.ports, speed=SPEED)
        async with living(tmp_path / "plant") as house:
            await until(lambda: all_up(house), 30)
            field.release()
            shown = {}

            async def over():
                """The factory has stood still for two looks, and nothing of it is missing."""
                verdict = await compare(house.plant(), house.history, truth)
                still, shown["last"] = shown.get("last") == verdict.shown, verdict.shown
                return still and not verdict.missing and reaches_the_end(truth, start) and verdict

            verdict = await until(over, 150, every=2.0)
    assert verdict.ok, verdict.text()
    assert sum(verdict.shown.values()) > 50_000
    assert set(verdict.shown) == {"mill", "washer", "packing", "meter", "incoming"}


def reaches_the_end(truth, start):
    last = {}
    for row in demo.truth.read(truth):
        machine = row.signal.split("/")[-2]
        last[machine] = max(last.get(machine, 0), row.time)
    return all(time >= start + (SECONDS - 30) * 10**9 for time in last.values())
