"""Order, gaps, acknowledgements and pressure of one subscription, on a session that only plays one."""

import asyncio
from collections import deque
from contextlib import nullcontext
from types import SimpleNamespace

import anyio
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from weft.connect import Recorder
from weft.connect.opcua import Config
from weft.connect.opcua.subscription import Subscription
from weft.model import Flag
from weft.runtime import Retry

pytestmark = pytest.mark.anyio


class Played:
    """A session whose server says what the test lays down in ``messages`` and keeps in ``sent``."""

    def __init__(self, wire):
        self.wire = wire
        self.config = Config(endpoint="opc.tcp://played", publishing_interval=0.1)
        self.explained = nullcontext
        self.messages = deque()
        self.kept = {}
        self.acknowledged = []
        self.republished = []
        self.outstanding = 0

    async def call(self, request, answer, timeout=None):
        asked = request.Parameters
        result = SimpleNamespace(
            SubscriptionId=7,
            RevisedPublishingInterval=asked.RequestedPublishingInterval,
            RevisedMaxKeepAliveCount=asked.RequestedMaxKeepAliveCount,
        )
        return SimpleNamespace(Parameters=result)

    def publish(self, request):
        acknowledged = request.Parameters.SubscriptionAcknowledgements
        self.acknowledged += [one.SequenceNumber for one in acknowledged]
        self.outstanding += 1
        future = asyncio.get_running_loop().create_future()
        if self.messages:
            future.set_result(self.messages.popleft())
        return future

    async def raw(self, request):
        number = request.Parameters.RetransmitSequenceNumber
        self.republished.append(number)
        if number not in self.kept:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadMessageNotAvailable)
        response = ua.RepublishResponse()
        response.NotificationMessage.SequenceNumber = number
        response.NotificationMessage.NotificationData = [self.kept[number]]
        return struct_to_binary(response)

    def change(self, *values):
        return self.wire.data_change((1, ua.DataValue(ua.Variant(float(v)))) for v in values)

    def say(self, sequence, *values):
        changes = [self.change(*values)] if values else []
        self.messages.append(self.wire.publish_response(*changes, sequence=sequence))


@pytest.fixture
def played(wire):
    return Played(wire)


async def take(played, wire, enough, link=None):
    link = link or Recorder([])
    subscription = Subscription(played, link, wire.decoder())
    await subscription.open()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(subscription.publish)
            await link.until(lambda: len(link.rows) >= enough)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    return link


async def test_messages_are_acknowledged_in_order(played, wire):
    for number in (1, 2, 3):
        played.say(number, number)
    link = await take(played, wire, 3)
    assert [row.value for row in link.rows] == [1.0, 2.0, 3.0]
    assert played.acknowledged == [1, 2, 3]
    assert not played.republished


async def test_nothing_is_acknowledged_before_it_is_stored(played, wire):
    class Slow(Recorder):
        waiting = []  # noqa: RUF012  # of this test's one link

        def emit(self, batch, stored=None):
            self.waiting.append(stored)
            super().emit(batch)

    link = Slow([])
    for number in (1, 2, 3):
        played.say(number, number)
    await take(played, wire, 3, link)
    assert played.acknowledged == []
    assert len(link.waiting) == 3


async def test_a_gap_is_asked_for_again_before_what_follows(played, wire):
    played.say(1, 1)
    played.say(4, 4)
    played.kept = {2: played.change(2), 3: played.change(3)}
    link = await take(played, wire, 4)
    assert [row.value for row in link.rows] == [1.0, 2.0, 3.0, 4.0]
    assert [bool(row.flags & Flag.REPLAYED) for row in link.rows] == [False, True, True, False]
    assert sorted(played.acknowledged) == [1, 2, 3, 4]


async def test_what_is_lost_for_good_leaves_a_mark(played, wire):
    played.say(1, 1)
    played.say(3, 3)
    link = await take(played, wire, 2)
    assert played.republished == [2]
    assert [bool(row.flags & Flag.OVERFLOW) for row in link.rows] == [False, True]


async def test_a_keep_alive_shows_a_gap_and_a_repetition_is_dropped(played, wire):
    played.kept = {2: played.change(2)}
    played.say(1, 1)
    played.say(3)  # the next message will be 3: 2 was missed
    played.say(2, 2)
    played.say(3, 3)
    link = await take(played, wire, 3)
    assert [row.value for row in link.rows] == [1.0, 2.0, 3.0]
    assert played.republished == [2]


async def test_numbers_begin_again_at_1(played, wire):
    played.say(2**32 - 1, 1)
    played.say(1, 2)
    link = Recorder([])
    subscription = Subscription(played, link, wire.decoder())
    subscription._last = 2**32 - 2
    await subscription.open()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(subscription.publish)
            await link.until(lambda: len(link.rows) >= 2)
            group.cancel_scope.cancel()
    assert not played.republished


async def test_under_pressure_no_more_is_asked_for(played, wire):
    link = Recorder([])
    link.pressure = 1.0
    subscription = Subscription(played, link, wire.decoder())
    await subscription.open()
    async with anyio.create_task_group() as group:
        group.start_soon(subscription.publish)
        await anyio.sleep(0.2)
        assert played.outstanding == 0
        link.pressure = 0.0
        with anyio.fail_after(5):
            while not played.outstanding:  # noqa: ASYNC110  # a counter of the played session
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()


async def test_silence_ends_the_line(played, wire, monkeypatch):
    subscription = Subscription(played, Recorder([]), wire.decoder())
    subscription._budget = 0.05
    with anyio.fail_after(5), pytest.raises(Retry, match="sent nothing"):
        await subscription.watch()


async def test_an_ended_subscription_ends_the_line(played, wire):
    status = ua.StatusChangeNotification(ua.StatusCode(ua.StatusCodes.BadTimeout))
    played.messages.append(wire.publish_response(status))
    subscription = Subscription(played, Recorder([]), wire.decoder())
    await subscription.open()
    with anyio.fail_after(5), pytest.raises(Retry, match="BadTimeout"):
        await subscription.publish()


async def test_too_many_requests_leave_at_least_one(played, wire):
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadTooManyPublishRequests)
    played.messages.append(struct_to_binary(fault))
    subscription = Subscription(played, Recorder([]), wire.decoder())
    await subscription.open()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(subscription.publish)
            await anyio.wait_all_tasks_blocked()
            assert subscription._publishers == 2
            assert played.outstanding == 3
            group.cancel_scope.cancel()
