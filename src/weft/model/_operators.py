"""What the operators of an expression do, to single values and to columns of numbers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import numpy as np

__all__ = ["COLUMNS", "SINGLES", "BadValue", "Operators", "Unknown"]

UNCERTAIN: Final = 0x40000000
BAD: Final = 0x80000000
_FURTHEST: Final = 1e308

Node = Callable[[Any], Any]


class Unknown(Exception):
    """A signal that is needed has no value that can be used; ``place`` is its number in the expression."""

    def __init__(self, place: int) -> None:
        super().__init__(f"signal {place} has no value")
        self.place = place


class BadValue(Exception):
    """The values that are there cannot be calculated with."""


class Operators(Protocol):
    def value(self, place: int) -> Node: ...
    def good(self, place: int) -> Node: ...
    def age(self, place: int) -> Node: ...
    def negate(self, part: Node) -> Node: ...
    def join(self, parts: Sequence[Node], *, every: bool) -> Node: ...
    def choose(self, test: Node, yes: Node, no: Node) -> Node: ...
    def among(self, part: Node, known: Sequence[Any], *, wanted: bool) -> Node: ...
    def call(self, name: str, parts: Sequence[Node]) -> Node: ...


def _closure(function: Callable[..., Any], parts: Sequence[Node]) -> Node:
    if len(parts) == 1:
        (one,) = parts
        return lambda given: function(one(given))
    if len(parts) == 2:
        left, right = parts
        return lambda given: function(left(given), right(given))
    return lambda given: function(*[part(given) for part in parts])


# --- single values ----------------------------------------------------------------------------------------------


def _number(value: Any) -> Any:
    if not isinstance(value, (int, float)):
        raise BadValue(f"{value!r:.80} is not a number")
    return value


def _arithmetic(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def calculate(a: Any, b: Any) -> Any:
        try:
            return function(_number(a), _number(b))
        except OverflowError:  # an integer that no float can hold
            return math.nan

    return calculate


def _divide(a: Any, b: Any) -> Any:
    if b == 0:
        return math.nan if a == 0 or a != a else math.copysign(math.inf, a) * math.copysign(1.0, b)  # noqa: PLR0124  # NaN
    return a / b


def _floor_divide(a: Any, b: Any) -> Any:
    return math.nan if b == 0 or not math.isfinite(a) else a // b


def _modulo(a: Any, b: Any) -> Any:
    return math.nan if b == 0 or not math.isfinite(a) else a % b


def _power(a: Any, b: Any) -> float:
    # As floats: integers would grow without end.
    try:
        found = float(a) ** float(b)
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return found if isinstance(found, float) else math.nan


def _ordered(function: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(a: Any, b: Any) -> bool:
        if a != a or b != b:  # noqa: PLR0124  # NaN: "not above 80" must not hold because nobody knows
            raise BadValue("a value that is not a number cannot be compared")
        try:
            return bool(function(a, b))
        except TypeError:
            raise BadValue(f"{a!r:.80} and {b!r:.80} cannot be compared") from None

    return compare


def _round(value: Any, places: int = 0) -> Any:
    found = float(np.round(float(_number(value)), places))
    return found if places or not math.isfinite(found) else int(found)


def _sqrt(value: Any) -> float:
    return math.sqrt(value) if _number(value) >= 0 else math.nan


def _least(*values: Any) -> Any:
    return math.nan if any(_number(value) != value for value in values) else min(values)


def _most(*values: Any) -> Any:
    return math.nan if any(_number(value) != value for value in values) else max(values)


def _truth(value: Any) -> bool:
    """Whether it holds. NaN is neither, so it is no truth to act on."""
    if isinstance(value, (bool, int)):
        return bool(value)
    if isinstance(value, float) and not math.isnan(value):
        return value != 0.0
    raise BadValue(f"{value!r:.80} is neither true nor false")


class _Singles:
    _functions: Final[dict[str, Callable[..., Any]]] = {
        "+": _arithmetic(operator.add),
        "-": _arithmetic(operator.sub),
        "*": _arithmetic(operator.mul),
        "/": _arithmetic(_divide),
        "//": _arithmetic(_floor_divide),
        "%": _arithmetic(_modulo),
        "**": _arithmetic(_power),
        "<": _ordered(operator.lt),
        "<=": _ordered(operator.le),
        ">": _ordered(operator.gt),
        ">=": _ordered(operator.ge),
        "==": _ordered(operator.eq),
        "!=": _ordered(operator.ne),
        "abs": lambda value: abs(_number(value)),
        "min": _least,
        "max": _most,
        "round": _round,
        "sqrt": _sqrt,
        "clip": lambda value, low, high: _most(low, _least(high, value)),
        "+1": _number,
        "-1": lambda value: -_number(value),
    }

    def value(self, place: int) -> Node:
        def read(readings: Any) -> Any:
            value, status, _ = readings[place]
            if value is None or status >= BAD:
                raise Unknown(place)
            return value

        return read

    def good(self, place: int) -> Node:
        return lambda readings: readings[place].value is not None and readings[place].status < UNCERTAIN

    def age(self, place: int) -> Node:
        return lambda readings: readings[place].age

    def negate(self, part: Node) -> Node:
        return lambda given: not _truth(part(given))

    def join(self, parts: Sequence[Node], *, every: bool) -> Node:
        if every:
            return lambda given: all(_truth(part(given)) for part in parts)
        return lambda given: any(_truth(part(given)) for part in parts)

    def choose(self, test: Node, yes: Node, no: Node) -> Node:
        return lambda given: yes(given) if _truth(test(given)) else no(given)

    def among(self, part: Node, known: Sequence[Any], *, wanted: bool) -> Node:
        equal = self._functions["=="]

        def found(given: Any) -> bool:
            value = part(given)
            return any(equal(value, one) for one in known) is wanted

        return found

    def call(self, name: str, parts: Sequence[Node]) -> Node:
        return _closure(self._functions[f"{name}1" if name == "-" and len(parts) == 1 else name], parts)


# --- columns: float64, NaN is unknown ---------------------------------------------------------------------------


def _where_known(function: Callable[..., Any]) -> Callable[..., Any]:
    """A comparison whose answer is NaN where one side is."""

    def compare(a: Any, b: Any) -> Any:
        return np.where(np.isnan(a) | np.isnan(b), np.nan, function(a, b))

    return compare


def _modulo_columns(a: Any, b: Any) -> Any:
    return np.where((np.asarray(b) == 0) | ~np.isfinite(a), np.nan, np.mod(a, b))


def _floor_columns(a: Any, b: Any) -> Any:
    return np.where((np.asarray(b) == 0) | ~np.isfinite(a), np.nan, np.floor_divide(a, b))


def _float(function: Callable[..., Any]) -> Callable[..., Any]:
    """Truths count as numbers: numpy would add them as truths."""
    return lambda *values: function(*[np.asarray(value, dtype=np.float64) for value in values])


class _Columns:
    _functions: Final[dict[str, Callable[..., Any]]] = {
        "+": _float(np.add),
        "-": _float(np.subtract),
        "*": _float(np.multiply),
        "/": _float(np.divide),
        "//": _float(_floor_columns),
        "%": _float(_modulo_columns),
        "**": _float(np.power),
        "<": _float(_where_known(np.less)),
        "<=": _float(_where_known(np.less_equal)),
        ">": _float(_where_known(np.greater)),
        ">=": _float(_where_known(np.greater_equal)),
        "==": _float(_where_known(np.equal)),
        "!=": _float(_where_known(np.not_equal)),
        "abs": _float(np.abs),
        "min": _float(lambda *values: np.minimum.reduce(np.broadcast_arrays(*values))),
        "max": _float(lambda *values: np.maximum.reduce(np.broadcast_arrays(*values))),
        "round": lambda value, places=0: np.round(np.asarray(value, dtype=np.float64), int(places)),
        "sqrt": _float(np.sqrt),
        "clip": _float(lambda value, low, high: np.maximum(low, np.minimum(high, value))),
        "+1": _float(np.positive),
        "-1": _float(np.negative),
    }

    def value(self, place: int) -> Node:
        return lambda columns: columns[place].value

    def good(self, place: int) -> Node:
        return lambda columns: columns[place].good & ~np.isnan(columns[place].value)

    def age(self, place: int) -> Node:
        return lambda columns: columns[place].age

    def negate(self, part: Node) -> Node:
        return lambda given: 1.0 - _truths(part(given))

    def join(self, parts: Sequence[Node], *, every: bool) -> Node:
        """As single values do it, from the left: what decides ends it, what is unknown before that stays so."""
        end = 0.0 if every else 1.0

        def joined(given: Any) -> Any:
            found = _truths(parts[0](given))
            for part in parts[1:]:
                found = np.where(np.isnan(found) | (found == end), found, _truths(part(given)))
            return found

        return joined

    def choose(self, test: Node, yes: Node, no: Node) -> Node:
        def chosen(given: Any) -> Any:
            truth = _truths(test(given))
            picked = np.where(
                truth == 1.0, np.asarray(yes(given), np.float64), np.asarray(no(given), np.float64)
            )
            return np.where(np.isnan(truth), np.nan, picked)

        return chosen

    def among(self, part: Node, known: Sequence[Any], *, wanted: bool) -> Node:
        def found(given: Any) -> Any:
            values = np.asarray(part(given), dtype=np.float64)
            return np.where(np.isnan(values), np.nan, np.isin(values, known) == wanted)

        return found

    def call(self, name: str, parts: Sequence[Node]) -> Node:
        return _closure(self._functions[f"{name}1" if name == "-" and len(parts) == 1 else name], parts)


def _truths(values: Any) -> Any:
    numbers = np.asarray(values, dtype=np.float64)
    return np.where(np.isnan(numbers), np.nan, numbers != 0.0)


SINGLES: Final[Operators] = _Singles()
COLUMNS: Final[Operators] = _Columns()
