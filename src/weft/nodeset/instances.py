"""Objects that a model brings along ready-made, with the nodes of their signals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from weft.nodeset.node import BASE, Name, Node, namespace_of
from weft.nodeset.space import HAS_TYPE_DEFINITION, HIERARCHICAL, Space
from weft.nodeset.types import DEEPEST, Declared, SignalModel, about_only, signal_model

__all__ = ["InstanceModel", "instances"]

_OBJECTS: Final = "i=85"
_SERVER: Final = "i=2253"


class InstanceModel(msgspec.Struct, frozen=True, kw_only=True):
    """``path`` are the browse names from the Objects folder down; a signal's ``node`` is its own."""

    id: str
    name: str
    path: tuple[Name, ...]
    type: str
    type_name: str
    description: str = ""
    signals: tuple[SignalModel, ...] = ()


def instances(space: Space) -> Iterator[InstanceModel]:
    """The outermost objects below the Objects folder whose type is of a companion model. An object that says
    only from its own side where it hangs is found, too."""
    seen = {_OBJECTS, _SERVER}
    level: list[tuple[str, tuple[Name, ...]]] = [(_OBJECTS, ())]
    while level:
        following = []
        for owner, above in level:
            for child in space.forward(owner, HIERARCHICAL):
                node = space.nodes.get(child)
                if node is None or child in seen or node.kind != "Object":
                    continue
                seen.add(child)
                kind = space.one(child, HAS_TYPE_DEFINITION)
                path = (*above, node.name)
                if kind and namespace_of(kind) != BASE:
                    yield _instance(space, node, path, kind)
                else:
                    following.append((child, path))
        level = following


def _instance(space: Space, node: Node, path: tuple[Name, ...], kind: str) -> InstanceModel:
    return InstanceModel(
        id=node.id,
        name=node.name.text,
        path=path,
        type=kind,
        type_name=space.text(kind),
        description=node.description,
        signals=tuple(_signals(space, node.id, (), {node.id})),
    )


def _signals(space: Space, owner: str, above: tuple[Name, ...], seen: set[str]) -> Iterator[SignalModel]:
    for child in space.forward(owner, HIERARCHICAL):
        node = space.nodes.get(child)
        if node is None or child in seen or node.kind not in ("Object", "Variable") or len(above) >= DEEPEST:
            continue
        seen.add(child)
        path = (*above, node.name)
        if about_only(space, owner, node):
            continue
        if node.kind == "Variable":
            yield signal_model(space, Declared(path, node, optional=False, placeholder=False))
        yield from _signals(space, child, path, seen)
