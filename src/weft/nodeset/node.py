"""What a NodeSet2 file says about one node (OPC 10000-6, Annex F), with every id independent of the file.

An id is ``i=58`` in OPC UA's own namespace, ``nsu=http://…/UA/DI/;i=1001`` in any other: two files that number
their namespaces differently mean the same node by the same text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from weft.runtime.xml import Element

__all__ = ["BASE", "Field", "Name", "Node", "Reference", "global_id", "namespace_of"]

BASE: Final = "http://opcfoundation.org/UA/"
_ID: Final = re.compile(r"(?:ns=(\d{1,5});|nsu=([^;]+);)?([isgb]=.+)", re.DOTALL)


class Name(NamedTuple):
    """A browse name; ``namespace`` is a URI, BASE for OPC UA's own."""

    namespace: str
    text: str

    def __str__(self) -> str:
        """As in a browse path: ``nsu=urn:mill;Load``, plain in OPC UA's namespace."""
        name = re.sub(r"[&/]", r"&\g<0>", self.text)
        if self.namespace == BASE:
            return f"0:{name}" if re.match(r"\d+:|nsu=", name) else name
        return f"nsu={self.namespace.replace('%', '%25').replace(';', '%3B')};{name}"


class Reference(NamedTuple):
    """``forward`` False: from the target to this node."""

    type: str
    target: str
    forward: bool


class Field(NamedTuple):
    """Of a data type's definition. ``value`` is an enumeration's number, else -1."""

    name: str
    value: int
    data_type: str
    text: str


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """``kind`` is the node class: Object, Variable, Method, ObjectType, VariableType, DataType, ReferenceType
    or View. ``rank`` as in OPC 10000-3, 5.6.2: -1 scalar, 1 a list, 2 a matrix, 0 and below -1 any."""

    id: str
    kind: str
    name: Name
    text: str = ""
    description: str = ""
    parent: str = ""
    references: tuple[Reference, ...] = ()
    data_type: str = ""
    rank: int = -1
    dimensions: tuple[int, ...] = ()
    access: int = 1
    abstract: bool = False
    fields: tuple[Field, ...] = ()
    option_set: bool = False
    value: Element | None = None


def global_id(text: str, uris: Sequence[str]) -> str:
    """The id independent of the file, from one that counts in ``uris`` (0 is BASE). Raises ValueError."""
    match = _ID.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no NodeId")
    index, uri, rest = match.groups()
    if uri is None:
        number = int(index or 0)
        if number >= len(uris):
            raise ValueError(f"{text!r}: the file names {len(uris) - 1} namespaces")
        uri = uris[number].replace("%", "%25").replace(";", "%3B")
    return rest if uri == BASE else f"nsu={uri};{rest}"


def namespace_of(node: str) -> str:
    """The URI of an id."""
    if not node.startswith("nsu="):
        return BASE
    return node[4:].partition(";")[0].replace("%3B", ";").replace("%25", "%")
