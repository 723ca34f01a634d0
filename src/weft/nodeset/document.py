"""One NodeSet2 file read: its models, what they need, and its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from weft.nodeset.findings import Finding
from weft.nodeset.node import BASE, Field, Name, Node, Reference, global_id, namespace_of
from weft.runtime import Invalid
from weft.runtime.xml import Element, below, local, parse

__all__ = ["Document", "Model", "Need", "read"]

MOST_NODES: Final = 500_000
MOST_FINDINGS: Final = 1000
_NAMESPACE_ZERO: Final = "i=24"  # BaseDataType: what a variable has that names no type


class Need(msgspec.Struct, frozen=True):
    """A model that another needs; ``version`` and ``published`` are the least (OPC 10000-6, F.5)."""

    uri: str
    version: str = ""
    published: str = ""


class Model(msgspec.Struct, frozen=True):
    uri: str
    version: str = ""
    published: str = ""
    needs: tuple[Need, ...] = ()


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """``nodes`` by id, in the file's order; ``references`` counts them as they are written."""

    what: str
    models: tuple[Model, ...]
    nodes: dict[str, Node]
    references: int
    findings: tuple[Finding, ...] = ()


def read(data: bytes, what: str) -> Document:
    """The document of a file's bytes. What cannot be understood in it is a finding, and the rest goes on.
    Raises Invalid when it is no NodeSet2 at all."""
    root = parse(data, what)
    if local(root.tag) != "UANodeSet":
        raise Invalid(f"{what} is no NodeSet2 file: its root is {local(root.tag)!r}.")
    return _File(root, what).document()


class _File:
    def __init__(self, root: Element, what: str) -> None:
        self._root = root
        self._what = what
        self._uris = [BASE]
        for table in below(root, "NamespaceUris"):
            self._uris += [(uri.text or "").strip() for uri in below(table, "Uri")]
        self._findings: list[Finding] = []
        self._aliases: dict[str, str] = {}
        for table in below(root, "Aliases"):
            for alias in below(table, "Alias"):
                self._aliases[alias.get("Alias", "")] = self._id(alias.text or "", "an alias")

    def document(self) -> Document:
        nodes: dict[str, Node] = {}
        references = 0
        for element in self._root:
            kind = local(element.tag)
            if not kind.startswith("UA") or "NodeId" not in element.attrib:
                continue
            if len(nodes) >= MOST_NODES:
                raise Invalid(f"{self._what} has more than {MOST_NODES:,} nodes.")
            node = self._node(element, kind.removeprefix("UA"))
            if node is None:
                continue
            if node.id in nodes:
                self._report(f"describes {node.id} twice; the first counts.")
                continue
            nodes[node.id] = node
            references += len(node.references)
        return Document(
            what=self._what,
            models=tuple(self._models(nodes)),
            nodes=nodes,
            references=references,
            findings=tuple(self._findings),
        )

    def _models(self, nodes: dict[str, Node]) -> Iterator[Model]:
        """As the file says; else from its namespaces: its own is the first, it needs the others that it uses."""
        said = False
        for table in below(self._root, "Models"):
            for model in below(table, "Model"):
                said = True
                needs = tuple(Need(*_edition(need)) for need in below(model, "RequiredModel"))
                yield Model(*_edition(model), needs)
        if not said:
            own = self._uris[1] if len(self._uris) > 1 else BASE
            used = {namespace_of(r.target) for node in nodes.values() for r in node.references}
            yield Model(own, needs=tuple(Need(uri) for uri in sorted(used - {own, ""})))

    def _node(self, element: Element, kind: str) -> Node | None:
        said = element.get("NodeId", "")
        node = self._id(said, "a node")
        if not node:
            return None
        definition = next(below(element, "Definition"), None)
        option_set = definition is not None and definition.get("IsOptionSet") == "true"
        return Node(
            id=node,
            kind=kind,
            name=self._name(element.get("BrowseName", ""), said),
            text=_text(element, "DisplayName"),
            description=_text(element, "Description"),
            parent=self._id(element.get("ParentNodeId", ""), said) if element.get("ParentNodeId") else "",
            references=tuple(self._references(element, said)),
            data_type=self._id(element.get("DataType") or _NAMESPACE_ZERO, said)
            if kind in ("Variable", "VariableType")
            else "",
            rank=self._number(element.get("ValueRank", "-1"), said, -1),
            dimensions=self._dimensions(element.get("ArrayDimensions", ""), said),
            access=self._number(element.get("AccessLevel", "1"), said, 1),
            abstract=element.get("IsAbstract") in ("true", "1"),
            fields=tuple(self._fields(definition, said)) if definition is not None else (),
            option_set=option_set,
            value=next((value[0] for value in below(element, "Value") if len(value)), None),
        )

    def _references(self, element: Element, said: str) -> Iterator[Reference]:
        for table in below(element, "References"):
            for reference in below(table, "Reference"):
                kind = self._id(reference.get("ReferenceType", ""), said)
                target = self._id(reference.text or "", said)
                if kind and target:
                    yield Reference(kind, target, reference.get("IsForward") not in ("false", "0"))

    def _fields(self, definition: Element, said: str) -> Iterator[Field]:
        for field in below(definition, "Field"):
            value = self._number(field.get("Value", "-1"), said, -1)
            data_type = self._id(field.get("DataType") or _NAMESPACE_ZERO, said)
            name = field.get("Name", "")
            yield Field(name, value, data_type, _text(field, "DisplayName") or name)

    def _id(self, text: str, where: str) -> str:
        """Empty, with a finding, when it is none."""
        text = text.strip()
        known = self._aliases.get(text)
        if known is not None:
            return known
        try:
            return global_id(text, self._uris)
        except ValueError as error:
            self._report(f"{where}: {error}, nor an alias of the file.")
            return ""

    def _name(self, text: str, said: str) -> Name:
        index, colon, rest = text.partition(":")
        if not colon or not index.isdecimal():
            return Name(BASE, text)
        if len(index) > 5 or int(index) >= len(self._uris):
            self._report(f"{said}: the browse name {text!r} counts more namespaces than the file names.")
            return Name(BASE, rest)
        return Name(self._uris[int(index)], rest)

    def _number(self, text: str, said: str, otherwise: int) -> int:
        try:
            return int(text)
        except ValueError:
            self._report(f"{said}: {text[:40]!r} is no whole number.")
            return otherwise

    def _dimensions(self, text: str, said: str) -> tuple[int, ...]:
        return tuple(self._number(size, said, 0) for size in text.split(",") if size.strip())

    def _report(self, message: str) -> None:
        if len(self._findings) < MOST_FINDINGS:
            self._findings.append(Finding(self._what, message))


def _edition(element: Element) -> tuple[str, str, str]:
    return element.get("ModelUri", ""), element.get("Version", ""), element.get("PublicationDate", "")[:10]


def _text(element: Element, name: str) -> str:
    """The English text, or that without a language, or the first; spaces and line ends made one space."""
    found = {text.get("Locale", ""): " ".join((text.text or "").split()) for text in below(element, name)}
    for locale, text in found.items():
        if locale.startswith("en"):
            return text
    return found.get("") or next(iter(found.values()), "")
