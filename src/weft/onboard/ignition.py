"""Ignition: tags exported as JSON (8.0 and later), folders, UDT definitions and instances included."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from weft.model import Limits
from weft.onboard.draft import Draft, Line, Row
from weft.onboard.registers import opcua_type

__all__ = ["is_export", "read"]

ENDPOINT: Final = "opc.tcp://127.0.0.1:62541"
OWN_SERVER: Final = "Ignition OPC UA Server"
DEEPEST: Final = 50
_PARAMETER: Final = re.compile(r"\{([^{}]+)\}")
_TYPES: Final = {"Int1": "SByte", "Int2": "Int16", "Int4": "Int32", "Int8": "Int64"}
_NO_VALUES: Final = {"memory": "memory tags hold what a person wrote", "expr": "it is an expression: see `derive`",
                     "query": "it is a database query", "reference": "it refers to another tag",
                     "derived": "it derives from another tag"}  # fmt: skip


def is_export(document: Any) -> bool:
    if isinstance(document, list):
        return bool(document) and is_export(document[0])
    return (
        isinstance(document, Mapping) and "tagType" in document and ("tags" in document or "name" in document)
    )


class _Around(msgspec.Struct, frozen=True):
    """What holds where a tag stands: its folder, parameters, and what a definition says of it."""

    folder: str = ""
    parameters: Mapping[str, Any] = {}
    definition: Mapping[str, Any] = {}
    depth: int = 0


def read(document: Any) -> Draft:
    """Every OPC tag, with those that its instances inherit from UDT definitions of the same export."""
    return _Export(document).draft


class _Export:
    def __init__(self, document: Any) -> None:
        self.draft = Draft()
        self._roots = document if isinstance(document, list) else [document]
        self._definitions = {path: node for root in self._roots for path, node in _definitions(root, "")}
        for root in self._roots:
            self._walk(root, _Around())

    def _walk(self, node: Mapping[str, Any], around: _Around) -> None:
        kind = node.get("tagType", "AtomicTag")
        name = str(node.get("name", ""))
        place = f"{around.folder}/{name}".strip("/")
        if kind == "UdtType" or name == "_types_":
            return
        if around.depth > DEEPEST:
            self.draft.note(place, f"It lies deeper than {DEEPEST} folders.")
        elif kind == "AtomicTag":
            self._atom({**around.definition, **node}, around, place)
        elif kind == "UdtInstance":
            self._instance(node, around, place)
        else:  # Provider, Folder
            inner = msgspec.structs.replace(around, folder=place, depth=around.depth + 1)
            for child in _children(node):
                self._walk(child, inner)

    def _instance(self, node: Mapping[str, Any], around: _Around, place: str) -> None:
        type_id = _text(node.get("typeId") or around.definition.get("typeId", ""))
        definition = self._definitions.get(type_id.removeprefix("[default]_types_/"))
        if definition is None:
            self.draft.note(
                place, f"Its definition {type_id!r} is not in this file: only its own changes were read."
            )
            definition = {}
        values = {**_parameters(definition), **_parameters(around.definition), **_parameters(node)}
        parameters = {**around.parameters, **values, "InstanceName": node.get("name", "")}
        own = {str(child.get("name")): child for child in _children(node)}
        for child in self._inherited(definition):
            name = str(child.get("name"))
            inner = _Around(place, parameters, child, around.depth + 1)
            self._walk(own.pop(name, {"name": name, "tagType": child.get("tagType", "AtomicTag")}), inner)
        for child in own.values():
            self._walk(child, _Around(place, parameters, {}, around.depth + 1))

    def _inherited(self, definition: Mapping[str, Any], depth: int = 0) -> list[Mapping[str, Any]]:
        """A definition's members with those of its parents, the nearest word first."""
        members = {str(child.get("name")): child for child in _children(definition)}
        parent = self._definitions.get(_text(definition.get("typeId", "")))
        if parent is not None and depth < DEEPEST:
            for child in self._inherited(parent, depth + 1):
                name = str(child.get("name"))
                members[name] = {**child, **members.get(name, {})}
        return list(members.values())

    def _atom(self, tag: Mapping[str, Any], around: _Around, place: str) -> None:
        source = _text(tag.get("valueSource", "memory"))
        if source != "opc":
            self.draft.note(
                place, f"Not taken: {_NO_VALUES.get(source, f'its values come from {source!r}')}."
            )
            return
        item = _filled(tag.get("opcItemPath", ""), around.parameters)
        server = _filled(tag.get("opcServer", OWN_SERVER), around.parameters)
        unfilled = _PARAMETER.findall(item)
        if not item or unfilled:
            what = f"the parameter {unfilled[0]!r} has no value" if unfilled else "it has no OPC item path"
            self.draft.note(place, f"Not taken: {what}.")
            return
        if tag.get("scaleMode") not in (None, "Off"):
            self.draft.note(place, f"Its scaling ({tag['scaleMode']}) is taken over." if tag["scaleMode"] == "Linear"
                            else f"Its scaling {tag['scaleMode']!r} has no counterpart: raw values are kept.")  # fmt: skip
        scale, offset = _scaling(tag)
        self.draft.add(
            Row(
                asset=around.folder or "ignition",
                name=_text(tag.get("name", "")),
                connection=self._server(server),
                address={"node": _node(item)},
                type="" if (scale, offset) != (1.0, 0.0) else _type(tag),
                unit=self.draft.unit(_filled(tag.get("engUnit", ""), around.parameters), place),
                description=_filled(tag.get("documentation") or tag.get("tooltip") or "", around.parameters),
                scale=scale,
                offset=offset,
                limits=_limits(tag),
                deadband=_deadband(tag),
                place=place,
            )
        )

    def _server(self, name: str) -> str:
        endpoint = ENDPOINT if name == OWN_SERVER else "opc.tcp://127.0.0.1:4840"
        told = "" if name == OWN_SERVER else "; put its real endpoint here"
        line = Line(
            protocol="opcua",
            config={"endpoint": endpoint, "trust_on_first_use": True},
            description=f"The OPC UA server that Ignition calls {name!r}{told}",
        )
        return self.draft.add_line(name, line)


