"""Expressions over signals: what is derived, an interlock, a rule of local logic.

The syntax is Python's for arithmetic, comparisons, ``and`` / ``or`` / ``not``, ``a if condition else b`` and a
few functions. ``{path}`` is a signal. Nothing else has a name: no attribute, index, call of anything but the
functions below. A text is checked and compiled once, into closures for single values and for columns.

``good({x})`` says whether the signal has a good value, ``age({x})`` its age in seconds. Anything else that needs
the value of a signal that has none is unknown: :class:`Unknown` for single values, NaN in columns.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from weft.model._operators import COLUMNS, SINGLES, BadValue, Operators, Unknown

__all__ = [
    "FUNCTIONS",
    "BadExpression",
    "BadValue",
    "Columns",
    "Expression",
    "Reading",
    "Unknown",
    "parse",
]

LONGEST: Final = 2_000
DEEPEST: Final = 32
MOST_NODES: Final = 400
MOST_SIGNALS: Final = 64
LARGEST: Final = 2**64

# Name -> how many arguments, least and most.
FUNCTIONS: Final[dict[str, tuple[int, int]]] = {
    "abs": (1, 1),
    "age": (1, 1),
    "clip": (3, 3),
    "good": (1, 1),
    "max": (2, 16),
    "min": (2, 16),
    "round": (1, 2),
    "sqrt": (1, 1),
}
_OF_SIGNALS: Final = frozenset({"good", "age"})
_BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_COMPARING: Final[dict[type[ast.cmpop], str]] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_WORDS: Final = {"true": True, "false": False}
_PARTS: Final = re.compile(r"""\{([^{}]*)\}|"[^"\\\n]*"|'[^'\\\n]*'|[^\W\d]\w*|["'{}\\]|[^{}"'\\\w]+|\w+""")

Node = Callable[[Any], Any]


class BadExpression(ValueError):
    """What is wrong with a text. ``column`` counts from 1."""

    def __init__(self, message: str, column: int, remedy: str = "") -> None:
        super().__init__(f"{message} (column {column})")
        self.message = message
        self.column = column
        self.remedy = remedy


class Reading(NamedTuple):
    """What is known of a signal: its value (None for none), OPC UA status, and age in seconds."""

    value: Any
    status: int
    age: float


class Columns(NamedTuple):
    """One signal along n moments: numbers (NaN for none), whether good, age in seconds; each (n)."""

    value: npt.NDArray[np.float64]
    good: npt.NDArray[np.bool_]
    age: npt.NDArray[np.float64]


class Expression:
    """A checked text. ``signals`` are what stands in its braces, each once, in order of appearance; ``asked`` the
    numbers of those whose quality it asks about itself, with ``good``."""

    def __init__(
        self,
        text: str,
        signals: tuple[str, ...],
        single: Node,
        column: Node | None,
        asked: frozenset[int] = frozenset(),
    ) -> None:
        self.text = text
        self.signals = signals
        self.asked = asked
        self._single = single
        self._column = column

    def __repr__(self) -> str:
        return f"<Expression {self.text!r}>"

    @property
    def columnar(self) -> bool:
        """Whether :meth:`over` can be asked; what compares with text is for single values."""
        return self._column is not None

    def __call__(self, readings: Sequence[Reading]) -> Any:
        """The value, from one reading per signal. Raises Unknown when a value it needs is not there, BadValue
        for what cannot be calculated, such as a text plus one."""
        return self._single(readings)

    def over(self, columns: Sequence[Columns], n: int) -> npt.NDArray[np.float64]:
        """The values (n) along n moments, NaN where unknown; truths are 1 and 0."""
        if self._column is None:
            raise BadValue("this expression is for single values only")
        with np.errstate(all="ignore"):
            found = self._column(columns)
        return np.broadcast_to(np.asarray(found, dtype=np.float64), (n,))

    def renamed(self, names: Mapping[str, str], literals: Mapping[str, str] | None = None) -> str:
        """The text with other things in its braces, by what stands there now; ``literals`` replace the braces, too
        (a parameter's number)."""

        def replace(match: re.Match[str]) -> str:
            if match[1] is None:
                return match[0]
            now = match[1].strip()
            return literals[now] if literals and now in literals else f"{{{names.get(now, now)}}}"

        return _PARTS.sub(replace, self.text)


def parse(text: str) -> Expression:
    """Checks and compiles. Raises BadExpression with the column of the mistake."""
    if len(text) > LONGEST:
        raise BadExpression(f"An expression has at most {LONGEST:,} characters, not {len(text):,}.", LONGEST)
    plain, signals, places = _without_braces(text)
    tree = _tree(plain)
    checked = _Check(plain, places)
    checked.visit(tree, 0)
    single = _compile(tree, places, SINGLES)
    column = None if checked.textual else _compile(tree, places, COLUMNS)
    return Expression(text, tuple(signals), single, column, frozenset(checked.asked))


def _without_braces(text: str) -> tuple[str, list[str], dict[str, int]]:
    """The text with a name of the same length for each pair of braces, the signals, and name -> signal's
    number. The length stays, so that columns do."""
    parts: list[str] = []
    signals: list[str] = []
    places: dict[str, int] = {}
    for match in _PARTS.finditer(text):
        column = match.start() + 1
        part = match[0]
        if match[1] is not None:
            path = match[1].strip()
            if not path:
                raise BadExpression("There is no signal between the braces.", column)
            if path not in signals:
                signals.append(path)
            if len(signals) > MOST_SIGNALS:
                raise BadExpression(f"More than {MOST_SIGNALS} signals in one expression.", column)
            name = f"_{signals.index(path):02}".ljust(len(part), "_")
            places[name] = signals.index(path)
            parts.append(name)
        elif part in "{}":
            raise BadExpression(f"A single {part!r}.", column, "A signal stands in braces: {path}.")
        elif part in ('"', "'", "\\"):
            raise BadExpression("A text ends with the quote it begins with and has no backslash.", column)
        elif part.startswith("_"):
            raise BadExpression(f"{part!r} is not known here.", column, "A signal stands in braces: {path}.")
        else:
            parts.append(part.replace("\n", " ").replace("\r", " "))
    return "".join(parts), signals, places


def _tree(plain: str) -> ast.expr:
    stripped = plain.lstrip()
    if not stripped:
        raise BadExpression("The expression is empty.", 1)
    shift = len(plain) - len(stripped)
    try:
        # In brackets, so that a blank at the start is no indentation.
        return ast.parse(f"({' ' * (shift - 1)}{stripped}\n)" if shift else plain, mode="eval").body
    except SyntaxError as error:
        column = min(max(error.offset or 1, 1), len(plain))
        raise BadExpression(
            f"Not an expression: {error.msg}.", column, "The form is Python's: {a} > 3 and not {b}."
        ) from None
    except (ValueError, MemoryError, RecursionError):
        raise BadExpression("Not an expression: it is nested too deeply.", 1) from None


class _Check:
    """Walks a tree and refuses what is not on the list."""

    def __init__(self, plain: str, places: Mapping[str, int]) -> None:
        self._plain = plain.encode()
        self._places = places
        self._nodes = 0
        self.textual = False
        self.asked: set[int] = set()

    def visit(self, node: ast.expr, depth: int) -> None:
        self._nodes += 1
        if depth > DEEPEST or self._nodes > MOST_NODES:
            raise self._wrong(node, "The expression is too long or nested too deeply.")
        for inner in self._inner(node):
            self.visit(inner, depth + 1)

    def _inner(self, node: ast.expr) -> list[ast.expr]:
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name():
                return self._name(node)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not()):
                return [node.operand]
            case ast.BinOp() if type(node.op) in _BINARY:
                return [node.left, node.right]
            case ast.BoolOp():
                return node.values
            case ast.Compare():
                return self._comparison(node)
            case ast.IfExp():
                return [node.test, node.body, node.orelse]
            case ast.Call():
                return self._call(node)
        raise self._wrong(node, "This is not allowed in an expression.")

    def _constant(self, node: ast.Constant) -> list[ast.expr]:
        value = node.value
        self.textual |= isinstance(value, str)
        if not isinstance(value, (bool, int, float, str)):
            raise self._wrong(node, f"{value!r} is not a value here.", "Numbers, texts, true and false.")
        if isinstance(value, int) and value > LARGEST:
            raise self._wrong(node, "This number is too large.")
        return []

    def _name(self, node: ast.Name) -> list[ast.expr]:
        if node.id not in self._places and node.id not in _WORDS:
            remedy = f"{node.id}(…) is a function." if node.id in FUNCTIONS else f"A signal: {{{node.id}}}."
            raise self._wrong(node, f"{node.id!r} is not known here.", remedy)
        return []

    def _comparison(self, node: ast.Compare) -> list[ast.expr]:
        inner = [node.left]
        for operator, right in zip(node.ops, node.comparators, strict=True):
            if type(operator) not in _COMPARING:
                raise self._wrong(right, "Values are compared with ==, not with 'is'.")
            among = isinstance(operator, (ast.In, ast.NotIn))
            if among != isinstance(right, (ast.Tuple, ast.List)):
                raise self._wrong(right, "'in' is followed by a list: {state} in (1, 2).")
            if isinstance(right, (ast.Tuple, ast.List)):
                if not all(isinstance(element, ast.Constant) for element in right.elts):
                    raise self._wrong(right, "The list after 'in' holds plain values.")
                if right is not node.comparators[-1]:
                    raise self._wrong(right, "A list is compared with nothing: 'in' comes last.")
                inner += right.elts
            else:
                inner.append(right)
        return inner

    def _call(self, node: ast.Call) -> list[ast.expr]:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            raise self._wrong(node, f"There is no function {name!r}.", f"There are {', '.join(FUNCTIONS)}.")
        least, most = FUNCTIONS[name]
        if node.keywords or not least <= len(node.args) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            raise self._wrong(node, f"{name} takes {count} values, without names.")
        if name in _OF_SIGNALS and not self._is_signal(node.args[0]):
            raise self._wrong(node, f"{name} asks about a signal.", f"{name}({{path}})")
        if name == "good" and isinstance(node.args[0], ast.Name):
            self.asked.add(self._places[node.args[0].id])
        if name == "round" and len(node.args) == 2 and not _is_small(node.args[1]):
            raise self._wrong(node, "round takes a plain number of places, 0 to 9.")
        return node.args

    def _is_signal(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self._places

    def _wrong(self, node: ast.expr, message: str, remedy: str = "") -> BadExpression:
        column = len(self._plain[: node.col_offset].decode(errors="ignore")) + 1
        return BadExpression(message, column, remedy)


def _is_small(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is int and 0 <= node.value <= 9


def _compile(node: ast.expr, places: Mapping[str, int], ops: Operators) -> Node:
    """A closure of a checked tree, over what :class:`Operators` works on."""

    def inner(part: ast.expr) -> Node:
        return _compile(part, places, ops)

    match node:
        case ast.Constant(value=value):
            return lambda _: value
        case ast.Name(id=name):
            if name not in places:
                truth = _WORDS[name]
                return lambda _: truth
            return ops.value(places[name])
        case ast.UnaryOp(op=ast.Not()):
            return ops.negate(inner(node.operand))
        case ast.UnaryOp():
            return ops.call("-" if isinstance(node.op, ast.USub) else "+1", [inner(node.operand)])
        case ast.BinOp():
            return ops.call(_BINARY[type(node.op)], [inner(node.left), inner(node.right)])
        case ast.BoolOp():
            return ops.join([inner(part) for part in node.values], every=isinstance(node.op, ast.And))
        case ast.IfExp():
            return ops.choose(inner(node.test), inner(node.body), inner(node.orelse))
        case ast.Compare():
            return _comparison(node, inner, ops)
        case ast.Call(func=ast.Name(id=name), args=args):
            if name in _OF_SIGNALS:
                place = places[args[0].id] if isinstance(args[0], ast.Name) else 0
                return ops.good(place) if name == "good" else ops.age(place)
            return ops.call(name, [inner(argument) for argument in args])
    raise AssertionError(ast.dump(node))


def _comparison(node: ast.Compare, inner: Callable[[ast.expr], Node], ops: Operators) -> Node:
    links = []
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        name = _COMPARING[type(operator)]
        if isinstance(right, (ast.Tuple, ast.List)):
            known = [element.value for element in right.elts if isinstance(element, ast.Constant)]
            links.append(ops.among(inner(left), known, wanted=name == "in"))
        else:
            links.append(ops.call(name, [inner(left), inner(right)]))
        left = right
    return links[0] if len(links) == 1 else ops.join(links, every=True)
