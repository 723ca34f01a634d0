"""Order, gaps, acknowledgements and pressure of one subscription, on a session that only plays one."""

import asyncio
from collections import deque
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import anyio
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from weft.connect import Recorder
from weft.connect.opcua import Config
from weft.connect.opcua.seen import Seen
from weft.connect.opcua.subscription import Renewal, Subscription
from weft.model import Flag
from weft.runtime import Retry

pytestmark = pytest.mark.anyio


class Played:
    """A session whose server says what the test lays down in ``messages`` and keeps in ``sent``."""

    def __init__(self, wire):
        self.wire = wire
        self.config = Config(endpoint="opc.tcp://played", publishing_interval=0.1)
        self.explained = nullcontext
        self.structures = SimpleNamespace(known={})
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

    @staticmethod
    def timed(value, ns):
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=ns // 1000)
        return ua.DataValue(ua.Variant(value), SourceTimestamp=moment)

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


async def test_what_is_lost_for_good_leaves_a_mark_and_needs_another_subscription(played, wire):
    played.say(1, 1)
    played.say(3, 3)
    link = Recorder([])
    subscription = Subscription(played, link, wire.decoder())
    await subscription.open()
    with anyio.fail_after(5), pytest.raises(Renewal, match="lost 1 message"):
        await subscription.publish()
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
    subscription.silence, subscription._heard = 0.02, anyio.current_time() - played.config.timeout
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


async def test_what_an_earlier_process_has_not_acknowledged_comes_again_but_not_twice(played, wire):
    """Message 3 was stored, 4 was not; 5 is new."""
    seen = Seen()
    seen.learn({100_001: wire.RECEIVED}, wire.RECEIVED)
    played.kept = {
        3: wire.data_change([(1, played.timed(3.0, wire.RECEIVED))]),
        4: wire.data_change([(1, played.timed(4.0, wire.RECEIVED + 1_000_000))]),
    }
    played.messages.append(
        wire.publish_response(
            wire.data_change([(1, played.timed(5.0, wire.RECEIVED + 2_000_000))]),
            sequence=5,
            available=[3, 4, 5],
        )
    )
    link = Recorder([])
    subscription = Subscription(played, link, wire.decoder(), seen=seen)
    subscription.adopt(7, 1.0)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(subscription.publish)
            await link.until(lambda: len(link.rows) >= 2)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    assert [(row.value, row.flags) for row in link.rows] == [
        (4.0, Flag.REPLAYED),
        (5.0, Flag.FIRST),  # of this decoder, whose handles are new
    ]
    assert sorted(played.acknowledged) == [3, 4, 5]


async def test_an_acknowledgement_that_was_lost_is_given_again(played, wire):
    for number in (1, 2):
        played.say(number, number)
    subscription = Subscription(played, Recorder([]), wire.decoder())
    await subscription.open()
    with anyio.move_on_after(0.05):
        await subscription.publish()
    played.acknowledged.clear()
    subscription.attach(played)
    played.messages.append(wire.publish_response(sequence=3, available=[1, 2]))
    with anyio.move_on_after(0.05):
        await subscription.publish()
    assert {1, 2} <= set(played.acknowledged)
    assert not played.republished


@pytest.mark.parametrize("code", ["BadNoSubscription", "BadSubscriptionIdInvalid"])
async def test_a_subscription_that_is_gone_is_made_anew(played, wire, code):
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(getattr(ua.StatusCodes, code))
    played.messages.append(struct_to_binary(fault))
    subscription = Subscription(played, Recorder([]), wire.decoder())
    await subscription.open()
    with anyio.fail_after(5), pytest.raises(Renewal):
        await subscription.publish()
