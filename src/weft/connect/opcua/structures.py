"""The server's own structures: their descriptions, asked for when the first value of each comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from asyncua.ua.uaerrors import UaStatusCodeError

from weft.connect.opcua.types import Types, above
from weft.model import ValueType
from weft.runtime import get_logger
from weft.ua.definition import MOST_FIELDS, OPTIONAL, PLAIN, UNION, Definition, Field
from weft.ua.stack import NodeId, ua

if TYPE_CHECKING:
    from weft.connect.opcua.session import Session

__all__ = ["Structures"]

log = get_logger(__name__)

DEEPEST: Final = 20
MOST_KNOWN: Final = 10_000
_FORMS: Final = {
    0: PLAIN,
    1: OPTIONAL,
    2: UNION,
}  # StructureType (OPC 10000-3, 8.49); others keep their bytes
_Read = TypeVar("_Read")


class Structures:
    """``known`` is by the NodeId of the binary encoding; None where the server gives no description."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._types = Types(session)
        self._defined: dict[str, Definition | None] = {}  # by data type
        self.known: dict[str, Definition | None] = {}
        self._asking = anyio.Lock()

    async def learn(self, encodings: set[str]) -> None:
        """Asks for these and empties the set."""
        # One at a time: what another has begun to describe would pass for what cannot be described.
        async with self._asking:
            for encoding in list(encodings):
                if encoding not in self.known and len(self.known) < MOST_KNOWN:
                    self.known[encoding] = await self._learn(encoding)
        encodings.clear()

    async def reading(self, read: Callable[[Mapping[str, Definition | None], set[str]], _Read]) -> _Read:
        """What ``read`` gives, once more when it met structures that could be learnt."""
        strange: set[str] = set()
        found = read(self.known, strange)
        if not strange:
            return found
        await self.learn(strange)
        return read(self.known, strange)

    async def _learn(self, encoding: str) -> Definition | None:
        try:
            data_type = await self._type_of(self._session.node(encoding))
            return await self._define(data_type, 0) if data_type is not None else None
        except (UaStatusCodeError, LookupError, ValueError, TypeError) as error:
            log.info("a structure without a description", encoding=encoding, because=str(error)[:120])
            return None

    async def _type_of(self, encoding: NodeId) -> str | None:
        found = await above(self._session, encoding, ua.ObjectIds.HasEncoding)
        return None if found is None else str(found.to_string())

    async def _define(self, data_type: str, depth: int) -> Definition | None:
        """Of a data type; a structure that holds itself, or what cannot be described, is None."""
        if data_type in self._defined or depth > DEEPEST:
            return self._defined.get(data_type)
        self._defined[data_type] = None
        node, ids = self._session.node(data_type), ua.AttributeIds
        name, told = await self._session.read([(node, ids.BrowseName), (node, ids.DataTypeDefinition)])
        body = told[2].get("body") if isinstance(told[2], dict) else None
        if not isinstance(body, dict) or body.get("StructureType") not in _FORMS:
            return None
        fields = []
        for told_field in (body.get("Fields") or [])[:MOST_FIELDS]:
            field = await self._field(told_field, depth)
            if field is None:
                return None
            fields.append(field)
        title = str(name[2] or data_type).partition(":")
        definition = Definition(title[2] or title[0], _FORMS[body["StructureType"]], tuple(fields))
        self._defined[data_type] = definition
        return definition

    async def _field(self, told: dict[str, Any], depth: int) -> Field | None:
        data_type = str(told["DataType"])
        kind = await self._types.built_in(data_type)
        inner = None
        if kind == ValueType.EXTENSIONOBJECT and data_type != "i=22":
            inner = await self._define(data_type, depth + 1)
            if inner is None:
                return None
        name, rank = str(told["Name"]), int(told["ValueRank"])
        return Field(name, kind, rank, bool(told.get("IsOptional")), inner)
