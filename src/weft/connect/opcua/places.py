"""Where the addresses of a plant's folder lie on one server: their NodeIds, once per session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from weft.connect.opcua import paths
from weft.connect.opcua.config import Address
from weft.connect.opcua.faults import status_text
from weft.ua.stack import NodeId, ua

if TYPE_CHECKING:
    from weft.connect.opcua.session import Session

__all__ = ["Missing", "Places"]

AT_ONCE: Final = 100
_OBJECTS: Final = "i=85"
_NO_SUCH_NODE: Final = 0x80330000  # BadNodeIdInvalid
_NO_MATCH: Final = 0x806F0000  # BadNoMatch
_DOWN: Final = ua.NodeId(ua.ObjectIds.HierarchicalReferences)


class Missing(NamedTuple):
    """Why an address leads nowhere."""

    status: int
    reason: str


class Places:
    """Found places are kept; what is missing is asked for again, since a server may get it later."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[tuple[str, str], NodeId] = {}

    async def find(self, addresses: Sequence[Address]) -> list[NodeId | Missing]:
        """Per address. Raises what asyncua raises when the line is lost: use inside ``explained``."""
        found: dict[tuple[str, str], NodeId | Missing] = {}
        asked: dict[tuple[str, str], Any] = {}
        for address in addresses:
            key = (address.node, address.path)
            if key in self._known or key in found or key in asked:
                continue
            try:
                start = self._session.node(address.node or _OBJECTS)
                if address.path:
                    asked[key] = self._browse_path(start, address.path)
                else:
                    self._known[key] = start
            except (LookupError, ValueError) as error:
                found[key] = Missing(_NO_SUCH_NODE, f"{address.text}: {error}")
        keys = list(asked)
        for at in range(0, len(keys), AT_ONCE):
            found |= await self._translate({key: asked[key] for key in keys[at : at + AT_ONCE]})
        return [self._known.get((a.node, a.path)) or found[a.node, a.path] for a in addresses]

    def _browse_path(self, start: NodeId, path: str) -> Any:
        elements = []
        for name in paths.parse(path):
            index = name.index_in(self._session.namespaces)
            element = ua.RelativePathElement(
                _DOWN, False, True, ua.QualifiedName(name.name, ua.UInt16(index))
            )
            elements.append(element)
        return ua.BrowsePath(start, ua.RelativePath(elements))

    async def _translate(self, asked: dict[tuple[str, str], Any]) -> dict[tuple[str, str], NodeId | Missing]:
        """TranslateBrowsePathsToNodeIds (OPC 10000-4, 5.9.4); of several matches the first that is complete."""
        request = ua.TranslateBrowsePathsToNodeIdsRequest()
        request.Parameters.BrowsePaths = list(asked.values())
        answer = await self._session.call(request, ua.TranslateBrowsePathsToNodeIdsResponse)
        if len(answer.Results) != len(asked):
            raise ValueError(f"{len(answer.Results)} results for {len(asked)} paths")
        found: dict[tuple[str, str], NodeId | Missing] = {}
        for key, result in zip(asked, answer.Results, strict=True):
            node = _complete(result)
            if node is not None:
                self._known[key] = node
            else:
                code = int(result.StatusCode.value)
                status = code if code & 0x80000000 else _NO_MATCH
                found[key] = Missing(status, f"{' '.join(key).strip()}: {status_text(status)}")
        return found


def _complete(result: Any) -> NodeId | None:
    if int(result.StatusCode.value) & 0x80000000:
        return None
    for target in result.Targets or []:
        node = target.TargetId
        if target.RemainingPathIndex == 0xFFFFFFFF and not getattr(node, "ServerIndex", 0):
            return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)
    return None
