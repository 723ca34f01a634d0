"""Kepware: the tag list of a device as CSV, and a whole project as JSON.

A tag behind KEPServerEX can be read in two ways: from the server itself over OPC UA, as ``Channel.Device.Tag``, or
from the device without the server between. What is imported is the first, which always works; of devices on the
Modbus driver the second, on demand.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from weft.model import Limits
from weft.onboard.draft import Draft, Line, Row
from weft.onboard.registers import opcua_type
from weft.runtime import Invalid

__all__ = ["is_csv", "is_project", "read_csv", "read_project"]

ENDPOINT: Final = "opc.tcp://127.0.0.1:49320"
HEADER: Final = "Tag Name"
_TYPES: Final = {
    0: "String", 1: "Boolean", 2: "Char", 3: "Byte", 4: "Short", 5: "Word", 6: "Long", 7: "DWord", 8: "Float",
    9: "Double", 10: "BCD", 11: "LBCD", 12: "Date", 13: "LLong", 14: "QWord",
}  # fmt: skip
_GROUPS: Final = ("tag_groups", "devices")


def is_csv(text: str) -> bool:
    first = text.lstrip("\ufeff").partition("\n")[0]
    return HEADER in first and "Address" in first and "Data Type" in first


def read_csv(text: str, *, name: str) -> Draft:
    """A device's tag list; ``name`` (``Channel1.Device1``) is not in it and is the file's. Raises Invalid."""
    draft = Draft()
    connection = draft.add_line(name, _server("Tags of a KEPServerEX device, read through its OPC UA server"))
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    try:
        for cells in reader:
            place = f"line {reader.line_num}"
            if None in cells or not (cells.get(HEADER) or "").strip():
                draft.note(place, "No tag stands here: the cells do not fit the header.")
                continue
            _tag(draft, connection, name, _of_cells(cells), place)
    except csv.Error as error:
        raise Invalid(f"Not a tag list: {error} in line {reader.line_num}.") from error
    return draft


def is_project(document: Any) -> bool:
    return (
        isinstance(document, Mapping)
        and isinstance(document.get("project"), Mapping)
        and "channels" in document["project"]
    )


def read_project(document: Mapping[str, Any]) -> Draft:
    """A project saved as JSON: every tag of every device of every channel."""
    draft = Draft()
    connection = draft.add_line("kepware", _server("A KEPServerEX, read through its OPC UA server"))
    for channel in _listed(document["project"], "channels"):
        title = str(channel.get("common.ALLTYPES_NAME", ""))
        driver = channel.get("servermain.MULTIPLE_TYPES_DEVICE_DRIVER", "")
        if not any(True for _ in _tags(channel, title)):
            draft.note(
                title,
                f"The channel (driver {driver!r}) has no tags of its own; what it makes by itself is browsed.",
            )
        for above, tag in _tags(channel, title):
            _tag(
                draft,
                connection,
                above,
                _of_properties(tag),
                f"{above}.{tag.get('common.ALLTYPES_NAME', '')}",
            )
    return draft


def _server(description: str) -> Line:
    config = {"endpoint": ENDPOINT, "trust_on_first_use": True}
    return Line(protocol="opcua", config=config, description=description)


class _Tag(msgspec.Struct, kw_only=True):
    name: str
    type: str = ""
    description: str = ""
    scaling: str = ""
    raw: tuple[float, float] = (0.0, 1000.0)
    scaled: tuple[float, float] = (0.0, 1000.0)
    unit: str = ""


def _tag(draft: Draft, connection: str, above: str, tag: _Tag, place: str) -> None:
    kind = opcua_type(tag.type)
    if tag.type and not kind and tag.type.casefold() != "default":
        draft.note(place, f"The data type {tag.type!r} is not known: the signal is as the server sends it.")
    # Groups within a device are joined by dots in the tag's own name.
    *groups, name = tag.name.split(".")
    limits = Limits()
    if tag.scaling.casefold() not in {"", "none", "0"}:
        low, high = sorted(tag.scaled)  # scaled in the server already: the range is what is left to know
        limits = Limits(minimum=low, maximum=high)
    draft.add(
        Row(
            asset="/".join([*above.split("."), *groups]),
            name=name,
            connection=connection,
            address={"node": f"ns=2;s={above}.{tag.name}"},
            type="" if tag.scaling.casefold() not in {"", "none", "0"} else kind,
            unit=draft.unit(tag.unit, place),
            description=tag.description,
            limits=limits,
            place=place,
        )
    )


def _of_cells(cells: Mapping[str, str | None]) -> _Tag:
    def cell(column: str) -> str:
        return (cells.get(column) or "").strip()

    return _Tag(
        name=cell(HEADER),
        type=cell("Data Type"),
        description=cell("Description"),
        scaling=cell("Scaling"),
        scaled=(_number(cell("Scaled Low"), 0.0), _number(cell("Scaled High"), 1000.0)),
        unit=cell("Eng Units"),
    )


def _of_properties(tag: Mapping[str, Any]) -> _Tag:
    kind = tag.get("servermain.TAG_DATA_TYPE", -1)
    array = isinstance(kind, int) and kind >= 20  # arrays are numbered from 20 on
    return _Tag(
        name=str(tag.get("group", "")) + str(tag.get("common.ALLTYPES_NAME", "")),
        type="" if array else _TYPES.get(kind, "" if kind == -1 else f"number {kind}"),
        description=str(tag.get("common.ALLTYPES_DESCRIPTION", "")),
        scaling=str(tag.get("servermain.TAG_SCALING_TYPE", 0)),
        scaled=(
            _number(tag.get("servermain.TAG_SCALING_SCALED_LOW"), 0.0),
            _number(tag.get("servermain.TAG_SCALING_SCALED_HIGH"), 1000.0),
        ),
        unit=str(tag.get("servermain.TAG_SCALING_UNITS", "")),
    )


def _tags(channel: Mapping[str, Any], above: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(``Channel.Device``, tag), the groups of a tag before its name."""
    for device in _listed(channel, "devices"):
        owner = f"{above}.{device.get('common.ALLTYPES_NAME', '')}"
        yield from ((owner, tag) for tag in _grouped(device, ""))


def _grouped(holder: Mapping[str, Any], group: str) -> Iterator[Mapping[str, Any]]:
    for tag in _listed(holder, "tags"):
        yield {**tag, "group": group}
    for inner in _listed(holder, "tag_groups"):
        yield from _grouped(inner, f"{group}{inner.get('common.ALLTYPES_NAME', '')}.")


def _listed(holder: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = holder.get(key)
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []


def _number(text: Any, otherwise: float) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return otherwise
