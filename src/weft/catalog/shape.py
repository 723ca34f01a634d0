"""Data against a msgspec Struct, with every mistake instead of the first one."""

from __future__ import annotations

import enum
import re
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec

from weft.catalog.findings import nearest
from weft.catalog.located import KeyPath

__all__ = ["Problem", "convert"]


class Problem(NamedTuple):
    path: KeyPath
    message: str
    remedy: str = ""


def convert(data: Any, kind: Any, what: str, *, strict: bool = True) -> tuple[Any, list[Problem]]:
    """``data`` as ``kind`` and all that is wrong with it. With problems the value is what remains without
    them, so that it can be checked further, or None when too little remains. ``what`` names it for people ("a
    signal"). ``strict`` False reads numbers and booleans from text, as cells of a CSV need it."""
    try:
        value = msgspec.convert(data, kind, strict=strict, str_keys=True)
    except msgspec.ValidationError as error:
        problems = list(_problems(data, kind, what, (), strict))
        if not problems:
            return None, [_whole(error)]
        return _remains(data, problems, kind, strict=strict), problems
    if isinstance(value, msgspec.Struct) and not value.__struct_config__.forbid_unknown_fields:
        unknown = list(_problems(data, kind, what, (), strict))  # other people's Structs may be lenient
        return (None, unknown) if unknown else (value, [])
    return value, []


def _remains(data: Any, problems: list[Problem], kind: Any, *, strict: bool) -> Any:
    remaining = data
    for problem in problems:
        remaining = _without(remaining, problem.path)
    try:
        return msgspec.convert(remaining, kind, strict=strict, str_keys=True)
    except msgspec.ValidationError:
        return None


def _without(data: Any, path: KeyPath) -> Any:
    """``data`` without the key at ``path``; a list goes as a whole."""
    if not path or not isinstance(data, Mapping) or path[0] not in data:
        return data
    rest = {key: value for key, value in data.items() if key != path[0]}
    inner = data[path[0]]
    if len(path) > 1 and isinstance(inner, Mapping):
        rest[str(path[0])] = _without(inner, path[1:])
    return rest


def _problems(data: Any, kind: Any, what: str, path: KeyPath, strict: bool) -> Iterator[Problem]:
    inner = _container(kind, data)
    if inner is not None and isinstance(inner, type) and issubclass(inner, msgspec.Struct):
        yield from _struct(data, inner, what, path, strict)
    elif inner is not None:
        yield from _collection(data, inner, path, strict)
    else:
        yield from _leaf(data, kind, path, strict)


def _container(kind: Any, data: Any) -> Any:
    """The Struct or collection that ``data`` should be, or None for a plain value."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        options = [_container(option, data) for option in typing.get_args(kind)]
        found = [option for option in options if option is not None]
        fits = isinstance(data, (Mapping, list)) or len(options) == 1 + (
            types.NoneType in typing.get_args(kind)
        )
        return found[0] if len(found) == 1 and fits else None
    if origin is typing.Annotated:
        return _container(typing.get_args(kind)[0], data)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    if origin in (dict, list) and isinstance(data, origin):
        return kind
    return kind if origin is tuple and isinstance(data, list) and ... in typing.get_args(kind) else None


def _struct(
    data: Any, kind: type[msgspec.Struct], what: str, path: KeyPath, strict: bool
) -> Iterator[Problem]:
    if not isinstance(data, Mapping):
        yield Problem(path, f"{_named(path, what)} should be a table, not {_kind(data)}.")
        return
    fields = _fields(kind)
    for key in data:
        if key not in fields:
            yield Problem((*path, key), f"{key!r} is not a key of {what}.", nearest(key, fields))
    for key, field in fields.items():
        if key in data:
            yield from _problems(data[key], field.type, f"{key!r}", (*path, key), strict)
        elif field.required:
            yield Problem(path, f"{what[0].upper()}{what[1:]} needs {key!r}.", f"Add {key} = …")


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def _collection(data: Any, kind: Any, path: KeyPath, strict: bool) -> Iterator[Problem]:
    arguments = typing.get_args(kind)
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _leaf(key, arguments[0], (*path, key), strict=False)
            yield from _problems(value, arguments[1], f"{key!r}", (*path, key), strict)
    else:
        for index, value in enumerate(data):
            yield from _problems(value, arguments[0], f"element {index + 1}", (*path, index), strict)


def _leaf(data: Any, kind: Any, path: KeyPath, strict: bool) -> Iterator[Problem]:
    try:
        msgspec.convert(data, kind, strict=strict, str_keys=True)
    except msgspec.ValidationError as error:
        known = _choices(kind)
        if known and isinstance(data, str):
            yield Problem(path, f"{data!r} is not a {_named(path, 'value')}.", nearest(data, known))
        else:
            yield Problem(path, f"{_named(path, 'value')} {_told(str(error))}.")


def _choices(kind: Any) -> list[str]:
    """The words that an enumeration or a Literal allows, also within ``… | None``."""
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return [str(value) for value in typing.get_args(kind)]
    if origin in (typing.Union, types.UnionType):
        return [word for option in typing.get_args(kind) for word in _choices(option)]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return [str(member.value) for member in kind]
    return []


def _whole(error: msgspec.ValidationError) -> Problem:
    message, _, at = str(error).partition(" - at `$")
    path = tuple(key for key in re.findall(r"[^.\[\]`]+", at) if key != "...")
    return Problem(path, f"{message[:1].upper()}{message[1:]}.".replace("..", "."))


_WORDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
    "datetime": "a time",
    "bytes": "base64 text",
}
_EXPECTED: Final = re.compile(r"Expected (?P<wanted>.+?)(?:, got `(?P<got>\w+)`)?(?: - at .*)?")


def _told(message: str) -> str:
    """msgspec's words as a person would say them."""
    match = _EXPECTED.fullmatch(message)
    if match is None:
        return f"is wrong: {message[:1].lower()}{message[1:]}"
    wanted = re.sub(r"`([^`]+)`", lambda found: _alternatives(found[1]), match["wanted"])
    got = f", not {_WORDS.get(match['got'], match['got'])}" if match["got"] else ""
    return f"should be {wanted}{got}"


def _alternatives(types: str) -> str:
    return " or ".join(_WORDS.get(name, name) for name in types.split(" | ") if name != "null")


def _kind(data: Any) -> str:
    name = (
        "object" if isinstance(data, Mapping) else "array" if isinstance(data, list) else type(data).__name__
    )
    return _WORDS.get(name, name)


def _named(path: KeyPath, otherwise: str) -> str:
    if not path:
        return otherwise
    return f"{path[-1]!r}" if isinstance(path[-1], str) else f"Element {path[-1] + 1}"
