"""The tags of a Logix-like controller: named memory with types, and what its symbol and template objects say of them.

After "Logix 5000 Controllers Data Access" (1756-PM020): symbol object (class 0x6B), template object (class 0x6C), read
and write tag services. A STRING is a structure of a length and 82 characters there, and so it is here.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

__all__ = ["CODES", "NotThere", "Spot", "Tag", "Tags", "Template"]

CODES: Final = {
    "BOOL": (0xC1, "?"),
    "SINT": (0xC2, "b"),
    "INT": (0xC3, "h"),
    "DINT": (0xC4, "i"),
    "LINT": (0xC5, "q"),
    "USINT": (0xC6, "B"),
    "UINT": (0xC7, "H"),
    "UDINT": (0xC8, "I"),
    "ULINT": (0xC9, "Q"),
    "REAL": (0xCA, "f"),
    "LREAL": (0xCB, "d"),
    "DWORD": (0xD3, "I"),
}
_STRING_SIZE: Final = 88
STRUCTURE: Final = 0x8000
ARRAY_BIT: Final = 0x2000
_BASE_TAG: Final = 1 << 26
_PROGRAM: Final = 0x1068


class NotThere(LookupError):
    """No such tag, member or element."""


class Member(NamedTuple):
    """Of a structure; ``array`` 0 is none."""

    name: str
    type: str
    array: int
    offset: int

    @property
    def code(self) -> int:
        return CODES[self.type][0] | (ARRAY_BIT if self.array else 0)


class Template:
    """A structure's layout, as the template object tells it."""

    def __init__(self, number: int, name: str, members: Sequence[tuple[str, str, int]]) -> None:
        self.number = number
        self.name = name
        self.members: list[Member] = []
        at = 0
        for member, type, array in members:
            size = struct.calcsize(CODES[type][1])
            at += -at % max(size, 4)
            self.members.append(Member(member, type, array, at))
            at += size * (array or 1)
        self.size = at + -at % 4
        self.handle = 0x1000 | number & 0xFFF

    def definition(self) -> bytes:
        """Eight bytes for each member, then the names."""
        heads = b"".join(struct.pack("<HHI", m.array, m.code, m.offset) for m in self.members)
        names = "".join(f"{name}\0" for name in [f"{self.name};n", *(m.name for m in self.members)])
        data = heads + names.encode("ascii")
        return data + bytes(-(len(data) + 21) % 4)

    def attribute(self, number: int) -> bytes | None:
        known = {
            1: struct.pack("<H", self.handle),
            2: struct.pack("<H", len(self.members)),
            4: struct.pack("<I", (len(self.definition()) + 21) // 4),
            5: struct.pack("<I", self.size),
        }
        return known.get(number)


STRING: Final = Template(0xFCE, "ASCIISTRING82", [("LEN", "DINT", 0), ("DATA", "SINT", 82)])


class Tag:
    """Memory with a name. ``type`` is elementary, STRING or a template's name; ``dims`` are an array's sizes."""

    def __init__(self, name: str, type: str, dims: Sequence[int], template: Template | None) -> None:
        self.name = name
        self.type = type
        self.dims = tuple(dims)
        self.template = template
        self.element = template.size if template else struct.calcsize(CODES[type][1])
        self.count = 1
        for size in self.dims:
            self.count *= size
        self.data = bytearray(self.element * self.count)

    @property
    def symbol_type(self) -> int:
        code = STRUCTURE | self.template.number if self.template else CODES[self.type][0]
        return code | len(self.dims) << 13

    def attribute(self, number: int) -> bytes | None:
        """Of the symbol object."""
        dims = [*self.dims, 0, 0, 0][:3]
        known = {
            1: struct.pack("<H", len(self.name)) + self.name.encode("ascii"),
            2: struct.pack("<H", self.symbol_type),
            3: bytes(4),
            5: bytes(4),
            6: struct.pack("<I", _BASE_TAG),
            7: struct.pack("<H", self.element),
            8: struct.pack("<3I", *dims),
            10: b"\0",
        }
        return known.get(number)


class Program(Tag):
    """A program among the symbols of the controller: it has tags of its own."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "UDINT", (), None)

    @property
    def symbol_type(self) -> int:
        return _PROGRAM


class Spot(NamedTuple):
    """Where a path leads: ``left`` elements of ``size`` bytes from ``offset`` of the tag's memory."""

    tag: Tag
    offset: int
    type: str
    template: Template | None
    size: int
    left: int

    @property
    def head(self) -> bytes:
        """How a read answer names the type."""
        if self.template is not None:
            return struct.pack("<HH", 0x02A0, self.template.handle)
        return struct.pack("<H", CODES[self.type][0])


class Tags:
    """All tags, by scope: the empty one is the controller's, others are ``Program:Name``."""

    def __init__(self) -> None:
        self.scopes: dict[str, dict[int, Tag]] = {"": {}}
        self.templates: dict[int, Template] = {STRING.number: STRING}
        self._names: dict[tuple[str, str], Tag] = {}

    def structure(self, name: str, members: Sequence[tuple[str, str, int]]) -> Template:
        """A structure of elementary members ``(name, type, array size or 0)``."""
        template = Template(0x100 + len(self.templates), name, members)
        self.templates[template.number] = template
        return template

    def add(
        self, name: str, type: str, value: Any = None, dims: Sequence[int] = (), program: str = ""
    ) -> Tag:
        """``type`` is elementary, STRING or a structure's name. A program is made with its first tag."""
        scope = f"Program:{program}" if program else ""
        if scope not in self.scopes:
            self.scopes[scope] = {}
            symbols = self.scopes[""]
            symbols[len(symbols) + 1] = Program(scope)
        template = STRING if type == "STRING" else self._template(type)
        tag = Tag(name, type, dims, template)
        symbols = self.scopes[scope]
        symbols[len(symbols) + 1] = tag
        self._names[scope.lower(), name.lower()] = tag
        if value is not None:
            self.set(tag, value)
        return tag

    def get(self, tag: Tag) -> Any:
        """The value as Python knows it; of a structure its bytes."""
        if tag.type == "STRING" and not tag.dims:
            size = int.from_bytes(tag.data[:4], "little")
            return bytes(tag.data[4 : 4 + size]).decode("latin-1")
        if tag.template is not None:
            return bytes(tag.data)
        values = list(struct.unpack(f"<{tag.count}{CODES[tag.type][1]}", tag.data))
        return values if tag.dims else values[0]

    def set(self, tag: Tag, value: Any) -> None:
        if tag.type == "STRING" and isinstance(value, str):
            text = value.encode("latin-1")[:82]
            tag.data[:] = struct.pack("<I", len(text)) + text.ljust(_STRING_SIZE - 4, b"\0")
        elif tag.template is not None:
            tag.data[:] = value
        else:
            values = value if tag.dims else [value]
            tag.data[:] = struct.pack(f"<{tag.count}{CODES[tag.type][1]}", *values)

    def symbol(self, scope: str, number: int) -> Tag:
        """Raises NotThere."""
        tag = self.scopes.get(scope, {}).get(number)
        if tag is None:
            raise NotThere(f"symbol {number}")
        return tag

    def find(self, parts: Sequence[str | int]) -> Spot:
        """By names and indices, the program first where there is one. Raises NotThere."""
        rest = list(parts)
        scope = ""
        if rest and isinstance(rest[0], str) and rest[0].lower().startswith("program:"):
            scope = str(rest.pop(0))
        name = rest.pop(0) if rest else ""
        tag = self._names.get((scope.lower(), str(name).lower()))
        if tag is None:
            raise NotThere(str(name))
        return self.within(tag, rest)

    def within(self, tag: Tag, rest: Sequence[str | int]) -> Spot:
        """A part of a tag. Raises NotThere."""
        parts = list(rest)
        indices = _indices(parts)
        offset, left = _element(tag.dims, indices)
        spot = Spot(tag, offset * tag.element, tag.type, tag.template, tag.element, left)
        while parts:
            name = str(parts.pop(0)).lower()
            member = next(
                (m for m in (spot.template.members if spot.template else ()) if m.name.lower() == name), None
            )
            if member is None:
                raise NotThere(name)
            size = struct.calcsize(CODES[member.type][1])
            indices = _indices(parts)
            index, left = _element((member.array,) if member.array else (), indices)
            spot = Spot(tag, spot.offset + member.offset + index * size, member.type, None, size, left)
        return spot

    def _template(self, name: str) -> Template | None:
        if name in CODES:
            return None
        return next(template for template in self.templates.values() if template.name == name)


def _indices(parts: list[str | int]) -> list[int]:
    """Takes the indices off the front."""
    found: list[int] = []
    while parts and isinstance(parts[0], int):
        found.append(int(parts.pop(0)))
    return found


def _element(dims: Sequence[int], indices: Sequence[int]) -> tuple[int, int]:
    """The number of the element, and how many there are from it on. Raises NotThere."""
    if len(indices) > len(dims) or any(i >= size for i, size in zip(indices, dims, strict=False)):
        raise NotThere(f"element {list(indices)}")
    total = number = 1
    for size in dims:
        total *= size
    number = 0
    for place, size in enumerate(dims):
        number = number * size + (indices[place] if place < len(indices) else 0)
    return number, total - number
