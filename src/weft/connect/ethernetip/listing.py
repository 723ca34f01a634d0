"""A controller's tags as they can be used: elementary ones, arrays of them, and the members of structures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from weft.connect.api import Found
from weft.connect.ethernetip.driver import Driver
from weft.connect.ethernetip.types import kind_of
from weft.model import ARRAY, ValueType

__all__ = ["listing"]

DEEPEST: Final = 8
AT_ONCE: Final = 200
MOST_SHOWN: Final = 100  # elements of an array whose value is read


async def listing(driver: Driver, start: str) -> AsyncIterator[Found]:
    """Raises Retry."""
    entries = [
        entry for name, tag in driver.tags.items() if name.startswith(start) for entry in _of_tag(name, tag)
    ]
    for at in range(0, len(entries), AT_ONCE):
        part = entries[at : at + AT_ONCE]
        shown = [entry["address"]["tag"] for entry in part if entry["address"].get("count", 1) <= MOST_SHOWN]
        asked = [_request(entry) for entry in part if entry["address"].get("count", 1) <= MOST_SHOWN]
        results = dict(zip(shown, await driver.read(asked), strict=True))
        for entry in part:
            result = results.get(entry["address"]["tag"])
            value = None if result is None or result.fault else result.value
            yield Found(**entry, value=value)


def _request(entry: Mapping[str, Any]) -> str:
    address = entry["address"]
    return f"{address['tag']}{{{address['count']}}}" if "count" in address else str(address["tag"])


def _of_tag(name: str, tag: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    writable = tag.get("external_access") == "Read/Write"
    folder, _, short = name.rpartition(".") if name.startswith("Program:") else ("", "", name)
    count = 1
    for size in tag["dimensions"][: tag["dim"]]:
        count *= size
    more = {"folder": folder, "writable": writable}
    yield from _of_type(name, short, tag["data_type"], count if tag["dim"] else 0, more, DEEPEST)


def _of_type(
    path: str, name: str, type: Any, count: int, more: dict[str, Any], depth: int
) -> Iterator[dict[str, Any]]:
    """``type`` is the name of an elementary type, or a structure as pycomm3 describes it."""
    if isinstance(type, str) or "string" in type:
        kind = kind_of(type) if isinstance(type, str) else int(ValueType.STRING)
        if type == "DWORD" and count:
            kind, count = int(ValueType.BOOLEAN), count * 32  # an array of bits is kept in words
        if kind is None:
            return
        address: dict[str, Any] = {"tag": path} | ({"count": count} if count else {})
        element = ValueType(kind & ~ARRAY)
        text = f"array of {count}" if count else ""
        yield {"name": name, "address": address, "type": element, "description": text, **more}
        return
    if depth == 0 or count:
        # Of an array of structures the first element shows what is in all of them.
        if not depth:
            return
        path, name = f"{path}[0]", f"{name}[0]"
    for member, info in type["internal_tags"].items():
        if member not in type["attributes"]:
            continue
        inner = info["data_type"]
        yield from _of_type(
            f"{path}.{member}", f"{name}.{member}", inner, info.get("array") or 0, more, depth - 1
        )
