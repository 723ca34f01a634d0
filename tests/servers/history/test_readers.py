"""Other processes read the folder while Weft writes it; the examples of the documentation are what they run."""

import pathlib
import re
import subprocess
import sys
import textwrap

import anyio
import anyio.to_thread
import numpy as np
import pytest

from weft.history import Store, compaction
from weft.model import Batch, ValueType

pytestmark = pytest.mark.anyio

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "history-files.md"
T0 = 1_795_000_000_000_000_000
BATCH = 200

DUCKDB = """
import duckdb
for _ in range(6):
    found = duckdb.sql({sql!r}).to_arrow_table().drop_columns("time").to_pydict()
    check(found["signal"], found["number"])
"""
POLARS = """
for _ in range(6):
{example}
    check(samples["signal"].to_list(), samples["value"].to_list())
"""
PYARROW = """
import time
last = -1
for _ in range(12):
{example}
    rows = sum(map(len, tables))
    assert rows >= last and rows == sum(s["rows"] for s in manifest["segments"])
    assert manifest["sealed"] >= last // 400
    last = rows
    time.sleep(0.05)
print("checked", 1 if rows else 0)
"""
CHECK = """
def check(signals, numbers):
    # Signal 1 counts up without a hole; signal 2 is corrected by each batch.
    ones = [n for s, n in zip(signals, numbers) if s == 1]
    assert ones == list(range(len(ones))), "hole or double"
    twos = [n for s, n in zip(signals, numbers) if s == 2]
    assert len(twos) <= 1 and (not ones or twos[0] == len(ones) // BATCH - 1), (twos, len(ones))
    print("checked", len(ones))
""".replace("BATCH", str(BATCH))


def example(language, mark):
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    (found,) = [block for block in blocks if mark in block]
    return found


def batch(i):
    times = T0 + np.arange(i * BATCH, (i + 1) * BATCH)
    ramp = Batch.doubles(np.ones(BATCH), times, np.arange(i * BATCH, (i + 1) * BATCH))
    correction = Batch.of([(2, T0, float(i), ValueType.DOUBLE)])
    return ramp, correction


READERS = {
    "duckdb": lambda: CHECK + DUCKDB.format(sql=example("sql", "DuckDB")),
    "polars": lambda: CHECK + POLARS.format(example=textwrap.indent(example("python", "polars"), "    ")),
    "pyarrow": lambda: PYARROW.format(example=textwrap.indent(example("python", "pyarrow"), "    ")),
}


@pytest.mark.parametrize("reader", READERS)
async def test_another_process_reads_while_weft_writes(tmp_path, monkeypatch, reader):
    monkeypatch.setattr(compaction, "_FEWEST", 3)
    done = anyio.Event()
    result = None

    async def read():
        nonlocal result
        command = [sys.executable, "-c", READERS[reader]()]
        result = await anyio.to_thread.run_sync(
            lambda: subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=90)
        )
        done.set()

    with anyio.fail_after(120), Store(tmp_path / "history") as store:
        await _write(store, 0)
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            i = 1
            while not done.is_set():
                await _write(store, i)
                await store.compact()
                i += 1
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.split()[-1]) > 0
    assert i > 3, "nothing was written meanwhile"


async def _write(store, i):
    ramp, correction = batch(i)
    store.append(ramp, 2 * i + 1)
    store.append(correction, 2 * i + 2)
    await store.seal()
