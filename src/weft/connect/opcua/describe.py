"""What is known of a node, as one row: type, unit, limits, states, present value and its quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from weft.connect.api import Found
from weft.connect.opcua.calling import Calls, Result
from weft.connect.opcua.datatypes import DataTypes, enum_strings, enum_values
from weft.connect.opcua.services import Link, text_of
from weft.model import ARRAY, Limits, ValueType
from weft.model.units import from_unit_id

__all__ = ["ABOUT", "Variable", "describe", "failed", "is_plain", "thing"]

_VALUE: Final = 13
_DATA_TYPE: Final = 14
_DESCRIPTION: Final = 5
_ACCESS: Final = 18  # UserAccessLevel: what this user may do
_OWN: Final = (_VALUE, _DATA_TYPE, _DESCRIPTION, _ACCESS)
_WRITE: Final = 2
_HISTORY: Final = 4
_METHOD: Final = 4

ABOUT: Final = (
    "EngineeringUnits",
    "EURange",
    "InstrumentRange",
    "EnumStrings",
    "EnumValues",
    "TrueState",
    "FalseState",
)
"""Properties of a variable that say something about it (OPC 10000-8, 5.3)."""

_PLAIN_TYPES: Final = frozenset({b"", b"\0\x3a", b"\0\x3d", b"\0\x3f", b"\0\x44"})
"""BaseObjectType, FolderType, BaseDataVariableType, PropertyType: they say nothing."""


class Variable(NamedTuple):
    """A variable to describe; ``about`` are the nodes of its properties by name."""

    node: bytes
    name: str
    folder: str
    type: bytes
    about: dict[str, bytes]


async def describe(calls: Calls, types: DataTypes, variables: Sequence[Variable]) -> list[Found]:
    """One row each; what cannot be read of one has its status in its row."""
    wanted: list[tuple[bytes, int]] = []
    for variable in variables:
        wanted += [(variable.node, attribute) for attribute in _OWN]
        wanted += [(node, _VALUE) for node in variable.about.values()]
    results = await calls.read(wanted)
    await types.learn(
        {str(results[at][2]) for at, (_, what) in enumerate(wanted) if what == _DATA_TYPE} - {"None"}
    )
    rows, at = [], 0
    for variable in variables:
        own = results[at : at + len(_OWN)]
        at += len(_OWN)
        about = dict(zip(variable.about, results[at : at + len(variable.about)], strict=True))
        at += len(variable.about)
        rows.append(_row(variable, own, {name: value for name, (_, _, value) in about.items()}, types, calls))
    return rows


def _row(
    variable: Variable, own: Sequence[Result], about: dict[str, Any], types: DataTypes, calls: Calls
) -> Found:
    (status, kind, value), (_, _, data_type), (_, _, description), (_, _, access) = own
    namespaces = calls.session.namespaces
    may = access if isinstance(access, int) else 0
    return Found(
        name=variable.name or text_of(variable.node, namespaces),
        address={"node": text_of(variable.node, namespaces)},
        type=ValueType(kind & ~ARRAY) if kind & ~ARRAY else types.built_in(str(data_type)),
        unit=_unit(about.get("EngineeringUnits")),
        description=str((description.get("text") or "") if isinstance(description, dict) else ""),
        value=value,
        status=status,
        folder=variable.folder,
        writable=bool(may & _WRITE),
        history=bool(may & _HISTORY),
        rank=_rank(kind, value),
        limits=_limits(about),
        states=_states(about, types, str(data_type)),
        semantic="" if is_plain(variable.type) else text_of(variable.type, namespaces),
    )


def thing(link: Link, name: str, folder: str, types: DataTypes, namespaces: Sequence[str]) -> Found | None:
    """A method, or an object whose type says what it is; None for a plain object."""
    if link.node is None:
        return None
    kind = "method" if link.node_class == _METHOD else "object"
    of = link.type or b""
    if kind == "object" and is_plain(of):
        return None
    return Found(
        name=name,
        address={"node": text_of(link.node, namespaces)},
        kind=kind,
        folder=folder,
        description="" if kind == "method" else types.name(of),
        semantic="" if kind == "method" else text_of(of, namespaces),
    )


def failed(node: bytes, name: str, folder: str, status: int, namespaces: Sequence[str]) -> Found:
    """A node that the server will not tell about."""
    text = text_of(node, namespaces)
    return Found(name=name or text, address={"node": text}, kind="object", folder=folder, status=status)


def is_plain(of: bytes) -> bool:
    """Whether a type definition says nothing about what is there."""
    return of in _PLAIN_TYPES


def _rank(kind: int, value: Any) -> int:
    """0 a single value, 1 a list, 2 and above matrices."""
    rank = 0
    while kind & ARRAY and isinstance(value, list):
        rank, value = rank + 1, value[0] if value else None
    return max(rank, 1) if kind & ARRAY else 0


def _body(value: Any) -> dict[str, Any]:
    body = value.get("body") if isinstance(value, dict) else None
    return body if isinstance(body, dict) else {}


def _unit(information: Any) -> str:
    """Of EUInformation (OPC 10000-8, 5.6.3): the UCUM code of its number, else its display name."""
    body = _body(information)
    number = body.get("UnitId")
    return (from_unit_id(number) if isinstance(number, int) else None) or _text(body.get("DisplayName"))


def _limits(about: dict[str, Any]) -> Limits:
    """EURange is what is normal, low to high; InstrumentRange what can be measured (OPC 10000-8, 5.3.2)."""
    minimum, maximum = _range(about.get("InstrumentRange"))
    low, high = _range(about.get("EURange"))
    if low is None or high is None:
        return Limits(minimum=minimum, maximum=maximum)
    fits = (minimum is None or minimum <= low) and (maximum is None or high <= maximum)
    return (
        Limits(minimum=minimum, low=low, high=high, maximum=maximum) if fits else Limits(low=low, high=high)
    )


def _range(value: Any) -> tuple[float | None, float | None]:
    body = _body(value)
    low, high = body.get("Low"), body.get("High")
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return None, None
    sound = math.isfinite(low) and math.isfinite(high) and low < high
    return (float(low), float(high)) if sound else (None, None)


def _states(about: dict[str, Any], types: DataTypes, data_type: str) -> dict[int, str]:
    found = enum_values(about.get("EnumValues")) or enum_strings(about.get("EnumStrings"))
    no, yes = _text(about.get("FalseState")), _text(about.get("TrueState"))
    if not found and no and yes:
        found = {0: no, 1: yes}
    return found or types.states(data_type)


def _text(localized: Any) -> str:
    return str(localized.get("text") or "") if isinstance(localized, dict) else ""
