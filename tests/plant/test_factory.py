"""The model factory faster than real time: every true value is in history, exactly."""

import time

import pytest
from plant.houses import all_up, living, measured, until

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


async def test_every_true_value_of_all_stations_is_in_history(tmp_path):
    """Two minutes of all eleven processes, over seven protocols."""
    seconds, speed = 120, 6.0
    truth = tmp_path / "truth"
    start = time.time_ns() - seconds * 10**9
    async with demo.Field(
        tmp_path / "field",
        speed=speed,
        start=start,
        until=seconds,
        truth=truth,
        pace="read",
        hold=True,
        processes=demo.PROCESSES,
    ) as field:
        demo.plant.write(tmp_path / "plant", field.ports, speed=speed)
        async with living(tmp_path / "plant") as house:
            await until(lambda: all_up(house), 60)
            field.release()
            shown = {}

            async def over():
                verdict = await compare(house.plant(), house.history, truth)
                still, shown["last"] = shown.get("last") == verdict.shown, verdict.shown
                return still and not verdict.missing and reaches_the_end(truth, start, seconds) and verdict

            verdict = await until(over, 120, every=2.0)
            yields = house.plant().signals["weft/model-factory/production/line-1/inspection/yield"]
            assert [value for _, value in await measured(house.history, yields.handle)]
    assert verdict.ok, verdict.text()
    stations = {"lathe", "press", "robot", "inspection", "palletiser", "cart"}
    assert set(verdict.shown) == {"mill", "washer", "packing", "meter", "incoming"} | stations
    assert min(verdict.shown[name] for name in stations) > 100
    assert not field.failed


def reaches_the_end(truth, start, seconds=SECONDS):
    last = {}
    for row in demo.truth.read(truth):
        machine = row.signal.split("/")[-2]
        last[machine] = max(last.get(machine, 0), row.time)
    return all(time >= start + (seconds - 30) * 10**9 for time in last.values())
