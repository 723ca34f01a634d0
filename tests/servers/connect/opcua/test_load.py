"""The benchmark's load, so that what is measured is also counted."""

import sys

import anyio
import pytest

pytestmark = pytest.mark.anyio


async def test_each_item_counts_its_steps(kit):
    """The bench's load: every item's values are 1, 2, 3 …, none missing, none double."""
    items, steps = 500, 20
    load = ["serve", "--items", str(items), "--rate", "20000", "--steps", str(steps)]
    async with await anyio.open_process(
        [sys.executable, "-m", "weft.bench.opcua", *load], stderr=None
    ) as server:
        port = int((await server.stdout.receive()).decode())
        points = kit.points(*[f"load{i}" for i in range(items)], space="ns=2;s=")
        async with kit.running(kit.config(f"opc.tcp://127.0.0.1:{port}"), points) as link:
            await link.until(lambda: sum(map(len, link.batches)) >= items * steps)
        server.kill()
    by_signal = {}
    for row in link.rows:
        by_signal.setdefault(row.signal, []).append((row.type, row.value))
    for values in by_signal.values():
        wanted = [n % 2 for n in range(1, steps + 1)] if values[0][0] == 1 else list(range(1, steps + 1))
        assert [value for _, value in values] == wanted
    assert len(by_signal) == items
