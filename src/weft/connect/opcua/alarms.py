"""Alarms and conditions (OPC 10000-9): received as events of the field, asked for anew after every interruption.

A condition that was told of and is not in a refresh any more has gone while nobody listened: that is told, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from asyncua.ua.uaerrors import UaStatusCodeError

from weft.connect.api import Link
from weft.connect.opcua.faults import status_text
from weft.connect.opcua.session import Session
from weft.model import Kind, instant
from weft.runtime import get_logger
from weft.ua.stack import NodeId, ua

__all__ = ["Alarms"]

log = get_logger(__name__)

FIRST_HANDLE: Final = 0xF000_0000  # far above those of signals
QUEUE: Final = 10_000
MOST_KNOWN: Final = 100_000
_LONGEST: Final = 4000
_IDS: Final = ua.ObjectIds
_BASE: Final = f"i={_IDS.BaseEventType}"
_REFRESH_START: Final = f"i={_IDS.RefreshStartEventType}"
_REFRESH_END: Final = f"i={_IDS.RefreshEndEventType}"
_REFRESH_REQUIRED: Final = f"i={_IDS.RefreshRequiredEventType}"

# Name in the event, type that defines it, path below it; the last one is the condition itself (9, 5.5.2).
_FIELDS: Final = (
    ("event", _IDS.BaseEventType, "EventId"),
    ("type", _IDS.BaseEventType, "EventType"),
    ("source_node", _IDS.BaseEventType, "SourceNode"),
    ("source", _IDS.BaseEventType, "SourceName"),
    ("time", _IDS.BaseEventType, "Time"),
    ("message", _IDS.BaseEventType, "Message"),
    ("severity", _IDS.BaseEventType, "Severity"),
    ("name", _IDS.ConditionType, "ConditionName"),
    ("branch", _IDS.ConditionType, "BranchId"),
    ("retain", _IDS.ConditionType, "Retain"),
    ("enabled", _IDS.ConditionType, "EnabledState/Id"),
    ("quality", _IDS.ConditionType, "Quality"),
    ("comment", _IDS.ConditionType, "Comment"),
    ("user", _IDS.ConditionType, "ClientUserId"),
    ("acked", _IDS.AcknowledgeableConditionType, "AckedState/Id"),
    ("confirmed", _IDS.AcknowledgeableConditionType, "ConfirmedState/Id"),
    ("active", _IDS.AlarmConditionType, "ActiveState/Id"),
    ("suppressed", _IDS.AlarmConditionType, "SuppressedState/Id"),
    ("shelved", _IDS.AlarmConditionType, "SuppressedOrShelved"),
    ("input", _IDS.AlarmConditionType, "InputNode"),
    ("limit_state", _IDS.ExclusiveLimitAlarmType, "LimitState/CurrentState"),
    ("high_high_limit", _IDS.LimitAlarmType, "HighHighLimit"),
    ("high_limit", _IDS.LimitAlarmType, "HighLimit"),
    ("low_limit", _IDS.LimitAlarmType, "LowLimit"),
    ("low_low_limit", _IDS.LimitAlarmType, "LowLowLimit"),
    ("condition", _IDS.ConditionType, ""),
)
_NAMES: Final = tuple(name for name, _, _ in _FIELDS)


class Alarms:
    """Event items of one subscription, and the conditions that are of interest now (their Retain is true)."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._made: dict[str, int] = {}  # the notifier, the server's number of its item
        self._retained: dict[tuple[str, str], dict[str, Any]] = {}
        self._fresh: set[tuple[str, str]] | None = None  # those of the refresh that is going on

    def adopt(self, made: Mapping[str, int]) -> None:
        """Items that an earlier process has made."""
        self._made = dict(made)

    def facts(self) -> dict[str, int]:
        return dict(self._made)

    async def follow(self, session: Session, subscription: int, notifiers: Sequence[str]) -> None:
        """Items for just these notifiers, and a refresh. A notifier that the server refuses is told of."""
        gone = [self._made.pop(node) for node in list(self._made) if node not in notifiers]
        if gone:
            request = ua.DeleteMonitoredItemsRequest()
            request.Parameters.SubscriptionId = subscription
            request.Parameters.MonitoredItemIds = gone
            await session.call(request, ua.DeleteMonitoredItemsResponse)
        for number, text in enumerate(notifiers):
            if text not in self._made:
                await self._create(session, subscription, text, FIRST_HANDLE + number)
        if self._made:
            await self.refresh(session, subscription)

    async def refresh(self, session: Session, subscription: int) -> None:
        """Asks for all conditions of interest (9, 5.5.7); a server without conditions says no."""
        request = ua.CallRequest()
        call = ua.CallMethodRequest()
        call.ObjectId = ua.NodeId(_IDS.ConditionType)
        call.MethodId = ua.NodeId(_IDS.ConditionType_ConditionRefresh)
        call.InputArguments = [ua.Variant(subscription, ua.VariantType.UInt32)]
        request.Parameters.MethodsToCall = [call]
        try:
            answer = await session.call(request, ua.CallResponse)
            [result] = answer.Results
            result.StatusCode.check()
        except (UaStatusCodeError, ValueError) as error:
            log.info("no refresh of conditions", connection=self._link.name, because=str(error)[:120])

    def happened(self, handle: int, fields: Sequence[Any]) -> None:
        """An event of one of the items."""
        if not FIRST_HANDLE <= handle < FIRST_HANDLE + len(self._made) or len(fields) != len(_NAMES):
            return
        found = dict(zip(_NAMES, fields, strict=True))
        kind = found["type"]
        if kind == _REFRESH_START:
            self._fresh = set()
        elif kind == _REFRESH_END:
            self._settle()
        elif kind != _REFRESH_REQUIRED and not _of_the_server(found):
            self._tell(found)

    async def _create(self, session: Session, subscription: int, text: str, handle: int) -> None:
        try:
            item = _item(session.node(text), handle)
        except LookupError as error:
            session.notes.append(f"no events of {text}: {error}")
            return
        request = ua.CreateMonitoredItemsRequest()
        request.Parameters.SubscriptionId = subscription
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ItemsToCreate = [item]
        answer = await session.call(request, ua.CreateMonitoredItemsResponse)
        [result] = answer.Results
        code = int(result.StatusCode.value)
        if code & 0x80000000:
            session.notes.append(f"no events of {text}: {status_text(code)}")
        else:
            self._made[text] = int(result.MonitoredItemId)

    def _tell(self, found: dict[str, Any]) -> None:
        time = found.pop("time")
        data = {name: _small(value) for name, value in found.items() if value is not None}
        if isinstance(data.get("event"), bytes):
            data["event"] = data["event"].hex()
        if isinstance(data.get("message"), dict):
            data["message"] = data["message"].get("text") or ""
        condition = data.get("condition")
        if condition is not None:
            self._keep(condition, data)
        self._link.tell(
            Kind.ALARM, data, time=instant.from_filetime(time) if isinstance(time, int) and time > 0 else 0
        )

    def _keep(self, condition: str, data: dict[str, Any]) -> None:
        data["branch"] = branch = "" if data.get("branch") in (None, "i=0") else str(data["branch"])
        key = (condition, branch)
        if self._fresh is not None:
            self._fresh.add(key)
        if data.get("retain") and len(self._retained) < MOST_KNOWN:
            self._retained[key] = data
        else:
            self._retained.pop(key, None)

    def _settle(self) -> None:
        """After a refresh: what was of interest and is not in it has gone in the meantime."""
        fresh, self._fresh = self._fresh, None
        for key in [key for key in self._retained if fresh is not None and key not in fresh]:
            data = self._retained.pop(key)
            message = "gone while nobody listened"
            self._link.tell(Kind.ALARM, {**data, "active": False, "retain": False, "message": message})


