"""Values written, each as the node's own type: nothing is wrapped round, nothing is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from weft.connect.api import Write
from weft.connect.opcua.channel import Encoded
from weft.connect.opcua.places import Missing
from weft.connect.opcua.session import Session
from weft.connect.opcua.types import Types
from weft.model import ARRAY, ValueType, instant, quality
from weft.model.values import FLOATS, INTEGERS, RANGES, type_name
from weft.ua import writer
from weft.ua.guard import FAULTS
from weft.ua.stack import NodeId, ua

__all__ = ["Form", "NotThat", "Writing", "encode"]

NODES_AT_ONCE: Final = 500
_VALUE: Final = 13
_LARGEST_FLOAT: Final = 3.4028235677973366e38  # half a step above rounds to infinity


class NotThat(ValueError):
    """A value that the type cannot hold. ``status`` says how."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Form(NamedTuple):
    """How a node wants its value: type, ValueRank (OPC 10000-3, 8.6), ArrayDimensions (0: any)."""

    type: int
    rank: int
    dimensions: tuple[int, ...] = ()


class Writing:
    """Over one session; what the nodes want is asked once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.types = Types(session)
        self._forms: dict[NodeId, Form] = {}

    async def write(self, writes: Sequence[Write]) -> list[int]:
        """One StatusCode each, 0 for done. What cannot be of the node's type is not sent. A line that is lost
        before the answer gives BadTimeout: it may have happened."""
        with self._session.explained():
            places = await self._session.places.find([write.point.address for write in writes])
            status = [place.status if isinstance(place, Missing) else 0 for place in places]
            nodes = {i: place for i, place in enumerate(places) if not isinstance(place, Missing)}
            unknown = await self._learn([node for node in nodes.values() if node not in self._forms])
        bodies: list[tuple[int, bytes]] = []
        for i, node in nodes.items():
            if node in unknown:
                status[i] = unknown[node]
                continue
            try:
                bodies.append((i, _write_value(node, self._forms[node], writes[i].value)))
            except NotThat as error:
                status[i] = error.status
        for start in range(0, len(bodies), NODES_AT_ONCE):
            part = bodies[start : start + NODES_AT_ONCE]
            for (i, _), code in zip(part, await self._send([body for _, body in part]), strict=True):
                status[i] = code
        return status

    async def _learn(self, nodes: Sequence[NodeId]) -> dict[NodeId, int]:
        """Asks for the nodes' types; those that have none, and why (a StatusCode)."""
        ids = ua.AttributeIds
        failed: dict[NodeId, int] = {}
        for start in range(0, len(nodes), NODES_AT_ONCE):
            part = nodes[start : start + NODES_AT_ONCE]
            wanted = [
                (n, a) for n in part for a in (ids.DataType, ids.ValueRank, ids.ArrayDimensions, ids.Value)
            ]
            found = await self._session.read(wanted)
            if len(found) != len(wanted):
                raise ValueError(f"{len(found)} results for {len(wanted)} reads")
            for i, node in enumerate(part):
                kind, rank, shape, value = found[4 * i : 4 * i + 4]
                if kind[0] >= quality.BAD:
                    failed[node] = kind[0]
                    continue
                self._forms[node] = Form(
                    await self.types.built_in(str(kind[2]), value[1] & ~ARRAY),
                    rank[2] if isinstance(rank[2], int) else -1 if not value[1] & ARRAY else 1,
                    tuple(shape[2] or ()) if isinstance(shape[2], list) else (),
                )
        return failed

    async def _send(self, bodies: Sequence[bytes]) -> list[int]:
        parameters = len(bodies).to_bytes(4, "little") + b"".join(bodies)
        try:
            data = await self._session.raw(Encoded(ua.WriteRequest(), parameters))
            answer = struct_from_binary(ua.WriteResponse, ua.utils.Buffer(data))
            answer.ResponseHeader.ServiceResult.check()
            results = [int(result.value) for result in answer.Results]
        except UaStatusCodeError as error:
            return [int(error.code)] * len(bodies)
        except (*FAULTS, OSError):
            return [quality.BAD_TIMEOUT] * len(bodies)
        return results if len(results) == len(bodies) else [quality.BAD_TIMEOUT] * len(bodies)


