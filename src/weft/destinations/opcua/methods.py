"""Call (OPC 10000-4, 5.11): WriteWithReason, which goes the way of every command."""

from __future__ import annotations

from typing import Any, Final

import anyio

from weft.destinations.opcua.attributes import checked
from weft.destinations.opcua.codes import Refused, code
from weft.destinations.opcua.desk import Desk
from weft.destinations.opcua.nodes import Method
from weft.destinations.opcua.request import Request
from weft.destinations.opcua.space import OBJECTS, Space, id_of
from weft.model import ValueType
from weft.model.values import type_name
from weft.ua.stack import ua
from weft.ua.variant import BadEncoding, Reader

__all__ = ["Methods"]

_CALL: Final = int(ua.ObjectIds.CallResponse_Encoding_DefaultBinary)
_MOST: Final = 100
_MOST_ARGUMENTS: Final = 100
_NOTHING: Final = b"\xff\xff\xff\xff"
_STRING: Final = ValueType.STRING

_Call = tuple[str, str, list[tuple[int, Any]]]


class Methods:
    def __init__(self, space: Space, desk: Desk) -> None:
        self._space = space
        self._desk = desk

    def call(self, request: Request) -> None:
        try:
            calls = _calls(request.body)
        except BadEncoding as error:
            raise Refused(code.BadDecodingError, str(error)) from error

        async def work(request: Request) -> None:
            results = [b""] * len(calls)
            async with anyio.create_task_group() as group:
                for i, one in enumerate(calls):
                    group.start_soon(self._one, request, i, one, results)
            request.answer_raw(_CALL, len(calls).to_bytes(4, "little") + b"".join(results) + _NOTHING)

        request.connection.beside(work, request)

    async def _one(self, request: Request, i: int, call: _Call, results: list[bytes]) -> None:
        inputs = [0] * len(call[2])
        try:
            status = await self._carry_out(request, call, inputs)
        except Refused as refused:
            status = refused.status
        results[i] = _result(status, inputs)

    async def _carry_out(self, request: Request, call: _Call, inputs: list[int]) -> int:
        owner, id, arguments = call
        above, method = self._space.get(owner), self._space.get(id)
        if above is None:
            raise Refused(code.BadNodeIdUnknown)
        if not isinstance(method, Method) or id not in above.children:
            raise Refused(code.BadMethodInvalid)
        if not request.session.writes:
            raise Refused(code.BadUserAccessDenied)
        path, value, reason = _three(arguments, inputs)
        site = "" if owner == OBJECTS else owner.removeprefix(id_of("")) + "/"
        variable = self._space.variable(path)
        if variable is None or not path.startswith(site):
            inputs[0] = int(code.BadNodeIdUnknown)
            raise Refused(code.BadInvalidArgument)
        if not variable.point.writable:
            inputs[0] = int(code.BadNotWritable)
            raise Refused(code.BadInvalidArgument)
        try:
            plain = checked(variable, {"type": type_name(value[0]), "value": value[1]})
        except Refused as refused:
            inputs[1] = refused.status
            raise Refused(code.BadInvalidArgument) from refused
        return await self._desk.write(request, path, plain, reason)


def _three(arguments: list[tuple[int, Any]], inputs: list[int]) -> tuple[str, tuple[int, Any], str]:
    """Path, value and reason. Raises Refused."""
    if len(arguments) < 3:
        raise Refused(code.BadArgumentsMissing)
    if len(arguments) > 3:
        raise Refused(code.BadTooManyArguments)
    for i in (0, 2):
        if arguments[i][0] != _STRING or not isinstance(arguments[i][1], str):
            inputs[i] = int(code.BadTypeMismatch)
            raise Refused(code.BadInvalidArgument)
    return arguments[0][1], arguments[1], arguments[2][1]


def _calls(body: Reader) -> list[_Call]:
    count = body.count(8)
    if count <= 0:
        raise Refused(code.BadNothingToDo)
    if count > _MOST:
        raise Refused(code.BadTooManyOperations)
    return [(body.node(), body.node(), _arguments(body)) for _ in range(count)]


def _arguments(body: Reader) -> list[tuple[int, Any]]:
    count = body.count()
    if count > _MOST_ARGUMENTS:
        raise Refused(code.BadTooManyArguments)
    return [body.variant() for _ in range(count)]


def _result(status: int, inputs: list[int]) -> bytes:
    """A CallMethodResult without output."""
    each = b"".join(one.to_bytes(4, "little") for one in inputs)
    return status.to_bytes(4, "little") + len(inputs).to_bytes(4, "little") + each + _NOTHING + b"\0\0\0\0"
