"""Structures that only a server knows, read by its own description of them (OPC 10000-3, 8.48; 10000-6, 5.2.6 to
5.2.8). Nothing is generated and nothing is run: a description is a table of fields."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from weft.model import ValueType

if TYPE_CHECKING:
    from weft.ua.variant import Reader

__all__ = ["OPTIONAL", "PLAIN", "UNION", "Definition", "Field", "read_structure"]

PLAIN: Final = 0
OPTIONAL: Final = 1
UNION: Final = 2
MOST_FIELDS: Final = 1000


class Field(NamedTuple):
    """``rank`` as ValueRank: -1 a single value, 1 an array, more a matrix. ``inner`` describes a structure within,
    which stands there without a header of its own."""

    name: str
    type: int
    rank: int = -1
    optional: bool = False
    inner: Definition | None = None


class Definition(NamedTuple):
    """``form`` is PLAIN, OPTIONAL (some fields may be absent) or UNION (just one is there)."""

    name: str
    form: int
    fields: tuple[Field, ...]


def read_structure(reader: Reader, definition: Definition, depth: int = 0) -> dict[str, Any]:
    """A table of the fields that are there. Raises BadEncoding."""
    reader.deeper(depth)
    if definition.form == UNION:
        number = reader.u32()
        if not 1 <= number <= len(definition.fields):
            return {}
        field = definition.fields[number - 1]
        return {field.name: _field(reader, field, depth)}
    present = reader.u32() if definition.form == OPTIONAL else 0
    found, bit = {}, 1
    for field in definition.fields:
        if field.optional:
            there, bit = present & bit, bit << 1
            if not there:
                continue
        found[field.name] = _field(reader, field, depth)
    return found


def _field(reader: Reader, field: Field, depth: int) -> Any:
    if field.rank > 1:
        return _matrix(reader, field, depth)
    if field.rank >= 0:
        if field.inner is None:
            return reader.values(field.type, depth + 1)
        n = reader.count()
        return None if n < 0 else [read_structure(reader, field.inner, depth + 1) for _ in range(n)]
    return _one(reader, field, depth)


def _matrix(reader: Reader, field: Field, depth: int) -> Any:
    """Its dimensions, then the values (5.2.5)."""
    dimensions = [reader.i32() for _ in range(reader.count(4))]
    n = prod(dimensions) if dimensions and min(dimensions) >= 0 else 0
    reader.room(n)
    return reader.shaped([_one(reader, field, depth) for _ in range(n)], dimensions)


def _one(reader: Reader, field: Field, depth: int) -> Any:
    if field.inner is not None:
        return read_structure(reader, field.inner, depth + 1)
    if field.type == ValueType.NULL:
        return None
    return reader.value(field.type, depth + 1)
