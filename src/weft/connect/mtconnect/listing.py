"""What a browse shows: the data items with type, unit and present value."""

from __future__ import annotations

from typing import Any, Final

from weft.connect.api import Found
from weft.connect.mtconnect.document import Observation
from weft.connect.mtconnect.model import Item
from weft.connect.mtconnect.units import ucum
from weft.connect.mtconnect.values import is_lost
from weft.model import Limits, ValueType, quality

__all__ = ["found"]

SHOWN: Final = 200  # characters of a value
_COUNTS: Final = frozenset(
    {"LINE_NUMBER", "PART_COUNT", "LINE", "BLOCK_COUNT", "LOAD_COUNT", "UNLOAD_COUNT", "CYCLE_COUNT"}
)


def found(item: Item, seen: Observation | None, *, several_devices: bool) -> Found:
    """One line of a browse; ``seen`` is the item's present observation."""
    address: dict[str, Any] = {"id": item.id}
    if several_devices:
        address["device"] = item.device
    status, value = _value(item, seen)
    return Found(
        name=item.name or item.id,
        address=address,
        type=_type(item),
        unit=ucum(item.units) if item.category == "SAMPLE" else "",
        description=_description(item),
        value=value,
        status=status,
        folder="/".join((item.device, *item.place)),
        limits=Limits(minimum=item.minimum, maximum=item.maximum),
        semantic=f"mtconnect:{item.type}{':' + item.sub_type if item.sub_type else ''}",
    )


def _type(item: Item) -> ValueType | None:
    if item.is_set or item.category == "CONDITION":
        return ValueType.STRING
    if item.category == "SAMPLE":
        return None if item.units.endswith("_3D") else ValueType.DOUBLE
    return ValueType.INT64 if item.type in _COUNTS else ValueType.STRING


def _value(item: Item, seen: Observation | None) -> tuple[int, Any]:
    if seen is None:
        return quality.BAD_WAITING_FOR_INITIAL_DATA, None
    if is_lost(seen):
        return quality.BAD_NO_COMMUNICATION, None
    if seen.entries is not None:
        return quality.GOOD, str(seen.entries)[:SHOWN]
    text = " ".join(part for part in (seen.level, seen.text.strip()) if part)[:SHOWN]
    if _type(item) == ValueType.DOUBLE and not item.is_series:
        try:
            return quality.GOOD, float(text)
        except ValueError:
            return quality.GOOD, text
    return quality.GOOD, text


def _description(item: Item) -> str:
    words = [item.type.replace("_", " ").capitalize(), item.sub_type.replace("_", " ").lower()]
    words += [item.statistic.lower(), item.category.lower()]
    if item.representation != "VALUE":
        words.append(item.representation.replace("_", " ").lower())
    if item.native_units and item.native_units != item.units:
        words.append(f"machine counts in {item.native_units}")
    return ", ".join(word for word in words if word)
