"""An edge node on a broker with one counter: ``python field_sparkplug.py PORT FOLDER TICK``."""

from __future__ import annotations

import pathlib
import sys
import time

import anyio

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from servers.sparkplug_feed import Feed, signal

from weft.destinations.sparkplug import Config, SparkplugEdge
from weft.model import ValueType


async def main(port, folder, tick):
    feed = Feed([signal(1, "soak/hall/count", type=ValueType.INT64)], pathlib.Path(folder))
    config = Config(host="127.0.0.1", port=port, group="soak", node="storm")
    async with anyio.create_task_group() as group:
        group.start_soon(SparkplugEdge(config).run, feed)
        value = 0
        while True:
            value += 1
            feed.put((1, time.time_ns(), value, ValueType.INT64))
            feed.settled.clear()
            await anyio.sleep(tick)


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
