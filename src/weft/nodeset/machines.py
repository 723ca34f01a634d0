"""State machines in models: what the numbers of their states mean (OPC 10000-16, 4.4)."""

from __future__ import annotations

from typing import Final

from weft.nodeset import values
from weft.nodeset.node import BASE, Name
from weft.nodeset.space import HAS_TYPE_DEFINITION, HIERARCHICAL, Space

__all__ = ["NUMBER", "state_numbers"]

NUMBER: Final = (Name(BASE, "CurrentState"), Name(BASE, "Number"))
"""End of the path of the signal that holds the number of the current state."""

_STATE: Final = "i=2307"


def state_numbers(space: Space, kind: str) -> dict[int, str]:
    """Of a type of state machines: the names of its states, and of those it inherits, by StateNumber."""
    found: dict[int, str] = {}
    for layer in reversed(space.chain(kind)):
        for child in space.forward(layer, HIERARCHICAL):
            if child in space.nodes and _STATE in space.chain(space.one(child, HAS_TYPE_DEFINITION)):
                number = space.properties(child).get("StateNumber")
                text = values.text(number.value) if number is not None else ""
                if text.isdecimal() and len(text) < 11:
                    found[int(text)] = space.text(child)
    return dict(sorted(found.items()))
