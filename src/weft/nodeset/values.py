"""Values in a NodeSet2 file (OPC 10000-6, 5.3) that say something about a signal."""

from __future__ import annotations

import math
from collections.abc import Iterator

from weft.model import Limits
from weft.model.units import BadUnit, from_unit_id, parse
from weft.runtime.xml import Element, below, local

__all__ = ["enum_strings", "enum_values", "limits", "text", "unit"]


def unit(value: Element | None) -> str:
    """Of an EUInformation: the UCUM code of its number; else its display name where that is a code."""
    found = _first(value, "EUInformation")
    if found is None:
        return ""
    number = _number(found, "UnitId")
    code = from_unit_id(int(number)) if number is not None and math.isfinite(number) else None
    if code is not None:
        return code
    shown = next((text(name) for name in below(found, "DisplayName")), "")
    try:
        parse(shown)
    except BadUnit:
        return ""
    return shown


def limits(value: Element | None) -> Limits:
    """Of a Range: what the instrument can measure. Nothing where low is not below high."""
    found = _first(value, "Range")
    if found is None:
        return Limits()
    low, high = _number(found, "Low"), _number(found, "High")
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)) or low >= high:
        return Limits()
    return Limits(minimum=low, maximum=high)


def enum_strings(value: Element | None) -> dict[int, str]:
    """Of a list of localized texts: their places are the numbers."""
    if value is None or local(value.tag) != "ListOfLocalizedText":
        return {}
    return {number: text(one) for number, one in enumerate(below(value, "LocalizedText")) if text(one)}


def enum_values(value: Element | None) -> dict[int, str]:
    """Of a list of EnumValueType."""
    found = {}
    for one in _all(value, "EnumValueType"):
        number = _number(one, "Value")
        shown = next((text(name) for name in below(one, "DisplayName")), "")
        if number is not None and math.isfinite(number):
            found[int(number)] = shown or str(int(number))
    return found


def text(element: Element | None) -> str:
    """Of a String or a LocalizedText."""
    if element is None:
        return ""
    inner = next(below(element, "Text"), None)
    return " ".join(((inner if inner is not None else element).text or "").split())


def _all(value: Element | None, name: str) -> Iterator[Element]:
    """An ExtensionObject's body lies at a depth that depends on who wrote the file."""
    if value is not None:
        yield from (element for element in value.iter() if local(element.tag) == name)


def _first(value: Element | None, name: str) -> Element | None:
    return next(_all(value, name), None)


def _number(element: Element, name: str) -> float | None:
    for found in below(element, name):
        try:
            return float((found.text or "").strip())
        except ValueError:
            return None
    return None
