"""Methods called: arguments as the method declares them, outputs as plain values (OPC 10000-4, 5.12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from asyncua.ua.uaerrors import UaStatusCodeError

from weft.connect.opcua.channel import Encoded
from weft.connect.opcua.decode import read_call
from weft.connect.opcua.faults import status_text
from weft.connect.opcua.session import Session
from weft.connect.opcua.writing import Form, NotThat, Writing, encode
from weft.model import ValueType, quality
from weft.runtime import Invalid, NotFound
from weft.ua import writer
from weft.ua.stack import NodeId, ua

__all__ = ["call"]


class _Argument(NamedTuple):
    name: str
    form: Form


async def call(
    session: Session, writing: Writing, target: str, method: str, arguments: Sequence[Any]
) -> list[Any]:
    """The outputs. ``method`` is a NodeId, or the name that a method of ``target`` bears. Raises Invalid for what
    the server refuses, NotFound where there is no such method, and what asyncua raises for a lost line."""
    place = _node(session, target)
    node = await _method(session, place, method)
    expected = await _arguments(session, writing, node)
    if expected is not None and len(expected) != len(arguments):
        names = ", ".join(one.name for one in expected)
        raise Invalid(f"{method} takes {len(expected)} arguments ({names}), not {len(arguments)}.")
    if expected is None:
        expected = [_Argument(str(i + 1), Form(ValueType.VARIANT, -2)) for i in range(len(arguments))]
    encoded = [_encoded(method, one, value) for one, value in zip(expected, arguments, strict=True)]
    return await _send(session, place, node, method, encoded, [one.name for one in expected])


async def _send(
    session: Session, place: NodeId, node: NodeId, method: str, encoded: Sequence[bytes], names: Sequence[str]
) -> list[Any]:
    body = writer.node(place.to_string()) + writer.node(node.to_string())
    body += len(encoded).to_bytes(4, "little") + b"".join(encoded)
    data = await session.raw(Encoded(ua.CallRequest(), (1).to_bytes(4, "little") + body))
    status, inputs, outputs = read_call(data, session.structures.known)
    if status < quality.BAD:
        return outputs
    wrong = [f"{name}: {status_text(code)}" for name, code in zip(names, inputs, strict=False) if code]
    what = f" ({'; '.join(wrong)})" if wrong else ""
    raise Invalid(f"{method} was refused: {status_text(status)}{what}.")


def _encoded(method: str, argument: _Argument, value: Any) -> bytes:
    try:
        return encode(argument.form, value)
    except NotThat as error:
        raise Invalid(f"{method}: argument {argument.name}: {error}.") from error


def _node(session: Session, text: str) -> NodeId:
    try:
        return session.node(text)
    except (LookupError, ValueError) as error:
        raise Invalid(f"{text}: {error}.") from error


async def _method(session: Session, place: NodeId, method: str) -> NodeId:
    try:
        return session.node(method)
    except LookupError as error:
        raise Invalid(f"{method}: {error}.") from error
    except ValueError:
        pass  # a name
    for name, node in await _methods(session, place):
        if name == method:
            return node
    raise NotFound(f"{place.to_string()} has no method {method!r}.")


async def _methods(session: Session, place: NodeId) -> list[tuple[str, NodeId]]:
    return await _below(session, place, ua.ObjectIds.HasComponent, ua.NodeClass.Method)


async def _below(session: Session, node: NodeId, reference: int, kind: Any) -> list[tuple[str, NodeId]]:
    request = ua.BrowseRequest()
    request.Parameters.RequestedMaxReferencesPerNode = 1000
    request.Parameters.NodesToBrowse = [
        ua.BrowseDescription(
            NodeId=node,
            BrowseDirection=ua.BrowseDirection.Forward,
            ReferenceTypeId=ua.NodeId(reference),
            IncludeSubtypes=True,
            NodeClassMask=kind,
            ResultMask=ua.BrowseResultMask.BrowseName,
        )
    ]
    answer = await session.call(request, ua.BrowseResponse)
    found = answer.Results[0].References or [] if answer.Results else []
    return [
        (
            one.BrowseName.Name,
            ua.NodeId(one.NodeId.Identifier, one.NodeId.NamespaceIndex, one.NodeId.NodeIdType),
        )
        for one in found
    ]


async def _arguments(session: Session, writing: Writing, method: NodeId) -> list[_Argument] | None:
    """As the method declares them; None when it does not say."""
    if not method.NamespaceIndex and method.Identifier in _WELL_KNOWN:
        return [_Argument(name, Form(kind, -1)) for name, kind in _WELL_KNOWN[method.Identifier]]
    try:
        properties = await _below(session, method, ua.ObjectIds.HasProperty, ua.NodeClass.Variable)
    except UaStatusCodeError:
        return None
    declared = [node for name, node in properties if name == "InputArguments"]
    if not declared:
        return [] if properties else None
    [(status, _, value)] = await session.read([(declared[0], ua.AttributeIds.Value)])
    if status >= quality.BAD or not isinstance(value, list):
        return None
    found = []
    for one in value:
        body = one.get("body") if isinstance(one, dict) else None
        if not isinstance(body, dict):
            return None
        form = Form(await writing.types.built_in(body["DataType"]), int(body["ValueRank"]))
        found.append(_Argument(str(body["Name"]), form))
    return found


# Those of conditions are often called by the number of the type's method, which instances do not show (9, 5.5.4).
_COMMENTED: Final = (("EventId", ValueType.BYTESTRING), ("Comment", ValueType.LOCALIZEDTEXT))
_WELL_KNOWN: Final[dict[Any, tuple[tuple[str, ValueType], ...]]] = {
    ua.ObjectIds.AcknowledgeableConditionType_Acknowledge: _COMMENTED,
    ua.ObjectIds.AcknowledgeableConditionType_Confirm: _COMMENTED,
    ua.ObjectIds.ConditionType_AddComment: _COMMENTED,
    ua.ObjectIds.ConditionType_Enable: (),
    ua.ObjectIds.ConditionType_Disable: (),
}
