"""Read and Write (OPC 10000-4, 5.10). What is read is encoded from the newest sample; what is written goes the
way of a command, and the client hears what came of it."""

from __future__ import annotations

import time
from typing import Any, Final

import anyio

from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.desk import Desk
from weft.destinations.opcua.nodes import VALUE, Node
from weft.destinations.opcua.portions import Pile, Portions
from weft.destinations.opcua.ranges import cut, parse
from weft.destinations.opcua.request import Request
from weft.destinations.opcua.session import Session
from weft.destinations.opcua.space import Space
from weft.destinations.opcua.values import BAD_ENCODING_ERROR, Sample
from weft.destinations.opcua.variable import Variable
from weft.model import ARRAY, ValueType
from weft.model.values import type_name
from weft.ua import writer
from weft.ua.stack import ua
from weft.ua.variant import BadEncoding, Reader

__all__ = ["MOST_NODES", "Attributes"]

MOST_NODES: Final = 10_000
_MOST_WRITES: Final = 1000
_READ: Final = int(ua.ObjectIds.ReadResponse_Encoding_DefaultBinary)
_WRITE: Final = int(ua.ObjectIds.WriteResponse_Encoding_DefaultBinary)
_NO_DIAGNOSTICS: Final = b"\xff\xff\xff\xff"
_SMALLEST: Final = 14  # bytes that a node to read or write takes at least
_KINDS: Final = {type_name(kind): int(kind) for kind in ValueType}


class Attributes:
    def __init__(self, space: Space, desk: Desk, portions: Portions) -> None:
        self._space = space
        self._desk = desk
        self._portions = portions

    def read(self, request: Request) -> None:
        body = request.body
        try:
            age, stamps = body.i64(), body.i32()
            count = _counted(body, MOST_NODES)
            wanted = [(body.node(), body.u32(), body.text(), body.qualified_name()) for _ in range(count)]
        except BadEncoding as error:
            raise Refused(code.BadDecodingError, str(error)) from error
        if not 0 <= stamps <= 3:
            raise Refused(code.BadTimestampsToReturnInvalid)
        if _negative(age):
            raise Refused(code.BadMaxAgeInvalid)
        writes = request.session.writes
        found = Pile()

        def read(one: tuple[str, int, str | None, str]) -> None:
            id, attribute, part, encoding = one
            sample = self.sample(id, attribute, part, encoding, writes)
            found.add(sample.data_value(stamps if attribute == VALUE else 3))

        self._portions.take(request, wanted, read, lambda: request.answer_raw(_READ, found.array()))

    def sample(self, id: str, attribute: int, range: str | None, encoding: str, writes: bool) -> Sample:
        """The newest state of any attribute of any node."""
        try:
            return self._sample(id, attribute, range, encoding, writes)
        except Refused as refused:
            return Sample(b"", refused.status, None, time.time_ns(), float("nan"))

    def write(self, request: Request) -> None:
        """Answers when the field did, or when the time is up; other requests go on meanwhile."""
        body = request.body
        try:
            count = _counted(body, _MOST_WRITES)
            wishes = [(body.node(), body.u32(), body.text(), body.data_value()) for _ in range(count)]
        except BadEncoding as error:
            raise Refused(code.BadDecodingError, str(error)) from error

        async def work(request: Request) -> None:
            results = [int(code.BadUnexpectedError)] * count
            async with anyio.create_task_group() as group:
                for i, wish in enumerate(wishes):
                    group.start_soon(self._carry_out, request, i, wish, results)
            said = b"".join(status.to_bytes(4, "little") for status in results)
            request.answer_raw(_WRITE, count.to_bytes(4, "little") + said + _NO_DIAGNOSTICS)

        request.connection.beside(work, request)

    async def _carry_out(self, request: Request, i: int, wish: Any, results: list[int]) -> None:
        id, attribute, range, value = wish
        try:
            path, plain = self._admit(request.session, id, attribute, range, value)
            results[i] = await self._desk.write(request, path, plain)
        except Refused as refused:
            results[i] = refused.status

    def _admit(
        self, session: Session, id: str, attribute: int, range: str | None, value: dict[str, Any]
    ) -> tuple[str, Any]:
        """The path and the value of a permitted write. Raises Refused."""
        node = self._space.get(id)
        if node is None:
            raise Refused(code.BadNodeIdUnknown)
        if attribute != VALUE or not isinstance(node, Variable):
            known = attribute == VALUE or node.attribute(attribute, False) is not None
            raise Refused(code.BadNotWritable if known else code.BadAttributeIdInvalid)
        if not node.point.writable:
            raise Refused(code.BadNotWritable)
        if not session.writes:
            raise Refused(code.BadUserAccessDenied)
        if range:
            raise Refused(code.BadWriteNotSupported, "part of an array")
        if value.get("status"):
            raise Refused(code.BadWriteNotSupported, "a status")
        return node.point.path, checked(node, value)

    def _sample(self, id: str, attribute: int, range: str | None, encoding: str, writes: bool) -> Sample:
        node = self._space.get(id)
        if node is None:
            raise Refused(code.BadNodeIdUnknown)
        if attribute != VALUE:
            variant = node.attribute(attribute, writes)
            if variant is None or not 1 <= attribute <= 27:
                raise Refused(code.BadAttributeIdInvalid)
            if range:
                raise Refused(code.BadIndexRangeInvalid)
            return Sample(variant, 0, None, time.time_ns(), float("nan"))
        if encoding and encoding != "Default Binary":
            raise Refused(code.BadDataEncodingUnsupported)
        found = self._value(node)
        return _part(found, range) if range else found

    def _value(self, node: Node) -> Sample:
        if isinstance(node, Variable):
            return self._space.values.sample(node.slot)
        if node.node_class not in {2, 16}:
            raise Refused(code.BadAttributeIdInvalid)
        now = time.time_ns()
        return Sample(node.value() or b"", 0, now, now, float("nan"))


def checked(variable: Variable, value: dict[str, Any]) -> Any:
    """The plain value, when it has the variable's type. Raises Refused."""
    kind = _KINDS[value["type"].removesuffix("[]")] | (ARRAY if value["type"].endswith("[]") else 0)
    wanted = variable.kind
    if value.get("value") is None or (wanted and kind != wanted):
        raise Refused(code.BadTypeMismatch, f"{value['type']} for {type_name(wanted)}")
    return value["value"]


def _part(sample: Sample, range: str) -> Sample:
    limits = parse(range)
    if not sample.variant:
        return sample
    kind, value = Reader(sample.variant).variant()
    try:
        variant = writer.variant(kind, cut(value, limits))
    except writer.Unwritable as error:
        raise Refused(BAD_ENCODING_ERROR, str(error)) from error
    return Sample(variant, sample.status, sample.source, sample.server, float("nan"))


def _counted(body: Reader, most: int) -> int:
    count = body.count(_SMALLEST)
    if count <= 0:
        raise Refused(code.BadNothingToDo)
    if count > most:
        raise Refused(code.BadTooManyOperations, f"{count} of at most {most}")
    return count


def _negative(bits: int) -> bool:
    """Of a double given by its bits: below zero, or no number."""
    return bits < 0 and bits != -(1 << 63)
