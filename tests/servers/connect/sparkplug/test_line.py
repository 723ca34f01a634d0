"""A line to a broker that is killed, and comes back; an edge node that loses nothing meanwhile."""

import anyio
import pytest
from servers.connect.mqtt.broker import running
from servers.sparkplug_feed import Feed, broker_of, point, signal

from weft.connect import Line, LineState, Recorder
from weft.connect.sparkplug import Config, Sparkplug
from weft.destinations.sparkplug import Config as EdgeConfig
from weft.destinations.sparkplug import SparkplugEdge
from weft.model import Flag, ValueType, quality
from weft.runtime import Retry, SystemClock

pytestmark = pytest.mark.anyio
NOW = 1_767_225_600_123_456_700
SPEED = signal(1, "acme/hall/mill/speed")


async def keep_running(edge, feed):
    """As the house does: again and again, and what was not settled is given again."""
    while True:
        try:
            await edge.run(feed)
        except Retry:
            feed.again()
            await anyio.sleep(0.05)


@pytest.mark.card("sparkplug", "line_quality")
@pytest.mark.card("sparkplug", "reconnect")
async def test_a_killed_broker_leaves_bad_quality_and_its_return_is_noticed(tmp_path):
    sink = Recorder(())
    feed = Feed([SPEED], tmp_path, [(1, NOW, 0.0, ValueType.DOUBLE)])
    async with running(tmp_path) as broker, anyio.create_task_group() as group:
        connector = Sparkplug(Config(**broker_of(broker), rebirth=0.2))
        line = Line(
            "s", connector, [point(SPEED)], clock=SystemClock(),
            forward=lambda batch, stored: sink.emit(batch), tell=lambda event: None,
        )  # fmt: skip
        group.start_soon(line.run)
        group.start_soon(
            keep_running,
            SparkplugEdge(EdgeConfig(**broker_of(broker), group="G", node="E", primary_host="weft")),
            feed,
        )
        await sink.until(lambda: bool(sink.rows) and sink.rows[-1].status == 0)
        broker.kill()
        await sink.until(lambda: sink.rows[-1].status == quality.BAD_NO_COMMUNICATION)
        assert line.status.state is not LineState.UP
        for n in range(1, 50):
            feed.put((1, NOW + n, float(n), ValueType.DOUBLE))
        await broker.start()
        await feed.until(lambda: len(feed.settled) == 49, 30)
        await sink.until(lambda: line.status.state is LineState.UP and sink.rows[-1].status == 0, 30)
        await sink.until(lambda: {float(n) for n in range(50)} <= {row.value for row in sink.rows}, 30)
        group.cancel_scope.cancel()
    assert feed.memory["bdseq"] >= 1
    told = {
        row.time: row.value for row in sink.rows if not row.flags & Flag.SYNTHETIC and row.time <= NOW + 50
    }
    assert told == {NOW + n: float(n) for n in range(50)}
