"""The expressions of a plant: what stands in their braces is found, and nothing is computed from itself.

``{name}`` is a signal of the same asset, or a parameter of it; ``{../name}`` and ``{./unit/name}`` go from the
asset; anything else with a ``/`` is a path below the site, or a full one.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from weft.catalog.findings import Report, nearest
from weft.catalog.folder import Place
from weft.model import Signal
from weft.model.expression import BadExpression, parse

__all__ = ["Formula", "Formulas"]

MOST_SEARCHED = 5_000  # names that are compared with a misspelt one


class Formula(msgspec.Struct, frozen=True):
    """An expression as it is written: at ``place``, relative to ``asset``, with ``parameters`` for its names."""

    text: str
    place: Place
    asset: str
    parameters: Mapping[str, Any] = {}


class Formulas:
    """Resolves expressions against what is described. ``paths`` may hold more than ``signals``: those that are
    described but wrong are no second finding. ``quiet``: a file could not be read, so nothing is missing for sure."""

    def __init__(
        self, site: str, signals: Mapping[str, Signal], paths: Iterable[str], findings: Report, *, quiet: bool
    ) -> None:
        self._site = site
        self._signals = signals
        self._paths = frozenset(paths)
        self._findings = findings
        self._quiet = quiet
        self._below: dict[str, list[str]] = {}
        for path in self._paths:
            asset, _, name = path.rpartition("/")
            self._below.setdefault(asset, []).append(name)

    def resolved(self, formula: Formula) -> str:
        """The expression with full paths in its braces. What is wrong with it is a finding."""
        try:
            expression = parse(formula.text)
        except BadExpression as error:
            self._findings.error(formula.place, f"{error.message} Column {error.column}.", error.remedy)
            return formula.text
        names: dict[str, str] = {}
        literals: dict[str, str] = {}
        for reference in expression.signals:
            found = self.path(reference, formula.asset)
            literal = self._literal(reference, formula) if found is None else None
            if found is not None:
                names[reference] = found
            elif literal is not None:
                literals[reference] = literal
            else:
                self._missing(reference, formula)
        text = expression.renamed(names, literals)
        try:
            parse(text)
        except BadExpression as error:
            self._findings.error(formula.place, f"With full paths: {error.message}", error.remedy)
        return text

    def path(self, reference: str, asset: str) -> str | None:
        """The full path that a reference means; None when there is no such signal."""
        if "/" not in reference:
            candidates = [f"{asset}/{reference}"]
        elif reference.startswith(("./", "../")):
            candidates = [posixpath.normpath(posixpath.join(asset, reference))]
        else:
            candidates = [f"{self._site}/{reference}", reference]
        return next((path for path in candidates if path in self._paths), None)

    def check_cycles(self, derived: Mapping[str, Place]) -> None:
        """``derived``: path of each derived signal and where it says so."""
        inputs = {path: self._inputs(path) for path in derived if path in self._signals}
        done: set[str] = set()
        for path in inputs:
            circle = _circle(path, inputs, done)
            if circle:
                way = " → ".join(circle)
                self._findings.error(derived[path], f"{path!r} would be computed from itself: {way}.")

    def _inputs(self, path: str) -> tuple[str, ...]:
        try:
            return parse(self._signals[path].derive).signals
        except BadExpression:
            return ()

    def _literal(self, name: str, formula: Formula) -> str | None:
        value = formula.parameters.get(name)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, (int, float)):
            return f"({value!r})"
        if value is None:
            return None
        return f'"{value}"' if not set(str(value)) & set('"\\\n{}') else None

    def _missing(self, reference: str, formula: Formula) -> None:
        if self._quiet:
            return
        asset, _, name = reference.rpartition("/")
        if not asset:
            known = [*self._below.get(formula.asset, []), *formula.parameters]
            remedy = nearest(reference, known[:MOST_SEARCHED], label="Signals here are")
        else:
            remedy = self._near(reference, name, asset, formula)
        self._findings.error(formula.place, f"There is no signal {reference!r}.", remedy)

    def _near(self, reference: str, name: str, asset: str, formula: Formula) -> str:
        """The nearest name beside it where its asset is known, else the nearest path of a small plant."""
        if asset.startswith("."):
            full = posixpath.normpath(posixpath.join(formula.asset, asset))
        else:
            full = next((a for a in (f"{self._site}/{asset}", asset) if a in self._below), "")
        beside = self._below.get(full, [])
        if beside:
            return nearest(name, beside[:MOST_SEARCHED], label="Signals there are")
        if len(self._paths) > MOST_SEARCHED:
            return ""
        prefix = f"{self._site}/"
        return nearest(
            reference, sorted(path.removeprefix(prefix) for path in self._paths), label="Signals are"
        )


def _circle(start: str, inputs: Mapping[str, tuple[str, ...]], done: set[str]) -> list[str]:
    """The way from ``start`` back to itself; empty for none. Without recursion: chains may be long."""
    way = [start]
    branches = [iter(inputs.get(start, ()))]
    while branches:
        step = next(branches[-1], None)
        if step is None:
            branches.pop()
            done.add(way.pop())
        elif step == start:
            return [*way, start]
        elif step in inputs and step not in done and step not in way:
            way.append(step)
            branches.append(iter(inputs[step]))
    return []