def encode(form: Form, value: Any) -> bytes:
    """A Variant of this form. Raises NotThat."""
    nested = isinstance(value, (list, tuple))
    if form.rank == -1 and nested:
        raise NotThat("an array where a single value is due", quality.BAD_TYPE_MISMATCH)
    if (form.rank >= 0 or nested) and not (nested or value is None):
        raise NotThat("a single value where an array is due", quality.BAD_TYPE_MISMATCH)
    if nested:
        _check_shape(form, value)
    kind = form.type
    if kind == ValueType.VARIANT:  # the node takes anything: the value says what it is
        kind = kind if _says_type(value) else _natural(value)
    value = _checked(kind, value)
    try:
        if kind == ValueType.VARIANT and not nested:
            return writer.inner(value)
        return writer.variant(kind | ARRAY if nested or form.rank >= 0 else kind, value)
    except writer.Unwritable as error:
        raise NotThat(str(error), quality.BAD_TYPE_MISMATCH) from error


def _write_value(node: NodeId, form: Form, value: Any) -> bytes:
    """A WriteValue (OPC 10000-4, 5.11.4) without times and status: many servers refuse those."""
    head = writer.node(node.to_string()) + _VALUE.to_bytes(4, "little") + writer.text(None)
    return head + b"\x01" + encode(form, value)


def _checked(kind: int, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_checked(kind, element) for element in value]
    if kind == ValueType.BOOLEAN:
        if isinstance(value, bool) or value in (0, 1):
            return bool(value)
        raise NotThat(f"{_short(value)} is not true or false", quality.BAD_TYPE_MISMATCH)
    if kind in INTEGERS or kind == ValueType.STATUSCODE:
        return _whole(kind, value)
    if kind in FLOATS:
        return _number(kind, value)
    if kind == ValueType.DATETIME:
        return _date(value)
    return value


def _whole(kind: int, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1:
        raise NotThat(f"{_short(value)} is not a whole number", quality.BAD_TYPE_MISMATCH)
    low, high = RANGES[kind]
    if not low <= value <= high:
        raise NotThat(
            f"{_short(value)} is outside of {type_name(kind)}, {low} to {high}", quality.BAD_OUT_OF_RANGE
        )
    return int(value)


def _number(kind: int, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise NotThat(f"{_short(value)} is not a number", quality.BAD_TYPE_MISMATCH)
    try:
        number = float(value)
    except OverflowError:
        raise NotThat(f"{_short(value)} is outside of Double", quality.BAD_OUT_OF_RANGE) from None
    if kind == ValueType.FLOAT and _LARGEST_FLOAT <= abs(number) < float("inf"):
        raise NotThat(f"{_short(value)} is outside of Float", quality.BAD_OUT_OF_RANGE)
    return number


def _date(value: Any) -> int:
    """Ticks as they are, or RFC 3339 text."""
    if isinstance(value, str):
        try:
            return instant.to_filetime(instant.parse_instant(value))
        except ValueError as error:
            raise NotThat(str(error), quality.BAD_TYPE_MISMATCH) from error
    return _whole(ValueType.DATETIME, value)


def _check_shape(form: Form, value: Any) -> None:
    depth, at, shape = 0, value, list[int]()
    while isinstance(at, (list, tuple)):
        depth, shape = depth + 1, [*shape, len(at)]
        at = at[0] if at else None
    if form.rank > 0 and depth != form.rank and shape[-1:] != [0]:
        raise NotThat(f"{depth} dimensions where {form.rank} are due", quality.BAD_TYPE_MISMATCH)
    for size, most in zip(shape, form.dimensions, strict=False):
        if most and size > most:
            raise NotThat(f"{size} elements where at most {most} fit", quality.BAD_OUT_OF_RANGE)


def _says_type(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"type", "value"}


def _natural(value: Any) -> int:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    if isinstance(value, bool):
        return ValueType.BOOLEAN
    if isinstance(value, int):
        return ValueType.INT64
    if isinstance(value, float):
        return ValueType.DOUBLE
    if isinstance(value, (bytes, bytearray)):
        return ValueType.BYTESTRING
    return ValueType.EXTENSIONOBJECT if isinstance(value, dict) else ValueType.STRING


def _short(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 60 else said[:57] + "..."
