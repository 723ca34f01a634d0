"""Browse, BrowseNext, TranslateBrowsePathsToNodeIds, RegisterNodes (OPC 10000-4, 5.8)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.nodes import Node, Reference
from weft.destinations.opcua.portions import Pile, Portions
from weft.destinations.opcua.request import Request
from weft.destinations.opcua.session import Session
from weft.destinations.opcua.space import Space
from weft.ua import writer
from weft.ua.stack import ua
from weft.ua.variant import BadEncoding, Reader

__all__ = ["View"]

_BROWSE: Final = int(ua.ObjectIds.BrowseResponse_Encoding_DefaultBinary)
_NEXT: Final = int(ua.ObjectIds.BrowseNextResponse_Encoding_DefaultBinary)
_MOST_NODES: Final = 10_000
_MOST_AT_ONCE: Final = 10_000  # references of one node in one answer
_MOST_ELEMENTS: Final = 100
_MOST_TARGETS: Final = 1000
_NOTHING: Final = b"\xff\xff\xff\xff"
_NULL_NODE: Final = b"\0\0"
_BOTH: Final = 2


class _Wanted(NamedTuple):
    """A BrowseDescription (7.5); ``kinds`` None are all reference types."""

    id: str
    direction: int
    kinds: frozenset[int] | None
    classes: int
    mask: int


class View:
    def __init__(self, space: Space, portions: Portions) -> None:
        self._space = space
        self._portions = portions

    def browse(self, request: Request) -> None:
        body = request.body
        try:
            view = body.node()
            body.skip(12)
            most = body.u32() or _MOST_AT_ONCE
            count = body.count(14)
            if count > _MOST_NODES:
                raise Refused(code.BadTooManyOperations)
            wanted = [self._wanted(body) for _ in range(count)]
        except BadEncoding as error:
            raise Refused(code.BadDecodingError, str(error)) from error
        if view != "i=0":
            raise Refused(code.BadViewIdUnknown)
        if not wanted:
            raise Refused(code.BadNothingToDo)
        session, most = request.session, min(most, _MOST_AT_ONCE)
        found = Pile()
        self._portions.take(
            request,
            wanted,
            lambda one: found.add(self._browsed(session, one, most)),
            lambda: request.answer_raw(_BROWSE, found.array()),
        )

    def browse_next(self, request: Request) -> None:
        body, session = request.body, request.session
        try:
            release = bool(body.u8())
            points = [body.octets() or b"" for _ in range(max(body.count(4), 0))]
        except BadEncoding as error:
            raise Refused(code.BadDecodingError, str(error)) from error
        if not points:
            raise Refused(code.BadNothingToDo)
        found = []
        for point in points:
            kept = session.continuations.pop(point, None)
            if release:
                found.append(_result(0, b"", []))
            elif kept is None:
                found.append(_result(int(code.BadContinuationPointInvalid), b"", []))
            else:
                found.append(self._page(session, *kept))
        request.answer_raw(_NEXT, len(found).to_bytes(4, "little") + b"".join(found) + _NOTHING)

    def translate(self, request: Request) -> None:
        wanted = request.read(ua.TranslateBrowsePathsToNodeIdsParameters)
        paths = wanted.BrowsePaths or []
        if not paths:
            raise Refused(code.BadNothingToDo)
        if len(paths) > _MOST_NODES:
            raise Refused(code.BadTooManyOperations)
        results: list[Any] = []
        self._portions.take(
            request,
            paths,
            lambda path: results.append(self._translated(path)),
            lambda: request.answer(ua.TranslateBrowsePathsToNodeIdsResponse(Results=results)),
        )

    def register(self, request: Request) -> None:
        """The ids are as good as they are: their order is kept and nothing changes."""
        wanted = request.read(ua.RegisterNodesParameters)
        if not wanted.NodesToRegister:
            raise Refused(code.BadNothingToDo)
        result = ua.RegisterNodesResult(RegisteredNodeIds=wanted.NodesToRegister)
        request.answer(ua.RegisterNodesResponse(Parameters=result))

    def unregister(self, request: Request) -> None:
        request.answer(ua.UnregisterNodesResponse())

    def _wanted(self, body: Reader) -> _Wanted:
        id, direction, kind = body.node(), body.i32(), body.node()
        subtypes, classes, mask = bool(body.u8()), body.u32(), body.u32()
        if kind == "i=0":
            return _Wanted(id, direction, None, classes, mask)
        form, _, number = kind.partition("=")
        known = form == "i" and self._space.get(kind) is not None
        if not known:
            return _Wanted(id, -1, frozenset(), classes, mask)
        kinds = self._space.subtypes(int(number)) if subtypes else frozenset({int(number)})
        return _Wanted(id, direction, kinds, classes, mask)

    def _browsed(self, session: Session, wanted: _Wanted, most: int) -> bytes:
        node = self._space.get(wanted.id)
        if node is None:
            return _result(int(code.BadNodeIdUnknown), b"", [])
        if not 0 <= wanted.direction <= _BOTH:
            bad = (
                code.BadReferenceTypeIdInvalid
                if wanted.kinds == frozenset()
                else code.BadBrowseDirectionInvalid
            )
            return _result(int(bad), b"", [])
        found = [
            ref
            for ref in node.references()
            if wanted.direction in {_BOTH, 0 if ref.forward else 1}
            and (wanted.kinds is None or ref.kind in wanted.kinds)
        ]
        return self._page(session, found, wanted, most)

    def _page(self, session: Session, references: list[Reference], wanted: _Wanted, most: int) -> bytes:
        said: list[bytes] = []
        for at, reference in enumerate(references):
            target = self._space.get(reference.target)
            if target is None or (wanted.classes and not wanted.classes & target.node_class):
                continue
            if len(said) == most:
                return _result(0, session.keep((references[at:], wanted, most)), said)
            said.append(_described(reference, target, wanted.mask))
        return _result(0, b"", said)

    def _translated(self, path: Any) -> Any:
        elements = path.RelativePath.Elements or []
        here = [path.StartingNode.to_string()]
        if self._space.get(here[0]) is None:
            return _no_path(code.BadNodeIdUnknown)
        if not elements or len(elements) > _MOST_ELEMENTS:
            return _no_path(code.BadNothingToDo)
        if not elements[-1].TargetName or not elements[-1].TargetName.Name:
            return _no_path(code.BadBrowseNameInvalid)
        for element in elements:
            here = [id for one in here for id in self._step(one, element)][:_MOST_TARGETS]
        if not here:
            return _no_path(code.BadNoMatch)
        targets = [ua.BrowsePathTarget(ua.NodeId.from_string(id), 0xFFFFFFFF) for id in here]
        return ua.BrowsePathResult(Targets=targets)

    def _step(self, id: str, element: Any) -> list[str]:
        kind = element.ReferenceTypeId.to_string()
        kinds = None
        if kind != "i=0":
            number = int(kind.removeprefix("i=")) if kind.startswith("i=") else -1
            kinds = self._space.subtypes(number) if element.IncludeSubtypes else frozenset({number})
        name = int(element.TargetName.NamespaceIndex).to_bytes(2, "little") + writer.text(
            element.TargetName.Name
        )
        found = []
        for ref in self._space.children(id):
            if ref.forward == element.IsInverse or (kinds is not None and ref.kind not in kinds):
                continue
            target = self._space.get(ref.target)
            if target is not None and target.browse_name == name:
                found.append(ref.target)
        return found


def _no_path(status: int) -> Any:
    result = ua.BrowsePathResult()
    result.StatusCode = ua.StatusCode(status)
    return result


def _result(status: int, point: bytes, references: list[bytes]) -> bytes:
    """A BrowseResult (7.6)."""
    return (
        status.to_bytes(4, "little")
        + writer.octets(point or None)
        + len(references).to_bytes(4, "little")
        + b"".join(references)
    )


def _described(reference: Reference, target: Node, mask: int) -> bytes:
    """A ReferenceDescription (7.30) with the fields that the client asked for."""
    kind = writer.node(f"i={reference.kind}") if mask & 1 else _NULL_NODE
    return (
        kind
        + (b"\1" if mask & 2 and reference.forward else b"\0")
        + writer.node(reference.target)
        + (target.browse_name if mask & 8 else b"\0\0" + _NOTHING)
        + (target.display_name if mask & 16 else b"\0")
        + (target.node_class if mask & 4 else 0).to_bytes(4, "little")
        + (writer.node(target.type_definition) if mask & 32 and target.type_definition else _NULL_NODE)
    )
