"""Documents of an agent: headers, observations in the order of their numbers, assets, errors (MTConnect part 1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

from weft.runtime.xml import Element, below, local

__all__ = [
    "Asset",
    "Header",
    "Observation",
    "Refusal",
    "Streams",
    "assets_of",
    "header_of",
    "refusal_of",
    "streams_of",
]

_KNOWN_CODES: Final = {"InvalidXPath": "INVALID_XPATH", "InvalidURI": "INVALID_URI", "NoDevice": "NO_DEVICE"}


class Refusal(Exception):
    """The agent answered with an error document; ``code`` as MTConnect spells it, ``OUT_OF_RANGE``."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}" if text else code)
        self.code = code
        self.text = text


class Header(NamedTuple):
    """``next`` is where to go on, ``first`` and ``last`` are what the agent's buffer holds; 0 where not said."""

    instance: int
    version: str
    sender: str
    next: int
    first: int
    last: int
    model_changed: str


class Observation(NamedTuple):
    """One value of one data item. ``level`` is a condition's, in capitals; ``entries`` are a data set's or
    table's, a removed one None."""

    sequence: int
    id: str
    time: str
    text: str
    level: str
    attributes: Mapping[str, str]
    entries: dict[str, Any] | None


class Streams(NamedTuple):
    header: Header
    observations: list[Observation]


class Asset(NamedTuple):
    """``text`` is the asset's own XML."""

    id: str
    type: str
    time: str
    device: str
    removed: bool
    text: str


def header_of(root: Element) -> Header:
    header = next(below(root, "Header"), None)
    get = {} if header is None else header.attrib
    return Header(
        _integer(get.get("instanceId")),
        get.get("version", ""),
        get.get("sender", ""),
        _integer(get.get("nextSequence")),
        _integer(get.get("firstSequence")),
        _integer(get.get("lastSequence")),
        get.get("deviceModelChangeTime", ""),
    )


def streams_of(root: Element) -> Streams:
    """The observations of an MTConnectStreams document; it groups them by component, here they are in order."""
    observations = [
        _observation(element, is_condition=local(group.tag) == "Condition")
        for streams in below(root, "Streams")
        for device in streams
        for component in device
        for group in component
        for element in group
        if "dataItemId" in element.attrib
    ]
    observations.sort(key=lambda one: one.sequence)
    return Streams(header_of(root), observations)


def _observation(element: Element, *, is_condition: bool) -> Observation:
    get = element.attrib
    entries = None
    if len(element) or get.get("count") == "0":
        entries = {entry.get("key", ""): _entry(entry) for entry in below(element, "Entry")}
    return Observation(
        _integer(get.get("sequence")),
        get["dataItemId"],
        get.get("timestamp", ""),
        element.text or "",
        local(element.tag).upper() if is_condition else "",
        get,
        entries,
    )


def _entry(entry: Element) -> str | dict[str, Any] | None:
    if entry.get("removed") == "true":
        return None
    cells = list(below(entry, "Cell"))
    return {cell.get("key", ""): _entry(cell) for cell in cells} if cells else (entry.text or "").strip()


def assets_of(root: Element) -> Iterator[Asset]:
    for group in below(root, "Assets"):
        for asset in group:
            text = ET.tostring(_bare(asset), encoding="unicode").strip()
            yield Asset(
                asset.get("assetId", ""),
                local(asset.tag),
                asset.get("timestamp", ""),
                asset.get("deviceUuid", ""),
                asset.get("removed") == "true",
                text,
            )


def _bare(element: Element) -> Element:
    """The element as a document without prefixes: the namespace is said once, on top."""
    space = element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""
    prefix = f"{{{space}}}"
    for inner in element.iter():
        inner.tag = inner.tag.removeprefix(prefix)
    if space:
        element.set("xmlns", space)
    element.tail = None
    return element


def refusal_of(root: Element) -> Refusal | None:
    """The first error of an MTConnectError document; None for any other. Since 2.6 the element's name is the
    code, before it was an attribute."""
    if local(root.tag) != "MTConnectError":
        return None
    errors = [error for group in below(root, "Errors") for error in group] or list(below(root, "Error"))
    if not errors:
        return Refusal("INTERNAL_ERROR", "an error without a reason")
    error = errors[0]
    name = local(error.tag)
    code = error.get("errorCode") or _KNOWN_CODES.get(name) or _in_capitals(name)
    message = next(below(error, "ErrorMessage"), error)
    return Refusal(code, (message.text or "").strip()[:500])


def _in_capitals(name: str) -> str:
    return "".join(f"_{char}" if char.isupper() else char for char in name).strip("_").upper()


def _integer(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and text.isascii() and len(text) <= 20 else 0
