"""What built-in type stands behind a data type: enumerations are Int32, structures ExtensionObjects, and names like
Duration are what they are subtypes of (OPC 10000-3, 5.8; 10000-6, 5.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from weft.model import ValueType
from weft.ua.stack import NodeId, ua

if TYPE_CHECKING:
    from weft.connect.opcua.session import Session

__all__ = ["Types", "above"]

DEEPEST: Final = 20
_ABSTRACT: Final = {
    24: ValueType.VARIANT,
    26: ValueType.VARIANT,
    27: ValueType.VARIANT,
    28: ValueType.VARIANT,
}
_ENUMERATION: Final = 29


class Types:
    """Of one server; each type is asked for once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, int] = {}

    async def built_in(self, data_type: str, of_value: int = 0) -> int:
        """``data_type`` as a NodeId's text. ``of_value`` is the present value's type, which decides where the
        declared one leaves it open."""
        if data_type not in self._known:
            self._known[data_type] = await self._climb(data_type)
        found = self._known[data_type]
        return of_value if found == ValueType.VARIANT and of_value else found

    async def _climb(self, data_type: str) -> int:
        node = self._session.node(data_type)
        for _ in range(DEEPEST):
            number = node.Identifier if not node.NamespaceIndex and isinstance(node.Identifier, int) else 0
            if number in _ABSTRACT:
                return _ABSTRACT[number]
            if number == _ENUMERATION:
                return ValueType.INT32
            if 1 <= number <= ValueType.DIAGNOSTICINFO:
                return int(number)
            parent = await above(self._session, node, ua.ObjectIds.HasSubtype)
            if parent is None:
                break
            node = parent
        return ValueType.VARIANT


async def above(session: Session, node: NodeId, reference: int) -> NodeId | None:
    """The first data type that refers to ``node`` by ``reference`` (a number of OPC UA's own namespace), such as what
    it is a subtype of. Raises UaStatusCodeError."""
    request = ua.BrowseRequest()
    request.Parameters.RequestedMaxReferencesPerNode = 1
    request.Parameters.NodesToBrowse = [
        ua.BrowseDescription(
            NodeId=node,
            BrowseDirection=ua.BrowseDirection.Inverse,
            ReferenceTypeId=ua.NodeId(reference),
            IncludeSubtypes=True,
            NodeClassMask=ua.NodeClass.DataType,
            ResultMask=ua.BrowseResultMask.None_,
        )
    ]
    answer = await session.call(request, ua.BrowseResponse)
    references = answer.Results[0].References if answer.Results else None
    if not references:
        return None
    found = references[0].NodeId
    return ua.NodeId(found.Identifier, found.NamespaceIndex, found.NodeIdType)