def _item(node: NodeId, handle: int) -> Any:
    item = ua.MonitoredItemCreateRequest()
    item.ItemToMonitor.NodeId = node
    item.ItemToMonitor.AttributeId = ua.AttributeIds.EventNotifier
    item.MonitoringMode = ua.MonitoringMode.Reporting
    wish = item.RequestedParameters
    wish.ClientHandle = handle
    wish.SamplingInterval = 0.0
    wish.QueueSize = QUEUE
    wish.DiscardOldest = True
    wish.Filter = ua.EventFilter(SelectClauses=[_clause(kind, path) for _, kind, path in _FIELDS])
    return item


def _clause(kind: int, path: str) -> Any:
    clause = ua.SimpleAttributeOperand()
    clause.TypeDefinitionId = ua.NodeId(kind)
    clause.BrowsePath = [ua.QualifiedName(name) for name in path.split("/")] if path else []
    clause.AttributeId = ua.AttributeIds.Value if path else ua.AttributeIds.NodeId
    return clause


def _of_the_server(found: dict[str, Any]) -> bool:
    """Audits and the like: no condition, and of a type that every server has."""
    kind = str(found["type"])
    return found["condition"] is None and kind.startswith("i=") and kind != _BASE


def _small(value: Any) -> Any:
    return value[:_LONGEST] if isinstance(value, str) else value
