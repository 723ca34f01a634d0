"""SIGKILL at any moment of appending, sealing and merging: nothing acknowledged is lost, nothing doubled."""

import random
import subprocess
import sys

import anyio
import numpy as np
import pytest

from weft.history import Store
from weft.history.columns import from_table
from weft.model import Batch

KILLS = 20
T0 = 1_795_000_000_000_000_000

WRITER = """
import sys
import anyio
import numpy as np
from weft.history import Store, compaction
from weft.model import Batch
compaction._FEWEST = 3
T0 = {T0}

def batch(i):
    # Each batch goes on where the last one ended, and writes the older half once more.
    n = 200
    times = T0 + np.arange(i * n - n // 2, i * n + n)
    return Batch.doubles(times % 7, times, np.full(len(times), float(i)))

async def main():
    with Store(sys.argv[1], grace=0) as store:
        print("acked", store.sealed, flush=True)
        i = store.sealed
        while True:
            for _ in range(3):
                i += 1
                store.append(batch(i), i)
            async with anyio.create_task_group() as group:
                group.start_soon(store.compact)
                print("acked", await store.seal(), flush=True)

anyio.run(main)
"""


def expected(sealed):
    """signal, time and value of everything up to this sequence."""
    n = 200
    times = T0 + np.arange(n - n // 2, sealed * n + n) if sealed else np.empty(0, np.int64)
    values = (times - T0) // n
    # The half before a batch's start was written again by it.
    again = (times - T0) % n >= n // 2
    values = np.where(again & (values < sealed), values + 1, values)
    order = np.lexsort((times, times % 7))
    return (times % 7)[order], times[order], values[order].astype(float)


def test_the_expectation_is_the_slow_one():
    scope = {"__name__": "x"}
    exec(WRITER.format(T0=T0).rpartition("anyio.run")[0], scope)
    slow = {}
    for i in range(1, 5):
        for row in scope["batch"](i):
            slow[row.signal, row.time] = row.value
    signal, time, value = expected(4)
    assert list(zip(signal, time, strict=True)) == sorted(slow)
    assert value.tolist() == [slow[key] for key in sorted(slow)]


def test_random_kills_lose_and_double_nothing(tmp_path):
    chance = random.Random(5)
    acked = 0
    for _ in range(KILLS):
        acked = max(acked, _run_and_kill(tmp_path / "history", chance.uniform(0.0, 0.25)))
        anyio.run(_verify, tmp_path / "history", acked)
    assert acked > KILLS


def _run_and_kill(path, delay):
    """The highest sequence that the writer said was safe."""
    command = [sys.executable, "-c", WRITER.format(T0=T0), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        first = writer.stdout.readline()
        assert first.startswith("acked"), first
        try:
            writer.wait(delay)
        except subprocess.TimeoutExpired:
            writer.kill()
        said = [first, *writer.stdout]
    return max(int(line.split()[1]) for line in said if line.startswith("acked") and line.endswith("\n"))


async def _verify(path, acked):
    with Store(path) as store:
        assert store.sealed >= acked
        assert store.take_events() == []
        found = from_table(await store.raw(range(7), 0, 2**63 - 1, most=5_000_000))
        signal, time, value = expected(store.sealed)
        assert np.array_equal(found.signal, signal)
        assert np.array_equal(found.time, time)
        assert np.array_equal(found.bits.view(np.float64), value)
        newest = Batch.doubles(
            *(column[np.append(np.diff(signal) != 0, True)] for column in (signal, time, value))
        )
        assert store.snapshot() == (newest if store.sealed else Batch.empty())
        count = await store.sql("select count(*) as n, sum(number) as total from sample")
        assert count.column("n").to_pylist() == [len(value)]
        assert count.column("total").to_pylist() == [pytest.approx(value.sum()) if len(value) else None]
