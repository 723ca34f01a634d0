"""A rule: looks at a recording and says of each place where a statement applies whether it is kept there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from weft.sparkplug.tck.view import View

__all__ = ["Looks", "Rule", "Rules"]

Looks: TypeAlias = Iterator[tuple[bool, str]]
Rule: TypeAlias = Callable[[View], Looks]


class Rules:
    """The rules of a module by the ids of the statements that they check; the same statement has several ids."""

    def __init__(self) -> None:
        self.found: dict[str, Rule] = {}

    def __call__(self, *ids: str) -> Callable[[Rule], Rule]:
        def take(rule: Rule) -> Rule:
            for name in " ".join(ids).split():
                self.add(name, rule)
            return rule

        return take

    def add(self, name: str, rule: Rule) -> None:
        """Raises ValueError for an id that has a rule."""
        if f"tck-id-{name}" in self.found:
            raise ValueError(name)
        self.found[f"tck-id-{name}"] = rule
