"""The services of subscriptions and monitored items (OPC 10000-4, 5.12 and 5.13). A session reaches its own
subscriptions only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from weft.destinations.opcua.attributes import Attributes
from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.item import DISABLED, REPORTING, Item, Wanted, filter_of, revised
from weft.destinations.opcua.nodes import VALUE
from weft.destinations.opcua.publishing import PublishRequest, Subscription, Timing
from weft.destinations.opcua.request import Request
from weft.destinations.opcua.session import Session
from weft.destinations.opcua.space import Space
from weft.destinations.opcua.values import Sample
from weft.destinations.opcua.variable import Variable
from weft.destinations.opcua.watch import Watch
from weft.ua.stack import ua

__all__ = ["Monitoring"]

_SHORTEST: Final = 0.01
_LONGEST: Final = 3600.0
_MOST_LIFETIME: Final = 3600.0  # s without a client
_MOST_ITEMS: Final = 10_000
_EVENTS: Final = 12
_REPUBLISH: Final = int(ua.ObjectIds.RepublishResponse_Encoding_DefaultBinary)


class Monitoring:
    def __init__(self, space: Space, attributes: Attributes, watch: Watch) -> None:
        self._space = space
        self._attributes = attributes
        self._watch = watch
        self._last_item = 0

    def create_subscription(self, request: Request) -> None:
        wanted = request.read(ua.CreateSubscriptionParameters)
        timing = _timing(wanted)
        made = self._watch.subscribe(request.session, timing, enabled=bool(wanted.PublishingEnabled))
        result = ua.CreateSubscriptionResult(made.id, *_said(timing))
        request.answer(ua.CreateSubscriptionResponse(Parameters=result))

    def modify_subscription(self, request: Request) -> None:
        wanted = request.read(ua.ModifySubscriptionParameters)
        subscription = _own(request.session, wanted.SubscriptionId)
        subscription.timing = _timing(wanted)
        subscription.touch()
        subscription.due = min(subscription.due, time.monotonic() + subscription.timing.interval)
        result = ua.ModifySubscriptionResult(*_said(subscription.timing))
        request.answer(ua.ModifySubscriptionResponse(Parameters=result))

    def delete_subscriptions(self, request: Request) -> None:
        ids = request.read(ua.DeleteSubscriptionsParameters).SubscriptionIds
        results = _each(ids, lambda one: _own(request.session, one).end())
        request.answer(ua.DeleteSubscriptionsResponse(Results=results))
        if not request.session.subscriptions:  # nothing is left that could answer them
            for waiting in iter(lambda: self._watch.request(request.session), None):
                request.connection.fault(waiting.id, waiting.handle, int(code.BadNoSubscription))

    def set_publishing_mode(self, request: Request) -> None:
        wanted = request.read(ua.SetPublishingModeParameters)

        def set_mode(id: int) -> None:
            _own(request.session, id).enabled = bool(wanted.PublishingEnabled)

        answer = ua.SetPublishingModeResponse()
        answer.Parameters.Results = _each(wanted.SubscriptionIds, set_mode)
        request.answer(answer)

    def transfer(self, request: Request) -> None:
        wanted = request.read(ua.TransferSubscriptionsParameters)
        results = [
            self._transferred(request.session, id, wanted.SendInitialValues)
            for id in wanted.SubscriptionIds or []
        ]
        if not results:
            raise Refused(code.BadNothingToDo)
        answer = ua.TransferSubscriptionsResponse()
        answer.Parameters.Results = results
        request.answer(answer)

    def publish(self, request: Request) -> None:
        acknowledged = request.read(ua.PublishParameters).SubscriptionAcknowledgements or []
        results = []
        for one in acknowledged:
            subscription = request.session.subscriptions.get(one.SubscriptionId)
            status = (
                code.BadSubscriptionIdInvalid
                if subscription is None
                else subscription.acknowledge(one.SequenceNumber)
            )
            results.append(int(status).to_bytes(4, "little"))
        said = len(results).to_bytes(4, "little") + b"".join(results)
        self._watch.ask(request.session, PublishRequest(request.id, request.handle, said, request.expires()))

    def republish(self, request: Request) -> None:
        wanted = request.read(ua.RepublishParameters)
        subscription = _own(request.session, wanted.SubscriptionId)
        subscription.touch()
        kept = subscription.unacknowledged.get(wanted.RetransmitSequenceNumber)
        if kept is None:
            raise Refused(code.BadMessageNotAvailable)
        request.answer_raw(_REPUBLISH, kept)

    def create_items(self, request: Request) -> None:
        wanted = request.read(ua.CreateMonitoredItemsParameters)
        subscription = _own(request.session, wanted.SubscriptionId)
        stamps = _stamps(wanted.TimestampsToReturn)
        _bounded(wanted.ItemsToCreate)
        subscription.touch()
        results = [self._created(subscription, one, stamps) for one in wanted.ItemsToCreate]
        request.answer(ua.CreateMonitoredItemsResponse(Results=results))

    def modify_items(self, request: Request) -> None:
        wanted = request.read(ua.ModifyMonitoredItemsParameters)
        subscription = _own(request.session, wanted.SubscriptionId)
        stamps = _stamps(wanted.TimestampsToReturn)
        _bounded(wanted.ItemsToModify)
        subscription.touch()
        results = [self._modified(subscription, one, stamps) for one in wanted.ItemsToModify]
        request.answer(ua.ModifyMonitoredItemsResponse(Results=results))

    def delete_items(self, request: Request) -> None:
        wanted = request.read(ua.DeleteMonitoredItemsParameters)
        subscription = _own(request.session, wanted.SubscriptionId)
        subscription.touch()
        results = _each(wanted.MonitoredItemIds, lambda one: self._watch.remove(_item(subscription, one)))
        request.answer(ua.DeleteMonitoredItemsResponse(Results=results))

    def set_monitoring_mode(self, request: Request) -> None:
        wanted = request.read(ua.SetMonitoringModeParameters)
        subscription = _own(request.session, wanted.SubscriptionId)
        subscription.touch()
        mode, now = int(wanted.MonitoringMode), time.monotonic()
        answer = ua.SetMonitoringModeResponse()
        answer.Parameters.Results = _each(
            wanted.MonitoredItemIds, lambda one: _item(subscription, one).set_mode(mode, now)
        )
        request.answer(answer)

    def _created(self, subscription: Subscription, one: Any, stamps: int) -> Any:
        result = ua.MonitoredItemCreateResult()
        try:
            item = self._new_item(subscription, one, stamps)
        except Refused as refused:
            result.StatusCode = ua.StatusCode(refused.status)
            return result
        result.MonitoredItemId = item.id
        result.RevisedSamplingInterval = item.wanted.sampling * 1000
        result.RevisedQueueSize = item.wanted.queue
        return result

    def _new_item(self, subscription: Subscription, one: Any, stamps: int) -> Item:
        target = one.ItemToMonitor
        id, attribute = target.NodeId.to_string(), int(target.AttributeId)
        range, encoding = target.IndexRange or None, str(target.DataEncoding.Name or "")
        if attribute == _EVENTS:
            raise Refused(code.BadNotSupported, "events")
        read = self._reader(id, attribute, range, encoding, subscription.session.writes)
        first = read()
        node = self._space.get(id)
        variable = node if isinstance(node, Variable) and attribute == VALUE and not range else None
        if first.status in _HOPELESS and not (variable is not None and not encoding):
            raise Refused(first.status)
        wanted = self._revised(one.RequestedParameters, subscription, variable)
        self._last_item += 1
        mode = min(max(int(one.MonitoringMode), DISABLED), REPORTING)
        item = Item(self._last_item, subscription, wanted, stamps, mode, variable, read)
        self._watch.add(item)
        item.offer(first, time.monotonic())
        return item

    def _modified(self, subscription: Subscription, one: Any, stamps: int) -> Any:
        result = ua.MonitoredItemModifyResult()
        try:
            item = _item(subscription, one.MonitoredItemId)
            self._watch.room += item.wanted.queue
            try:
                item.change(self._revised(one.RequestedParameters, subscription, item.variable), stamps)
            finally:
                self._watch.room -= item.wanted.queue
        except Refused as refused:
            result.StatusCode = ua.StatusCode(refused.status)
            return result
        result.RevisedSamplingInterval = item.wanted.sampling * 1000
        result.RevisedQueueSize = item.wanted.queue
        return result

    def _revised(self, requested: Any, subscription: Subscription, variable: Variable | None) -> Wanted:
        trigger, deadband = filter_of(
            requested, variable, lambda: None if variable is None else variable.span()
        )
        return revised(requested, subscription.timing.interval, self._watch.room, trigger, deadband)

    def _reader(
        self, id: str, attribute: int, range: str | None, encoding: str, writes: bool
    ) -> Callable[[], Sample]:
        return lambda: self._attributes.sample(id, attribute, range, encoding, writes)

    def _transferred(self, session: Session, id: int, initial: bool) -> Any:
        result = ua.TransferResult()
        subscription = self._watch.subscriptions.get(id)
        if subscription is None:
            result.StatusCode = ua.StatusCode(code.BadSubscriptionIdInvalid)
            return result
        former = subscription.session
        if former.user != session.user or former.certificate != session.certificate:
            result.StatusCode = ua.StatusCode(code.BadUserAccessDenied)
            return result
        result.AvailableSequenceNumbers = list(subscription.unacknowledged)
        self._watch.transfer(subscription, session)
        if initial:
            now = time.monotonic()
            for item in subscription.items.values():
                if item.mode == REPORTING:
                    item.repeat(now)
        return result


_HOPELESS: Final = frozenset(
    int(one)
    for one in (
        code.BadNodeIdUnknown,
        code.BadAttributeIdInvalid,
        code.BadIndexRangeInvalid,
        code.BadDataEncodingUnsupported,
        code.BadDataEncodingInvalid,
    )
)
"""What will never be otherwise: such an item is not made."""


def _timing(wanted: Any) -> Timing:
    interval = float(wanted.RequestedPublishingInterval) / 1000
    interval = min(max(interval, _SHORTEST), _LONGEST) if interval == interval else 1.0  # noqa: PLR0124  # NaN
    longest = max(int(_MOST_LIFETIME / interval), 3)
    keep_alive = min(max(int(wanted.RequestedMaxKeepAliveCount), 1), longest // 3)
    lifetime = min(max(int(wanted.RequestedLifetimeCount), 3 * keep_alive), longest)
    return Timing(interval, lifetime, max(keep_alive, 1), int(wanted.MaxNotificationsPerPublish))


def _said(timing: Timing) -> tuple[float, int, int]:
    return timing.interval * 1000, timing.lifetime, timing.keep_alive


def _own(session: Session, id: int) -> Subscription:
    subscription = session.subscriptions.get(id)
    if subscription is None:
        raise Refused(code.BadSubscriptionIdInvalid)
    return subscription


def _item(subscription: Subscription, id: int) -> Item:
    item = subscription.items.get(id)
    if item is None:
        raise Refused(code.BadMonitoredItemIdInvalid)
    return item


def _each(ids: list[int] | None, act: Callable[[int], None]) -> list[Any]:
    _bounded(ids)
    results = []
    for id in ids or []:
        try:
            act(id)
            results.append(ua.StatusCode(code.Good))
        except Refused as refused:
            results.append(ua.StatusCode(refused.status))
    return results


def _bounded(wanted: list[Any] | None) -> None:
    if not wanted:
        raise Refused(code.BadNothingToDo)
    if len(wanted) > _MOST_ITEMS:
        raise Refused(code.BadTooManyOperations, f"{len(wanted)} of at most {_MOST_ITEMS}")


def _stamps(wanted: Any) -> int:
    stamps = int(wanted)
    if not 0 <= stamps <= 3:
        raise Refused(code.BadTimestampsToReturnInvalid)
    return stamps
