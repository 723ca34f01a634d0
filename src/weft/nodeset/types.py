"""Object types as templates: every signal that an object of the type has, inherited ones included
(instance declarations, OPC 10000-3, 6.2 to 6.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

import msgspec

from weft.model import Limits, ValueType
from weft.nodeset import values
from weft.nodeset.machines import NUMBER, state_numbers
from weft.nodeset.node import BASE, Name, Node
from weft.nodeset.space import (
    HAS_DICTIONARY_ENTRY,
    HAS_INTERFACE,
    HAS_MODELLING_RULE,
    HAS_TYPE_DEFINITION,
    HIERARCHICAL,
    Space,
)
from weft.runtime.xml import Element

__all__ = ["Declared", "SignalModel", "TypeModel", "about_only", "signal_model", "type_model", "types"]

DEEPEST: Final = 12
MOST_SIGNALS: Final = 20_000
_RULES: Final = {
    "i=78": "mandatory",
    "i=80": "optional",
    "i=83": "optional",
    "i=11508": "optional placeholder",
    "i=11510": "mandatory placeholder",
}
_ABOUT: Final = frozenset(
    "EngineeringUnits EURange InstrumentRange EnumStrings EnumValues ValueAsText TrueState FalseState Definition "
    "ValuePrecision InputArguments OutputArguments NodeVersion NamingRule AxisScaleType Title XAxisDefinition "
    "YAxisDefinition ZAxisDefinition OptionSetValues BitMask".split()
)
"""Properties of OPC UA's own namespace that describe a variable, and are no signals of their own."""


class SignalModel(msgspec.Struct, frozen=True, kw_only=True):
    """A variable below the type. ``path`` are the browse names from the object down; in ``rank`` a list is 1.

    ``optional``: an object of the type may lack it. ``placeholder``: a name in angle brackets on its path stands
    for any number of others. ``semantic`` is the dictionary entry (IRDI or URI) where it has one, else the id of
    its declaration. ``type`` None: the type leaves it open."""

    path: tuple[Name, ...]
    node: str
    type: ValueType | None = None
    data_type: str = ""
    rank: int = -1
    dimensions: tuple[int, ...] = ()
    unit: str = ""
    limits: Limits = Limits()
    states: dict[int, str] = {}
    semantic: str = ""
    description: str = ""
    kind: str = ""
    optional: bool = False
    placeholder: bool = False
    is_property: bool = False
    writable: bool = False

    @property
    def address(self) -> str:
        """The browse path as text, from the object down."""
        return "/".join(str(name) for name in self.path)


class TypeModel(msgspec.Struct, frozen=True, kw_only=True):
    """``supertypes`` are ids from the next one up. ``methods`` are browse paths; ``parts`` the objects below,
    path to type name, placeholders among them."""

    id: str
    name: str
    namespace: str
    description: str = ""
    semantic: str = ""
    abstract: bool = False
    supertypes: tuple[str, ...] = ()
    signals: tuple[SignalModel, ...] = ()
    methods: tuple[str, ...] = ()
    parts: dict[str, str] = {}


def types(space: Space) -> Iterator[TypeModel]:
    """All object types of the documents, in their order."""
    declarations = _Declarations(space)
    for document in space.documents:
        for node in document.nodes.values():
            if node.kind == "ObjectType":
                yield _model(space, node, declarations)


def type_model(space: Space, kind: str) -> TypeModel:
    """Raises KeyError for an unknown id."""
    return _model(space, space.nodes[kind], _Declarations(space))


def _model(space: Space, node: Node, declarations: _Declarations) -> TypeModel:
    kind, found = node.id, declarations.of(node.id)
    signals = [signal_model(space, one) for one in found.values() if one.node.kind == "Variable"]
    signals = [_numbered(space, signal, found, kind) for signal in signals]
    return TypeModel(
        id=kind,
        name=node.name.text,
        namespace=node.name.namespace,
        description=node.description,
        semantic=entry(space, kind) or kind,
        abstract=node.abstract,
        supertypes=tuple(space.chain(kind)[1:]),
        signals=tuple(signals),
        methods=tuple(joined(path) for path, one in found.items() if one.node.kind == "Method"),
        parts={
            joined(path): space.text(space.one(one.node.id, HAS_TYPE_DEFINITION))
            for path, one in found.items()
            if one.node.kind == "Object"
        },
    )


def _numbered(space: Space, signal: SignalModel, found: dict[Path, Declared], kind: str) -> SignalModel:
    """With the names of the states where it is the number of a state machine's current one."""
    if signal.path[-2:] != NUMBER:
        return signal
    owner = found.get(signal.path[:-2])
    machine = kind if owner is None else space.one(owner.node.id, HAS_TYPE_DEFINITION)
    return msgspec.structs.replace(signal, states=state_numbers(space, machine))


Path: TypeAlias = "tuple[Name, ...]"


class Declared(NamedTuple):
    path: Path
    node: Node
    optional: bool
    placeholder: bool

    def replaced(self, other: Declared) -> Declared:
        """By one further down the line of types: it may add, and never take a promise back (6.3.3.3)."""
        return other._replace(optional=self.optional and other.optional)


def joined(path: Path) -> str:
    return "/".join(str(name) for name in path)


