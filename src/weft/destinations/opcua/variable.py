"""A signal as a variable: data type, unit, range and the names of its states (OPC 10000-8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from weft.destinations.opcua.nodes import (
    HAS_COMPONENT,
    VARIABLE,
    Node,
    Property,
    Reference,
    variable_attribute,
)
from weft.destinations.opcua.pipe import Point
from weft.destinations.opcua.values import Values
from weft.model import ARRAY, ValueType, units
from weft.model.values import INTEGERS

__all__ = ["Variable"]

BASE_DATA_VARIABLE: Final = "i=63"
ANALOG_ITEM: Final = "i=2368"
ANALOG_UNIT: Final = "i=17497"
ANALOG_UNIT_RANGE: Final = "i=17570"
TWO_STATE: Final = "i=2373"
MULTI_STATE: Final = "i=2376"
MULTI_STATE_VALUE: Final = "i=11238"

_STRUCTURE: Final = ValueType.EXTENSIONOBJECT
_RANGE: Final = 884
_EU_INFORMATION: Final = 887
_ENUM_VALUE: Final = 7594
_ANY: Final = -2


class Variable(Node):
    """``slot`` is its place among the values."""

    node_class = VARIABLE

    def __init__(self, id: str, parent: str, point: Point, slot: int, values: Values) -> None:
        super().__init__(id, point.path.rpartition("/")[2], point.description)
        self.point = point
        self.slot = slot
        self.parent = Reference(HAS_COMPONENT, False, parent)
        self.type_definition = _definition(point)
        self._values = values

    @property
    def kind(self) -> int:
        """The newest value's type, else what the plant says it is; with ARRAY; 0 when nobody knows yet."""
        return self._values.kind(self.slot) or self.point.type

    def properties(self) -> Iterator[Property]:
        unit, limits = self.point.unit, self.point.limits
        instrument = _range(limits.minimum, limits.maximum)
        normal = _range(limits.low, limits.high) or instrument
        if normal and not self.point.states:
            yield Property(self.id, "EURange", _STRUCTURE, normal, _RANGE)
        if instrument and not self.point.states:
            yield Property(self.id, "InstrumentRange", _STRUCTURE, instrument, _RANGE)
        if unit and not self.point.states:
            yield Property(self.id, "EngineeringUnits", _STRUCTURE, _information(unit), _EU_INFORMATION)
        yield from self._states()

    def _states(self) -> Iterator[Property]:
        states = self.point.states
        if self.type_definition == TWO_STATE:
            for name, number in (("FalseState", 0), ("TrueState", 1)):
                yield Property(self.id, name, ValueType.LOCALIZEDTEXT, {"text": states.get(number, "")})
        elif self.type_definition == MULTI_STATE:
            names = [{"text": states[number]} for number in range(len(states))]
            yield Property(self.id, "EnumStrings", ValueType.LOCALIZEDTEXT | ARRAY, names)
        elif states:
            named = [_enum_value(number, name) for number, name in sorted(states.items())]
            yield Property(self.id, "EnumValues", _STRUCTURE | ARRAY, named, _ENUM_VALUE)
            yield StateText(self)

    def text(self) -> str | None:
        """The name of the state the signal is in."""
        number = self._values.sample(self.slot).number
        return self.point.states.get(int(number)) if number == number else None  # noqa: PLR0124  # NaN

    def span(self) -> float | None:
        """Width of the EURange."""
        limits = self.point.limits
        found = _range(limits.low, limits.high) or _range(limits.minimum, limits.maximum)
        return None if found is None else found["body"]["High"] - found["body"]["Low"]

    def _own(self, number: int, writes: bool) -> bytes | None:
        access = 3 if self.point.writable else 1
        kind = self.kind
        data_type = (kind & ~ARRAY) or ValueType.VARIANT
        return variable_attribute(number, data_type, self._rank(kind), access, access if writes else 1)

    def _rank(self, kind: int) -> int:
        if not self._values.kind(self.slot):
            return _ANY
        if not kind & ARRAY:
            return -1
        rank, inner = 1, self._values.plain(self.slot)
        while isinstance(inner, (list, tuple)) and inner and isinstance(inner[0], (list, tuple)):
            rank, inner = rank + 1, inner[0]
        return rank


class StateText(Property):
    """ValueAsText of a MultiStateValueDiscreteType."""

    def __init__(self, variable: Variable) -> None:
        super().__init__(variable.id, "ValueAsText", ValueType.LOCALIZEDTEXT, None)
        self._variable = variable

    def value(self) -> bytes | None:
        self._value = {"text": self._variable.text()}
        return super().value()


def _definition(point: Point) -> str:
    numbers = sorted(point.states)
    if numbers:
        if point.type == ValueType.BOOLEAN:
            return TWO_STATE
        if numbers == list(range(len(numbers))):
            return MULTI_STATE
        return MULTI_STATE_VALUE
    if point.type and point.type not in {*INTEGERS, ValueType.FLOAT, ValueType.DOUBLE}:
        return BASE_DATA_VARIABLE
    limits = point.limits
    ranged = _range(limits.low, limits.high) or _range(limits.minimum, limits.maximum)
    if point.unit:
        return ANALOG_UNIT_RANGE if ranged else ANALOG_UNIT
    return ANALOG_ITEM if ranged else BASE_DATA_VARIABLE


def _range(low: float | None, high: float | None) -> dict[str, Any] | None:
    if low is None or high is None:
        return None
    return {"type": "Range", "body": {"Low": float(low), "High": float(high)}}


def _information(code: str) -> dict[str, Any]:
    number = units.unit_id(code)
    body = {
        "NamespaceUri": units.UNECE_NAMESPACE if number is not None else "http://unitsofmeasure.org",
        "UnitId": -1 if number is None else number,
        "DisplayName": {"locale": None, "text": units.symbol(code)},
        "Description": {"locale": None, "text": code},
    }
    return {"type": "EUInformation", "body": body}


def _enum_value(number: int, name: str) -> dict[str, Any]:
    text = {"locale": None, "text": name}
    return {
        "type": "EnumValueType",
        "body": {"Value": number, "DisplayName": text, "Description": {"locale": None, "text": None}},
    }
