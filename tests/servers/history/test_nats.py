"""The service on a real bus: every sample of the stream is in the files once, over restarts of the service."""

import anyio
import numpy as np
import pytest

from weft.bus import Draft, NatsBus, NatsServer, Stream
from weft.history import Store, run
from weft.history.columns import from_table
from weft.model import Batch
from weft.runtime.settings import HistorySettings

pytestmark = pytest.mark.anyio

ROWS, BATCHES = 500, 40


def batch(i):
    times = np.arange(i * ROWS, (i + 1) * ROWS)
    return Batch.doubles(times % 50, times, times / 8)


@pytest.mark.parametrize("durable", ["", "history"])
async def test_every_sample_once_over_restarts(tmp_path, durable):
    with anyio.fail_after(60):
        async with NatsServer(tmp_path / "bus") as server, NatsBus.connect(server.address) as bus:
            await bus.declare(Stream(name="samples", subjects=("uns.v1.>",)))
            for part in range(3):
                await _keep_a_part(bus, tmp_path / "history", part, durable)
    with Store(tmp_path / "history") as store:
        assert store.sealed == 3 * BATCHES
        found = from_table(await store.raw(range(50), 0, 2**62))
        assert np.array_equal(np.sort(found.time), np.arange(3 * BATCHES * ROWS))
        assert np.array_equal(found.bits.view(np.float64), found.time / 8)


async def _keep_a_part(bus, path, part, durable):
    with Store(path) as store:
        settings = HistorySettings(seal_rows=7_000, seal_seconds=0.2)
        async with anyio.create_task_group() as group:
            ready = anyio.Event()

            async def keep():
                await run(bus, store, ready.set, settings=settings, durable=durable)

            # The first half is published before the service is there.
            for i in range(part * BATCHES, part * BATCHES + BATCHES // 2):
                await bus.publish(Draft("uns.v1.p.s._raw.mill", batch(i)))
            group.start_soon(keep)
            await ready.wait()
            for i in range(part * BATCHES + BATCHES // 2, (part + 1) * BATCHES):
                await bus.publish(Draft("uns.v1.p.s._raw.mill", batch(i)))
            while store.taken < (part + 1) * BATCHES:  # noqa: ASYNC110  # the store has no events to wait for
                await anyio.sleep(0.005)
            group.cancel_scope.cancel()
        assert store.sealed == (part + 1) * BATCHES
