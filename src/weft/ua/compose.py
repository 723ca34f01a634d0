"""Structures from their plain form back to bytes: the counterpart of :mod:`weft.ua.structure`."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
import uuid
from datetime import datetime
from enum import Enum
from typing import Any

from asyncua.ua.ua_binary import struct_to_binary

from weft.model import ValueType
from weft.ua.guard import FAULTS
from weft.ua.stack import ua

__all__ = ["Uncomposable", "body_of"]


class Uncomposable(ValueError):
    """The plain form does not say all that the structure needs."""


def body_of(name: str, body: dict[str, Any]) -> tuple[str, bytes]:
    """The encoding's NodeId and the bytes of a structure that asyncua knows by ``name``."""
    encoding, known = _by_name().get(name, (None, None))
    if encoding is None or known is None:
        raise Uncomposable(f"no structure is called {name!r}")
    try:
        return encoding.to_string(), bytes(struct_to_binary(_structure(known, body)))
    except (*FAULTS, OverflowError) as error:
        raise Uncomposable(f"a {name} cannot be written: {error}") from error


@functools.cache
def _by_name() -> dict[str, tuple[Any, Any]]:
    return {known.__name__: (node, known) for node, known in ua.extension_objects_by_typeid.items()}


@functools.cache
def _hints(known: Any) -> dict[str, Any]:
    return typing.get_type_hints(known, localns={"ua": ua})


def _structure(known: Any, body: dict[str, Any]) -> Any:
    hints = _hints(known)
    made = known()
    for field in dataclasses.fields(known):
        if field.name in body:
            object.__setattr__(made, field.name, _value(hints[field.name], body[field.name]))
    return made


def _value(hint: Any, plain: Any) -> Any:
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        if plain is None:
            return None
        hint = next(choice for choice in typing.get_args(hint) if choice is not type(None))
    if typing.get_origin(hint) is list:
        (element,) = typing.get_args(hint)
        return None if plain is None else [_value(element, one) for one in plain]
    compose = _COMPOSE.get(hint)
    if compose is not None:
        return compose(plain)
    if dataclasses.is_dataclass(hint) and isinstance(plain, dict):
        return _structure(hint, plain)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint(plain)
    if isinstance(plain, dict):
        raise Uncomposable("it holds a structure whose type is not said")
    return plain


def _name(plain: str) -> Any:
    index, colon, name = plain.partition(":")
    if colon and index.isdecimal() and int(index[:6]) <= 0xFFFF:
        return ua.QualifiedName(name, int(index[:6]))
    return ua.QualifiedName(plain, 0)


def _variant(plain: dict[str, Any]) -> Any:
    name = plain["type"].removesuffix("[]")
    kind = ua.VariantType(ValueType[name.upper()])
    hint = {
        "NodeId": ua.NodeId,
        "LocalizedText": ua.LocalizedText,
        "DateTime": datetime,
        "Guid": uuid.UUID,
    }.get(name)
    value, array = plain["value"], plain["type"].endswith("[]")
    if hint is not None and value is not None:
        value = [_value(hint, one) for one in value] if array else _value(hint, value)
    return ua.Variant(value, kind, is_array=array)


_COMPOSE: dict[Any, Any] = {
    ua.NodeId: ua.NodeId.from_string,
    ua.ExpandedNodeId: ua.NodeId.from_string,
    ua.QualifiedName: _name,
    ua.LocalizedText: lambda plain: ua.LocalizedText(plain["text"], plain["locale"]),
    ua.StatusCode: ua.StatusCode,
    ua.XmlElement: ua.XmlElement,
    ua.Variant: _variant,
    datetime: datetime.fromisoformat,
    ua.DateTime: datetime.fromisoformat,
    uuid.UUID: uuid.UUID,
    ua.Guid: uuid.UUID,
}
