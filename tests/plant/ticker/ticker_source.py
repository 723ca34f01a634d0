"""A source for tests: counts the fiftieths of a second, the same for everybody who asks."""

import anyio
import msgspec

from weft.model import Batch

TICK = 20_000_000


class Ticker:
    class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        pass

    class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
        pass

    def __init__(self, config):
        pass

    async def run(self, link):
        link.up()
        tick = link.clock.now() // TICK
        while True:
            while link.clock.now() // TICK > tick:
                tick += 1
                points = link.points
                link.emit(
                    Batch.doubles(
                        [p.handle for p in points], [tick * TICK] * len(points), [tick] * len(points)
                    )
                )
            await anyio.sleep(0.01)
