"""All nodes of the models together, and how they hang together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from weft.model import ValueType
from weft.nodeset import standard, values
from weft.nodeset.document import Document
from weft.nodeset.findings import Finding
from weft.nodeset.node import BASE, Node, namespace_of
from weft.nodeset.order import ordered

__all__ = ["Space"]

HIERARCHICAL: Final = "i=33"
HAS_DICTIONARY_ENTRY: Final = "i=17597"
HAS_INTERFACE: Final = "i=17603"
HAS_MODELLING_RULE: Final = "i=37"
HAS_PROPERTY: Final = "i=46"
HAS_SUBTYPE: Final = "i=45"
HAS_TYPE_DEFINITION: Final = "i=40"
_ENUMERATION: Final = "i=29"
_STRUCTURE: Final = "i=22"
_NO_BASE: Final = (
    "not among the files; what types inherit from it (state machines, alarms) is left out: "
    "add Opc.Ua.NodeSet2.xml."
)
_LONGEST_CHAIN: Final = 100
_BUILT_IN: Final = {f"i={kind.value}": kind for kind in ValueType if kind not in (ValueType.NULL, 24)}


class Space:
    """``nodes`` by id, of all ``documents``, each after those it needs. ``findings`` says what is missing."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents, findings = ordered(documents)
        self.findings = [finding for document in self.documents for finding in document.findings] + findings
        self.nodes: dict[str, Node] = {}
        if not any(model.uri == BASE for document in self.documents for model in document.models):
            self.nodes.update(standard.nodes())
            self.findings.append(Finding(BASE, _NO_BASE, mild=True))
        for document in self.documents:
            for node in document.nodes.values():
                self.nodes.setdefault(node.id, node)
        self._links: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)
        self._back: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)
        for node in self.nodes.values():
            for kind, target, forward in node.references:
                source, end = (node.id, target) if forward else (target, node.id)
                self._links[source][kind, end] = None
                self._back[end][kind, source] = None
        self.findings += self._unresolved()

    def _unresolved(self) -> Iterator[Finding]:
        """By file and namespace: targets that nobody describes. Those in OPC UA's own are known by number."""
        with_base = any(model.uri == BASE for document in self.documents for model in document.models)
        for document in self.documents:
            lost: Counter[str] = Counter()
            for target in {t for n in document.nodes.values() for t in self._needed(n)}:
                if target not in self.nodes and (with_base or namespace_of(target) != BASE):
                    lost[namespace_of(target)] += 1
            for uri, count in sorted(lost.items()):
                yield Finding(
                    document.what, f"refers to {count} node(s) of {uri} that none of the files has."
                )

    @staticmethod
    def _needed(node: Node) -> Iterator[str]:
        for kind, target, _ in node.references:
            yield kind
            yield target
        if node.data_type:
            yield node.data_type
        yield from (field.data_type for field in node.fields)

    def forward(self, node: str, kind: str) -> list[str]:
        """Ends of the references of that type or a subtype of it, in the order of the files."""
        kinds = self.with_subtypes(kind)
        return [end for link, end in self._links.get(node, ()) if link in kinds]

    def backward(self, node: str, kind: str) -> list[str]:
        kinds = self.with_subtypes(kind)
        return [start for link, start in self._back.get(node, ()) if link in kinds]

    def with_subtypes(self, kind: str) -> frozenset[str]:
        found = self._subtypes.get(kind)
        if found is None:
            todo, seen = [kind], {kind}
            while todo:
                for link, end in self._links.get(todo.pop(), ()):
                    if link == HAS_SUBTYPE and end not in seen:
                        seen.add(end)
                        todo.append(end)
            found = self._subtypes[kind] = frozenset(seen)
        return found

    @cached_property
    def _subtypes(self) -> dict[str, frozenset[str]]:
        return {}

    def chain(self, kind: str) -> list[str]:
        """The type and its supertypes, as far as they are known, from itself up."""
        chain = [kind]
        while len(chain) < _LONGEST_CHAIN:
            above = [s for link, s in self._back.get(chain[-1], ()) if link == HAS_SUBTYPE and s not in chain]
            if not above:
                break
            chain.append(above[0])
        return chain

    def one(self, node: str, kind: str) -> str:
        """The end of its first such reference, empty without."""
        return next(iter(self.forward(node, kind)), "")

    def properties(self, node: str) -> dict[str, Node]:
        """By name, its own only."""
        found = (self.nodes.get(end) for end in self.forward(node, HAS_PROPERTY))
        return {property.name.text: property for property in found if property is not None}

    def value_type(self, data_type: str) -> ValueType | None:
        """The built-in type that carries it; None for abstract ones (BaseDataType, Number, Integer)."""
        for kind in self.chain(data_type):
            if kind == _ENUMERATION:
                return ValueType.INT32
            if kind in _BUILT_IN:
                return _BUILT_IN[kind]
        return None

    def states(self, data_type: str) -> dict[int, str]:
        """Of an enumeration: names by number (OPC 10000-3, 5.8.2), else empty."""
        node = self.nodes.get(data_type)
        if node is None or node.option_set or _ENUMERATION not in self.chain(data_type):
            return {}
        properties = self.properties(data_type)
        if "EnumValues" in properties:
            found = values.enum_values(properties["EnumValues"].value)
        elif "EnumStrings" in properties:
            found = values.enum_strings(properties["EnumStrings"].value)
        else:
            found = {}
        return found or {field.value: field.text for field in node.fields if field.text}

    def text(self, node: str) -> str:
        """The name of a node for people."""
        found = self.nodes.get(node)
        return (found.name.text or found.text) if found is not None else node
