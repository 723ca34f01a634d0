"""The data types of one server: what built-in type carries them, and the names of an enumeration's numbers. Each is
asked for once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from weft.connect.opcua.calling import Calls
from weft.connect.opcua.services import FORWARD, INVERSE, Link, Question, encoded, number, text_of
from weft.model import ValueType
from weft.ua import nodes

__all__ = ["DataTypes", "enum_strings", "enum_values"]

DEEPEST: Final = 20
_SUBTYPE: Final = number(45)
_PROPERTY: Final = number(46)
_VALUE: Final = 13
_DEFINITION: Final = 23
_BROWSE_NAME: Final = 3
_ENUMERATION: Final = "i=29"
_OPEN: Final = frozenset({"i=24", "i=26", "i=27", "i=28"})  # abstract: the value's own type decides


class _Known:
    """``above`` is the supertype, empty where there is none."""

    def __init__(self) -> None:
        self.above = ""
        self.states: dict[int, str] = {}


class DataTypes:
    """NodeIds are texts as the server writes them (``ns=3;i=3002``)."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._known: dict[str, _Known] = {}
        self._names: dict[bytes, str] = {}

    async def learn(self, types: Iterable[str]) -> None:
        """What is not known yet of these types and those above them."""
        for _ in range(DEEPEST):
            new = [kind for kind in dict.fromkeys(types) if kind not in self._known and not _built_in(kind)]
            if not new:
                return
            await self._ask(new)
            types = [self._known[kind].above for kind in new if self._known[kind].above]

    async def _ask(self, types: Sequence[str]) -> None:
        space = self._calls.session.namespaces
        asked = [(kind, encoded(nodes.parse(kind), space)) for kind in types]
        questions = [Question(node, INVERSE, _SUBTYPE, 0) for _, node in asked]
        questions += [Question(node, FORWARD, _PROPERTY, 0) for _, node in asked]
        found = await self._calls.browse(questions)
        wanted: list[tuple[bytes, int]] = []
        for (kind, node), up, down in zip(asked, found[: len(asked)], found[len(asked) :], strict=True):
            known = self._known[kind] = _Known()
            if up.links and up.links[0].node:
                known.above = _plain(up.links[0].node)
            wanted.append(_where(node, down.links))
        for kind, (_, _, value) in zip(types, await self._calls.read(wanted), strict=True):
            self._known[kind].states = enum_values(value) or enum_strings(value) or _fields(value)

    def built_in(self, kind: str) -> ValueType | None:
        """None where it is open, or not known."""
        for _ in range(DEEPEST):
            if kind == _ENUMERATION:
                return ValueType.INT32
            if kind in _OPEN:
                return None
            if _built_in(kind):
                return ValueType(int(kind[2:]))
            known = self._known.get(kind)
            if known is None:
                return None
            kind = known.above
        return None

    def states(self, kind: str) -> dict[int, str]:
        """Of an enumeration; those of option sets, whose numbers are bits, are none."""
        known = self._known.get(kind)
        return dict(known.states) if known is not None and known.above == _ENUMERATION else {}

    async def names(self, types: Iterable[bytes]) -> None:
        """Learns what these types are called."""
        new = [node for node in dict.fromkeys(types) if node not in self._names]
        for node, (_, _, name) in zip(
            new, await self._calls.read([(node, _BROWSE_NAME) for node in new]), strict=True
        ):
            self._names[node] = str(name or "").partition(":")[2] or str(name or "")

    def name(self, kind: bytes) -> str:
        return self._names.get(kind) or text_of(kind, self._calls.session.namespaces)


def _where(node: bytes, properties: Sequence[Link]) -> tuple[bytes, int]:
    """Where an enumeration says its names: a property, or its definition (OPC 10000-3, 8.40)."""
    for wanted in ("EnumValues", "EnumStrings"):
        for link in properties:
            if link.name == wanted and link.node:
                return link.node, _VALUE
    return node, _DEFINITION


def _plain(node: bytes) -> str:
    return text_of(node, ())


def _built_in(kind: str) -> bool:
    return kind.startswith("i=") and kind[2:].isdecimal() and 1 <= int(kind[2:]) <= 29


def enum_strings(value: Any) -> dict[int, str]:
    """Of a list of localized texts: their places are the numbers."""
    if not isinstance(value, list):
        return {}
    texts = [one.get("text") if isinstance(one, dict) else None for one in value]
    return {at: str(text) for at, text in enumerate(texts) if text}


def enum_values(value: Any) -> dict[int, str]:
    """Of a list of EnumValueType."""
    if not isinstance(value, list):
        return {}
    bodies = [one.get("body") for one in value if isinstance(one, dict)]
    return {
        int(body["Value"]): _text(body.get("DisplayName")) or str(body["Value"])
        for body in bodies
        if isinstance(body, dict) and isinstance(body.get("Value"), int)
    }


def _fields(value: Any) -> dict[int, str]:
    """Of an EnumDefinition."""
    body = value.get("body") if isinstance(value, dict) else None
    fields = body.get("Fields") if isinstance(body, dict) else None
    return {
        int(field["Value"]): _text(field.get("DisplayName")) or str(field.get("Name") or field["Value"])
        for field in fields or []
        if isinstance(field, dict) and isinstance(field.get("Value"), int)
    }


def _text(localized: Any) -> str:
    return str(localized.get("text") or "") if isinstance(localized, dict) else ""
