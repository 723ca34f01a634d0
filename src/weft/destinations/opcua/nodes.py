"""Nodes of the address space. Each answers for its attributes in binary when it is asked; nothing is kept that
can be said again, so that a hundred thousand signals fit into a small process."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from asyncua.ua.ua_binary import to_binary

from weft.model import ARRAY, ValueType
from weft.ua import writer
from weft.ua.guard import FAULTS
from weft.ua.stack import ua

__all__ = [
    "HAS_COMPONENT",
    "HAS_PROPERTY",
    "ORGANIZES",
    "Method",
    "Node",
    "Object",
    "Property",
    "Reference",
    "Standard",
]

ORGANIZES: Final = 35
HAS_TYPE: Final = 40
HAS_PROPERTY: Final = 46
HAS_COMPONENT: Final = 47

FOLDER_TYPE: Final = "i=61"
PROPERTY_TYPE: Final = "i=68"

OBJECT: Final = 1
VARIABLE: Final = 2
METHOD: Final = 4

VALUE: Final = 13  # attribute ids: OPC 10000-6, A.1


class Reference(NamedTuple):
    """``kind`` is the reference type's number in namespace 0, ``target`` the other node's id."""

    kind: int
    forward: bool
    target: str


class Node:
    """A node of ours. ``children`` are its forward references by target, in order."""

    node_class = OBJECT
    type_definition = ""

    def __init__(self, id: str, name: str, description: str = "") -> None:
        self.id = id
        self.name = name
        self.description = description
        self.parent: Reference | None = None
        self.children: dict[str, Reference] = {}

    @property
    def browse_name(self) -> bytes:
        return (2).to_bytes(2, "little") + writer.text(self.name)

    @property
    def display_name(self) -> bytes:
        return writer.localized_text({"text": self.name})

    def references(self) -> list[Reference]:
        found = [*self.children.values()]
        if self.parent is not None:
            found.append(self.parent)
        if self.type_definition:
            found.append(Reference(HAS_TYPE, True, self.type_definition))
        return found

    def attribute(self, number: int, writes: bool) -> bytes | None:
        """The Variant of an attribute other than Value for somebody who may write or not; None: it has none."""
        form = _COMMON.get(number)
        return form(self) if form is not None else self._own(number, writes)

    def value(self) -> bytes | None:
        """The Variant of the Value of a node that has a fixed one."""
        return None

    def _own(self, number: int, writes: bool) -> bytes | None:
        return writer.variant(ValueType.BYTE, 0) if number == 12 and self.node_class == OBJECT else None


_COMMON: Final[dict[int, Any]] = {
    1: lambda node: b"\x11" + writer.node(node.id),
    2: lambda node: writer.variant(ValueType.INT32, node.node_class),
    3: lambda node: b"\x14" + node.browse_name,
    4: lambda node: b"\x15" + node.display_name,
    5: lambda node: b"\x15" + writer.localized_text({"text": node.description} if node.description else {}),
    6: lambda _: writer.variant(ValueType.UINT32, 0),
    7: lambda _: writer.variant(ValueType.UINT32, 0),
}


class Object(Node):
    type_definition = FOLDER_TYPE


class Property(Node):
    """A property with a fixed value; its name is the standard's, in namespace 0. ``kind`` may have ARRAY."""

    node_class = VARIABLE
    type_definition = PROPERTY_TYPE

    def __init__(self, owner: str, name: str, kind: int, value: Any, data_type: int = 0) -> None:
        super().__init__(f"{owner}#{name}", name)
        self._kind = kind
        self._value = value
        self._data_type = data_type or kind & ~ARRAY
        self.parent = Reference(HAS_PROPERTY, False, owner)

    @property
    def browse_name(self) -> bytes:
        return b"\0\0" + writer.text(self.name)

    def value(self) -> bytes | None:
        return writer.variant(self._kind, self._value)

    def _own(self, number: int, writes: bool) -> bytes | None:
        array = bool(self._kind & ARRAY)
        return variable_attribute(number, self._data_type, 1 if array else -1, 1, 1)


class Method(Node):
    node_class = METHOD

    def _own(self, number: int, writes: bool) -> bytes | None:
        if number == 21:
            return writer.variant(ValueType.BOOLEAN, True)
        return writer.variant(ValueType.BOOLEAN, writes) if number == 22 else None


def variable_attribute(number: int, data_type: int, rank: int, access: int, mine: int) -> bytes | None:
    """The attributes that variables have besides the common ones and Value (OPC 10000-3, 5.6.2)."""
    if number == 14:
        return b"\x11" + writer.node(f"i={data_type}")
    if number == 15:
        return writer.variant(ValueType.INT32, rank)
    if number == 16:
        return None if rank < 1 else writer.variant(ValueType.UINT32 | ARRAY, [0] * rank)
    if number in {17, 18}:
        return writer.variant(ValueType.BYTE, access if number == 17 else mine)
    if number == 19:
        return writer.variant(ValueType.DOUBLE, 0.0)
    return writer.variant(ValueType.BOOLEAN, False) if number == 20 else None


class Standard(Node):
    """A node of the standard's own address space, kept by asyncua."""

    def __init__(self, id: str, data: Any, space: Any) -> None:
        super().__init__(id, "")
        self._data = data
        self._space = space
        self.node_class = int(self._read(2).Value)
        self.type_definition = next(
            (ref.NodeId.to_string() for ref in data.references if _kind(ref) == HAS_TYPE and ref.IsForward),
            "",
        )

    @property
    def browse_name(self) -> bytes:
        name = self._read(3).Value
        return int(name.NamespaceIndex).to_bytes(2, "little") + writer.text(name.Name)

    @property
    def display_name(self) -> bytes:
        words = self._read(4).Value
        return writer.localized_text({"locale": words.Locale, "text": words.Text})

    def references(self) -> list[Reference]:
        own = [Reference(_kind(ref), ref.IsForward, ref.NodeId.to_string()) for ref in self._data.references]
        return own + list(self.children.values())

    def attribute(self, number: int, writes: bool) -> bytes | None:
        if number == 18 and number not in self._data.attributes:
            number = 17
        variant = self._read(number)
        if variant is None:
            return _DEFAULTS.get(number)
        return bytes(to_binary(ua.Variant, variant))

    def value(self) -> bytes | None:
        variant = self._read(VALUE)
        try:
            return None if variant is None else bytes(to_binary(ua.Variant, variant))
        except FAULTS:
            return None  # a few of asyncua's own values are not of their type

    def _read(self, number: int) -> Any:
        try:
            attribute = ua.AttributeIds(number)
        except ValueError:
            return None
        found = self._space.read_attribute_value(self._data.nodeid, attribute)
        return found.Value if found.StatusCode is None or found.StatusCode.is_good() else None


_DEFAULTS: Final = {
    6: writer.variant(ValueType.UINT32, 0),
    7: writer.variant(ValueType.UINT32, 0),
}


def _kind(reference: Any) -> int:
    return int(reference.ReferenceTypeId.Identifier)
