"""What was taken but not stored is sent again by the broker to the next session: nothing is lost between both."""

import contextlib

import anyio
import pytest
from servers.connect.mqtt.broker import Publisher, running

from weft.connect.api import Point
from weft.connect.mqtt import Address, Config, Mqtt
from weft.connect.testing import Recorder
from weft.model import Flag
from weft.runtime import Retry

pytestmark = pytest.mark.anyio

VALUE = Point(1, "value", Address(topic="line/value"))


class Forgetful(Recorder):
    """Takes samples and never stores them, as a Weft does that is killed just then."""

    def emit(self, batch, stored=None):
        super().emit(batch)


async def session(port, link, done):
    config = Config(host="127.0.0.1", port=port, client_id="weft-redelivery")
    async with anyio.create_task_group() as group:
        group.start_soon(Mqtt(config).run, link)
        await link.until(done)
        group.cancel_scope.cancel()


async def test_what_was_not_stored_comes_again_and_what_was_does_not(tmp_path):
    async with running(tmp_path) as broker:
        first = Forgetful([VALUE])
        config = Config(host="127.0.0.1", port=broker.port, client_id="weft-redelivery")
        async with anyio.create_task_group() as group:
            group.start_soon(Mqtt(config).run, first)
            await first.until(lambda: first.details)
            with Publisher(broker.port) as publisher:
                publisher.publish("line/value", "1", "2")
            await first.until(lambda: len(first.rows) == 2)
            group.cancel_scope.cancel()
        again = Recorder([VALUE])
        await session(broker.port, again, lambda: len(again.rows) == 2)
        assert [row.value for row in again.rows] == [1, 2]
        assert all(row.flags & Flag.REPLAYED for row in again.rows)
        with Publisher(broker.port) as publisher:
            publisher.publish("line/value", "3")
        last = Recorder([VALUE])
        await session(broker.port, last, lambda: bool(last.rows))
        assert [row.value for row in last.rows] == [3]


async def test_a_broker_that_has_forgotten_us_leaves_a_gap_and_one_that_has_not_leaves_none(tmp_path):
    async with running(tmp_path) as broker:
        link = Recorder([VALUE])
        connector = Mqtt(Config(host="127.0.0.1", port=broker.port, client_id="weft-redelivery"))

        async def again():
            with contextlib.suppress(Retry):
                await connector.run(link)

        async with anyio.create_task_group() as group:
            for lives in range(1, 4):
                group.start_soon(again)
                await link.until(lambda lives=lives: len(link.details) == lives)
                if lives == 1:
                    broker.stop()  # in order: it keeps our session
                elif lives == 2:
                    assert not link.gaps
                    broker.kill()
                    (tmp_path / "mosquitto.db").unlink()
                else:
                    break
                await broker.start()
            group.cancel_scope.cancel()
    [(first, last, _, points)] = link.gaps
    assert 0 < first <= last
    assert not points
