"""The bus: durable samples per second in atomic batches, beside one sample per message of the plain client.

Both run against the same kind of child server, which fsyncs before it acknowledges, one after the other in
the same minute on the same disk. What is compared is the ratio.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Final

import anyio
import numpy as np
from nats.aio.client import Client

from weft.bus import Address, Draft, NatsBus, NatsServer, Stream, after, samples_subject
from weft.model import Batch

__all__ = ["run"]

ROWS: Final = 1_000
MESSAGES: Final = 100
WRITERS: Final = 3  # while one waits for the disk, the next is encoded and sent
STREAM: Final = Stream(name="samples", subjects=("uns.v1.>",), max_bytes=2 << 30)


async def run(seconds: float = 5) -> dict[str, float]:
    """``durable_samples_per_s``: acknowledged and fsynced, 1,000 samples a message, 100 messages a batch.
    ``samples_read_per_s``: the same, decoded by a stored subscription. ``plain_samples_per_s``: one sample a
    message, one publish after the other, by nats-py. ``ratio``: first over last. ``batch_ms``: the median time
    from publish to acknowledgement."""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        async with NatsServer(Path(folder), max_store=4 << 30) as server:
            async with NatsBus.connect(server.address) as bus:
                await bus.declare(STREAM)
                durable, middle = await _batches(bus, seconds)
                read = await _read(bus, seconds)
            plain = await _plain(server.address, seconds)
    return {
        "durable_samples_per_s": round(durable),
        "samples_read_per_s": round(read),
        "plain_samples_per_s": round(plain),
        "ratio": round(durable / plain, 1),
        "batch_ms": round(middle * 1e3, 1),
    }


async def _batches(bus: NatsBus, seconds: float) -> tuple[float, float]:
    """Samples per second, and the median seconds of a publish."""
    rng = np.random.default_rng(1)
    signals = np.arange(ROWS) % 200
    batches = [
        Batch.doubles(signals, np.arange(ROWS) + i * ROWS, rng.normal(size=ROWS), source="bench")
        for i in range(MESSAGES)
    ]
    taken: list[float] = []
    start = time.perf_counter()

    async def write(name: str) -> None:
        subject = samples_subject("bench/site/area", name)
        turn = 0
        while (begun := time.perf_counter()) - start < seconds:
            drafts = [Draft(subject, batch, f"{name}:{turn}:{i}") for i, batch in enumerate(batches)]
            await bus.publish(*drafts)
            taken.append(time.perf_counter() - begun)
            turn += 1

    async with anyio.create_task_group() as group:
        for n in range(WRITERS):
            group.start_soon(write, f"line {n}")
    spent = time.perf_counter() - start
    return len(taken) * MESSAGES * ROWS / spent, float(np.median(taken))


async def _read(bus: NatsBus, seconds: float) -> float:
    """Samples per second out of the stream, decoded."""
    stored = next(state for state in await bus.streams() if state.name == STREAM.name)
    start, rows, sequence = time.perf_counter(), 0, stored.first - 1
    async with bus.subscribe("uns.v1.>", start=after(0)) as subscription:
        while sequence < stored.last and time.perf_counter() - start < seconds:
            for message in await subscription.next(500):
                sequence = message.sequence
                rows += len(message.body) if isinstance(message.body, Batch) else 0
    return rows / (time.perf_counter() - start)


async def _plain(address: Address, seconds: float) -> float:
    """One sample a message, each acknowledged before the next: what a client does that knows no batches."""
    client = Client()
    await client.connect(address.url, user=address.user, password=address.password)
    try:
        stream = client.jetstream()
        await stream.add_stream(name="plain", subjects=["plain.>"], max_bytes=1 << 30)
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            await stream.publish("plain.sample", b'{"timestamp_ms":1795233676542,"value":12.3456789}')
            count += 1
        return count / (time.perf_counter() - start)
    finally:
        await client.close()
