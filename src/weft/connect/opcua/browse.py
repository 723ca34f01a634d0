"""What a server offers: all variables below a node, level by level (OPC 10000-4, 5.8)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

from asyncua.ua.uaerrors import UaStatusCodeError

from weft.connect.api import Found
from weft.connect.opcua.session import Session
from weft.model import ARRAY, ValueType, quality
from weft.model.units import from_unit_id
from weft.runtime import get_logger
from weft.ua.guard import FAULTS
from weft.ua.stack import NodeId, ua

__all__ = ["browse"]

log = get_logger(__name__)

NODES_AT_ONCE: Final = 100
REFERENCES_AT_ONCE: Final = 1000
MAX_NODES: Final = 1_000_000
MAX_PAGES: Final = 10_000
_OBJECTS: Final = "i=85"
_SERVER: Final = ua.NodeId(ua.ObjectIds.Server)
_HAS_PROPERTY: Final = ua.NodeId(ua.ObjectIds.HasProperty)
_HIERARCHICAL: Final = ua.NodeId(ua.ObjectIds.HierarchicalReferences)


class _Place(NamedTuple):
    """A node on the way; ``folder`` is the path above it."""

    node: ua.NodeId
    name: str
    folder: str
    variable: bool


async def browse(session: Session, start: str) -> AsyncIterator[Found]:
    """Variables below ``start`` with type, unit and value; properties are not listed. A node that the server
    will not tell about is left out, the others go on."""
    root = session.node(start or _OBJECTS)
    level = [_Place(root, "", "", variable=bool(start))]
    seen = {root} | ({_SERVER} if not start else set())
    while level and len(seen) < MAX_NODES:
        following: list[_Place] = []
        for at in range(0, len(level), NODES_AT_ONCE):
            places = level[at : at + NODES_AT_ONCE]
            units: dict[NodeId, NodeId] = {}
            for place, references in zip(
                places, await _references(session, [p.node for p in places]), strict=True
            ):
                following += _below(place, references, seen, units)
            for found in await _describe(session, [place for place in places if place.variable], units):
                yield found
        level = following


def _below(
    place: _Place, references: Sequence[Any], seen: set[NodeId], units: dict[NodeId, NodeId]
) -> list[_Place]:
    folder = "/".join(part for part in (place.folder, place.name) if part)
    found = []
    for reference in references:
        node = _local(reference.NodeId)
        if node is None:
            continue
        if reference.ReferenceTypeId == _HAS_PROPERTY:
            if reference.BrowseName.Name == "EngineeringUnits":
                units[place.node] = node
            continue
        if node in seen:
            continue
        seen.add(node)
        name = reference.DisplayName.Text or reference.BrowseName.Name or node.to_string()
        found.append(_Place(node, name, folder, reference.NodeClass == ua.NodeClass.Variable))
    return found


def _local(node: Any) -> NodeId | None:
    """A node of this server, without the clothes of an ExpandedNodeId."""
    if getattr(node, "ServerIndex", 0) or getattr(node, "NamespaceUri", None):
        return None
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)


async def _references(session: Session, nodes: Sequence[NodeId]) -> list[list[Any]]:
    """Per node; a request that fails as a whole is asked again in halves."""
    try:
        return await _browse_request(session, nodes)
    except FAULTS as error:
        if len(nodes) == 1:
            log.info("node cannot be browsed", node=nodes[0].to_string(), reason=str(error)[:200])
            return [[]]
    half = len(nodes) // 2
    return await _references(session, nodes[:half]) + await _references(session, nodes[half:])


async def _browse_request(session: Session, nodes: Sequence[NodeId]) -> list[list[Any]]:
    request = ua.BrowseRequest()
    request.Parameters.RequestedMaxReferencesPerNode = REFERENCES_AT_ONCE
    request.Parameters.NodesToBrowse = [
        ua.BrowseDescription(
            NodeId=node,
            BrowseDirection=ua.BrowseDirection.Forward,
            ReferenceTypeId=_HIERARCHICAL,
            IncludeSubtypes=True,
            NodeClassMask=ua.NodeClass.Object | ua.NodeClass.Variable,
            ResultMask=ua.BrowseResultMask.All,
        )
        for node in nodes
    ]
    answer = await session.call(request, ua.BrowseResponse)
    if len(answer.Results) != len(nodes):
        raise ValueError(f"{len(answer.Results)} results for {len(nodes)} nodes")
    return [await _pages(session, result) for result in answer.Results]


async def _pages(session: Session, result: Any) -> list[Any]:
    references = list(result.References or [])
    for _ in range(MAX_PAGES):
        if not result.ContinuationPoint:
            break
        request = ua.BrowseNextRequest()
        request.Parameters.ContinuationPoints = [result.ContinuationPoint]
        answer = await session.call(request, ua.BrowseNextResponse)
        # asyncua nests this one response's results
        [result] = answer.Parameters.Results
        if not result.References:
            break
        references += result.References
    return references


async def _describe(session: Session, places: Sequence[_Place], units: dict[NodeId, NodeId]) -> list[Found]:
    if not places:
        return []
    ids = ua.AttributeIds
    wanted = [(place.node, a) for place in places for a in (ids.Value, ids.DataType, ids.Description)]
    with_unit = [place.node for place in places if place.node in units]
    wanted += [(units[node], ids.Value) for node in with_unit]
    values = await _read(session, wanted)
    unit = {
        node: _unit(value) for node, (_, _, value) in zip(with_unit, values[3 * len(places) :], strict=True)
    }
    return [
        _found(place, values[3 * i], values[3 * i + 1][2], values[3 * i + 2][2], unit.get(place.node, ""))
        for i, place in enumerate(places)
    ]


def _found(place: _Place, value: tuple[int, int, Any], data_type: Any, description: Any, unit: str) -> Found:
    status, kind, content = value
    return Found(
        name=place.name or place.node.to_string(),
        address={"node": place.node.to_string()},
        type=_type(kind, data_type),
        unit=unit,
        description=(description.get("text") or "") if isinstance(description, dict) else "",
        value=content,
        status=status,
        folder=place.folder,
    )


def _unit(information: Any) -> str:
    """Of EUInformation (OPC 10000-8, 5.6.3): the UCUM code of its number, else its display name."""
    body = information.get("body") if isinstance(information, dict) else None
    if not isinstance(body, dict):
        return ""
    name = body.get("DisplayName")
    text = (name.get("text") or "") if isinstance(name, dict) else ""
    return from_unit_id(body.get("UnitId") or 0) or text


def _type(kind: int, data_type: Any) -> ValueType | None:
    """Of the value where there is one, else of the declared type when that is a built-in one."""
    if kind & ~ARRAY:
        return ValueType(kind & ~ARRAY)
    prefix, _, number = str(data_type).partition("=")
    built_in = prefix == "i" and number.isdigit() and 1 <= int(number) <= ValueType.DIAGNOSTICINFO
    return ValueType(int(number)) if built_in else None


async def _read(session: Session, wanted: Sequence[tuple[NodeId, int]]) -> list[tuple[int, int, Any]]:
    """As :meth:`Session.read`; what cannot be read or decoded has a bad status, the others go on."""
    try:
        values = await session.read(wanted)
        if len(values) != len(wanted):
            raise ValueError(f"{len(values)} results for {len(wanted)} reads")
    except FAULTS as error:
        if len(wanted) == 1:
            status = int(error.code) if isinstance(error, UaStatusCodeError) else quality.BAD_DECODING_ERROR
            return [(status, 0, None)]
    else:
        return values
    half = len(wanted) // 2
    return await _read(session, wanted[:half]) + await _read(session, wanted[half:])
