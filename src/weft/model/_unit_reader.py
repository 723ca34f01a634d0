"""Reads UCUM codes (section 3 and the grammar of section 2.1) into exact factors and dimensions."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from typing import Final, NamedTuple

from weft.model._unit_table import ATOMS, BASE, LEVELS, PREFIXES, SHIFTED

__all__ = ["LONGEST", "Reader", "Term", "UnitSyntax", "split_atom"]

LONGEST: Final = 64
DEEPEST: Final = 8

_ZERO: Final = (0,) * len(BASE)
_COMPONENT: Final = re.compile(
    r"(?P<ten>10[*^])(?P<power>[+-]?[0-9]{1,2})?"
    r"|(?P<number>[1-9][0-9]{0,8})"
    r"|(?P<unit>(?:\[[^\[\]{}\s]*\]|[A-Za-z%'_])+)(?P<exponent>[+-]?[0-9]{1,2})?"
)
_NOTE: Final = re.compile(r"\{[!-z|~]*\}")


class UnitSyntax(Exception):
    """Where and why a code is none; ``instead`` is the code that it should be, when that is certain."""

    def __init__(self, message: str, instead: str = "") -> None:
        super().__init__(message)
        self.instead = instead


class Term(NamedTuple):
    """``special``: the value may not be multiplied with other units (section 7.2, §21)."""

    factor: Fraction = Fraction(1)
    dimension: tuple[int, ...] = _ZERO
    scale: tuple[tuple[str, int], ...] = ()
    shift: Fraction = Fraction(0)
    special: str = ""

    def __mul__(self, other: Term) -> Term:  # type: ignore[override]  # a tuple repeats; a unit multiplies
        return Term(
            self.factor * other.factor,
            tuple(a + b for a, b in zip(self.dimension, other.dimension, strict=True)),
            _join(self.scale, other.scale),
        )

    def __pow__(self, n: int) -> Term:
        return Term(
            self.factor**n,
            tuple(a * n for a in self.dimension),
            tuple((name, power * n) for name, power in self.scale) if n else (),
        )


def _join(a: tuple[tuple[str, int], ...], b: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    powers = dict(a)
    for name, power in b:
        powers[name] = powers.get(name, 0) + power
    return tuple(sorted((name, power) for name, power in powers.items() if power))


ONE: Final = Term()


@cache
def split_atom(text: str) -> tuple[str, str] | None:
    """(prefix, atom); a whole atom goes before a prefixed one, so ``min`` is not a milli-inch."""
    if text in ATOMS:
        return "", text
    for size in (2, 1):
        prefix, rest = text[:size], text[size:]
        if prefix in PREFIXES and rest in ATOMS and ATOMS[rest].metric:
            return prefix, rest
    return None


@cache
def _atom(text: str) -> Term | None:
    found = split_atom(text)
    if found is None:
        return None
    prefix, code = found
    atom = ATOMS[code]
    factor = Fraction(PREFIXES[prefix][0]) if prefix else Fraction(1)
    if code in BASE:
        return Term(factor, tuple(int(code == base) for base in BASE))
    if code in LEVELS:
        return Term(factor, scale=((code, 1),))
    if code in SHIFTED:
        step, shift = SHIFTED[code]
        kelvin = tuple(int(base == "K") for base in BASE)
        return Term(factor * Fraction(step), kelvin, shift=Fraction(shift), special=text)
    return Term(factor * Fraction(atom.value)) * Reader(atom.unit).read()


class Reader:
    """One code, read from left to right; ``.`` and ``/`` bind alike (section 2.1, §7)."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._at = 0

    def read(self) -> Term:
        """Raises UnitSyntax."""
        if not self._code:
            raise UnitSyntax("an empty text is no unit", "1")
        if len(self._code) > LONGEST:
            raise UnitSyntax(f"a unit of {len(self._code)} characters; at most {LONGEST}")
        if self._peek() == "/":
            self._at += 1
            term = self._alone(self._component(0)) ** -1
            term = self._rest(term, 0)
        else:
            term = self._product(0)
        if self._at < len(self._code):
            raise self._stuck()
        return term

    def _product(self, depth: int) -> Term:
        return self._rest(self._component(depth), depth)

    def _rest(self, term: Term, depth: int) -> Term:
        while (sign := self._peek()) in (".", "/"):
            self._at += 1
            other = self._component(depth)
            term = self._alone(term) * self._alone(other) ** (1 if sign == "." else -1)
        return term

    def _alone(self, term: Term) -> Term:
        if term.special:
            instead = self._code.replace(term.special, "K") if term.special == "Cel" else ""
            raise UnitSyntax(
                f"{term.special!r} has its own zero and cannot be part of {self._code!r}", instead
            )
        return term

    def _component(self, depth: int) -> Term:
        if self._peek() == "(":
            return self._group(depth + 1)
        note = _NOTE.match(self._code, self._at)
        if note:
            self._at = note.end()
            return ONE
        match = _COMPONENT.match(self._code, self._at)
        if match is None:
            raise self._stuck()
        term = self._term_of(match)
        self._at = match.end()
        note = _NOTE.match(self._code, self._at)
        if note:
            self._at = note.end()
        return term

    def _group(self, depth: int) -> Term:
        if depth > DEEPEST:
            raise UnitSyntax(f"more than {DEEPEST} nested parentheses")
        self._at += 1
        term = self._product(depth)
        if self._peek() != ")":
            raise UnitSyntax(f"{self._code!r} lacks a closing parenthesis", self._code + ")")
        self._at += 1
        return term

    def _term_of(self, match: re.Match[str]) -> Term:
        if match["ten"]:
            return Term(Fraction(10) ** int(match["power"] or 1))
        if match["number"]:
            return Term(Fraction(match["number"]))
        term = _atom(match["unit"])
        if term is None:
            raise UnitSyntax(f"{match['unit']!r} is not a UCUM unit")
        if match["exponent"] is None:
            return term
        return self._alone(term) ** int(match["exponent"])

    def _stuck(self) -> UnitSyntax:
        if self._at >= len(self._code):
            return UnitSyntax(f"{self._code!r} ends where a unit should follow")
        return UnitSyntax(f"{self._code[self._at]!r} cannot stand at place {self._at + 1} of {self._code!r}")

    def _peek(self) -> str:
        return self._code[self._at : self._at + 1]
