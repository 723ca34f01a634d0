"""The model factory's agent with one counter: ``python field_mtconnect.py PORT TICK``."""

from __future__ import annotations

import sys
import time

import anyio

from weft.demo.mtconnect_agent import Agent
from weft.demo.mtconnect_model import Model
from weft.demo.mtconnect_store import Store
from weft.model import instant

MODEL = """<?xml version="1.0" encoding="UTF-8"?>
<MTConnectDevices xmlns="urn:mtconnect.org:MTConnectDevices:2.0">
 <Header creationTime="2026-01-01T00:00:00Z" sender="soak" instanceId="1" version="2.0.0.0" bufferSize="1024"/>
 <Devices><Device id="d" uuid="soak" name="Soak"><DataItems>
  <DataItem id="avail" category="EVENT" type="AVAILABILITY"/>
  <DataItem id="count" category="EVENT" type="PART_COUNT"/>
 </DataItems></Device></Devices>
</MTConnectDevices>"""


async def main(port, tick):
    store = Store(Model(MODEL))
    async with anyio.create_task_group() as group:
        await group.start(Agent(store).run, port)
        value = 0
        while True:
            value += 1
            store.add(store.model.items["count"], instant.text(time.time_ns(), 9), str(value))
            await anyio.sleep(tick)


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]), float(sys.argv[2]))