def _definitions(node: Mapping[str, Any], above: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(path below ``_types_``, definition)."""
    name = str(node.get("name", ""))
    path = f"{above}/{name}".strip("/")
    if node.get("tagType") == "UdtType":
        yield path.rpartition("_types_/")[2], node
        return
    for child in _children(node):
        yield from _definitions(child, path)


def _children(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    tags = node.get("tags")
    return [tag for tag in tags if isinstance(tag, Mapping)] if isinstance(tags, list) else []


def _parameters(node: Mapping[str, Any]) -> dict[str, Any]:
    given = node.get("parameters")
    if not isinstance(given, Mapping):
        return {}
    return {
        name: value.get("value", "") if isinstance(value, Mapping) else value for name, value in given.items()
    }


def _filled(value: Any, parameters: Mapping[str, Any]) -> str:
    """The text with parameters filled in, once; a binding's text is its own."""
    return _PARAMETER.sub(lambda match: str(parameters.get(match[1], match[0])), _text(value))


def _text(value: Any) -> str:
    if isinstance(value, Mapping):  # {"bindType": "parameter", "binding": "…"}
        value = value.get("binding", "")
    return "" if value is None else str(value)


def _node(item: str) -> str:
    """``nsu=…;s=…`` and ``ns=1;s=[Device]Tag`` as they are; a bare ``[Device]Tag`` lies in Ignition's own namespace."""
    return item if re.match(r"(nsu?=[^;]+;)?[isgb]=", item) else f"ns=1;s={item}"


def _type(tag: Mapping[str, Any]) -> str:
    word = _text(tag.get("dataType", "Int4"))
    return _TYPES.get(word) or opcua_type(word)


def _scaling(tag: Mapping[str, Any]) -> tuple[float, float]:
    """(scale, offset) of linear scaling; raw equals scaled otherwise."""
    if tag.get("scaleMode") != "Linear":
        return 1.0, 0.0
    raw_low, raw_high = _number(tag.get("rawLow"), 0.0), _number(tag.get("rawHigh"), 10.0)
    low, high = _number(tag.get("scaledLow"), 0.0), _number(tag.get("scaledHigh"), 10.0)
    if raw_high == raw_low or high == low:
        return 1.0, 0.0
    scale = (high - low) / (raw_high - raw_low)
    return scale, low - raw_low * scale


def _limits(tag: Mapping[str, Any]) -> Limits:
    low, high = tag.get("engLow"), tag.get("engHigh")
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low < high:
        return Limits(minimum=float(low), maximum=float(high))
    return Limits()


def _deadband(tag: Mapping[str, Any]) -> float:
    if tag.get("deadbandMode", "Absolute") != "Absolute":
        return 0.0
    return max(_number(tag.get("deadband"), 0.0), 0.0)


def _number(value: Any, otherwise: float) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else otherwise
