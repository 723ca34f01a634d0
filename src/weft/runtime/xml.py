"""XML from others, read with the standard library and without its traps.

A document type definition is refused, and with it every entity of its own (billion laughs) and every external
one. Size is bounded by the caller, who has the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

from weft.runtime.errors import Invalid

__all__ = ["Element", "below", "local", "namespace", "parse"]

Element = ET.Element

DEEPEST: Final = 200


def parse(data: bytes, what: str, *, most: int = 256 << 20) -> Element:
    """The root element. Raises Invalid, naming ``what`` and the place, for text that is no XML, is larger than
    ``most`` bytes, nests deeper than 200 or brings a document type."""
    if len(data) > most:
        raise Invalid(f"{what} has {len(data):,} bytes; at most {most:,} are read.")
    builder = ET.TreeBuilder()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise Invalid(f"{what} nests deeper than {DEEPEST} elements.")
        builder.start(_name(tag), {_name(key): value for key, value in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_name(tag))

    def doctype(*_: object) -> None:
        raise Invalid(f"{what} brings a document type definition, which is not read.")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise Invalid(f"{what} is no XML: {reason} in line {error.lineno}, column {error.offset}.") from error
    return builder.close()


def _name(expanded: str) -> str:
    return "{" + expanded if "}" in expanded else expanded


def local(tag: str) -> str:
    """The name without its namespace."""
    return tag.rpartition("}")[2]


def namespace(tag: str) -> str:
    """The namespace of a tag, empty for none."""
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""


def below(element: Element, name: str) -> Iterator[Element]:
    """The children with this local name, whatever their namespace."""
    return (child for child in element if local(child.tag) == name)