class _Declarations:
    """Walks down the declarations of types. What stands for any number of objects (a placeholder) is named and
    not opened: those are objects of a type of their own. A type that holds itself is opened once."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._known: dict[str, dict[Path, Declared]] = {}
        self._open: list[str] = []
        self._cut = False

    def of(self, kind: str) -> dict[Path, Declared]:
        """By path from the object down. What is said further down the line of types replaces what is above:
        interfaces first, then the supertypes from the root, then the type itself."""
        if kind in self._known:
            return self._known[kind]
        if kind in self._open or len(self._open) > DEEPEST:
            self._cut = True
            return {}
        was_cut, self._cut = self._cut, False
        self._open.append(kind)
        found: dict[Path, Declared] = {}
        for layer in reversed(self._space.chain(kind)):
            layers = [self.of(interface) for interface in self._space.forward(layer, HAS_INTERFACE)]
            for declared in (*layers, self._below(layer, ())):
                for path, one in declared.items():
                    found[path] = found[path].replaced(one) if path in found else one
        self._open.pop()
        if not self._cut:
            self._known[kind] = found
        self._cut = self._cut or was_cut
        return found

    def _below(self, owner: str, met: tuple[str, ...]) -> dict[Path, Declared]:
        found: dict[Path, Declared] = {}
        for child in self._space.forward(owner, HIERARCHICAL):
            node = self._space.nodes.get(child)
            if node is None or node.kind not in ("Object", "Variable", "Method") or child in met:
                continue
            rule = _RULES.get(self._space.one(child, HAS_MODELLING_RULE))
            if rule is None or about_only(self._space, owner, node):
                continue
            optional, placeholder = not rule.startswith("mandatory"), rule.endswith("placeholder")
            here = (node.name,)
            found[here] = Declared(here, node, optional, placeholder)
            if node.kind == "Method" or (node.kind == "Object" and placeholder) or len(met) >= DEEPEST:
                continue
            for path, inner in self._inside(child, met).items():
                whole = (*here, *path)
                lacks, several = optional or inner.optional, placeholder or inner.placeholder
                found[whole] = Declared(whole, inner.node, lacks, several)
            if len(found) > MOST_SIGNALS:
                break
        return found

    def _inside(self, child: str, met: tuple[str, ...]) -> dict[Path, Declared]:
        kind = self._space.one(child, HAS_TYPE_DEFINITION)
        found = dict(self.of(kind)) if kind else {}
        for interface in self._space.forward(child, HAS_INTERFACE):
            found |= self.of(interface)
        return found | self._below(child, (*met, child))


def about_only(space: Space, owner: str, node: Node) -> bool:
    """Whether a property only describes what it is on."""
    if node.name.namespace != BASE or node.name.text not in _ABOUT:
        return False
    above = space.nodes.get(owner)
    described = above is not None and above.kind in ("Variable", "VariableType", "Method")
    return described or node.name.text == "NodeVersion"


def signal_model(space: Space, declared: Declared) -> SignalModel:
    node = declared.node
    kind = space.one(node.id, HAS_TYPE_DEFINITION)
    about = _about(space, node, kind)
    data_type = node.data_type
    if data_type == "i=24" and kind:
        data_type = next((t.data_type for t in _known(space, kind) if t.data_type != "i=24"), data_type)
    return SignalModel(
        path=declared.path,
        node=node.id,
        type=space.value_type(data_type),
        data_type=data_type,
        rank=node.rank,
        dimensions=node.dimensions,
        unit=values.unit(_value(about, "EngineeringUnits")),
        limits=_limits(about),
        states=_states(space, about, data_type),
        semantic=entry(space, node.id) or node.id,
        description=node.description,
        kind=kind,
        optional=declared.optional,
        placeholder=declared.placeholder,
        is_property=kind == "i=68",
        writable=bool(node.access & 2),
    )


def _known(space: Space, kind: str) -> list[Node]:
    return [space.nodes[one] for one in space.chain(kind) if one in space.nodes]


def _about(space: Space, node: Node, kind: str) -> dict[str, Node]:
    """The describing properties: its own, else those that its type gives a value."""
    found: dict[str, Node] = {}
    for source in (*reversed(space.chain(kind) if kind else []), node.id):
        for name, property in space.properties(source).items():
            if property.value is not None or name not in found:
                found[name] = property
    return found


def _value(about: dict[str, Node], name: str) -> Element | None:
    return about[name].value if name in about else None


def _limits(about: dict[str, Node]) -> Limits:
    """EURange is what is normal (OPC 10000-8, 5.3.2.3): low and high. InstrumentRange is what can be measured."""
    instrument = values.limits(_value(about, "InstrumentRange"))
    normal = values.limits(_value(about, "EURange"))
    fits = (
        normal.minimum is not None
        and normal.maximum is not None
        and (instrument.minimum is None or instrument.minimum <= normal.minimum)
        and (instrument.maximum is None or instrument.maximum >= normal.maximum)
    )
    if not fits:
        return instrument
    return Limits(
        minimum=instrument.minimum, low=normal.minimum, high=normal.maximum, maximum=instrument.maximum
    )


def _states(space: Space, about: dict[str, Node], data_type: str) -> dict[int, str]:
    """Of its own, else of its type's enumeration; of a two-state value its texts for false and true."""
    found = values.enum_values(_value(about, "EnumValues")) or values.enum_strings(
        _value(about, "EnumStrings")
    )
    no, yes = values.text(_value(about, "FalseState")), values.text(_value(about, "TrueState"))
    if not found and no and yes:
        found = {0: no, 1: yes}
    return found or space.states(data_type)


def entry(space: Space, node: str) -> str:
    """The IRDI or URI of its dictionary entry (OPC 10000-19), empty without one."""
    for target in space.forward(node, HAS_DICTIONARY_ENTRY):
        found = space.nodes.get(target)
        if found is not None and not found.name.text.startswith("<"):
            return found.name.text
    return ""
