"""A register map of the plant's own, as a CSV file: what a maker's manual says, written once for all its devices.

Columns: ``name``, ``register``, and as needed ``table``, ``layout``, ``unit`` (UCUM), ``scale``, ``description``,
``null``, ``states`` (``0=off; 1=on``), ``writable`` (``yes``) and ``unit_id``. A layout is a type and what belongs to
it: ``float32 CDAB``, ``uint16 bit 3``, ``uint16 bits 4 3``, ``string 8``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from weft.connect.modbus.address import Address
from weft.connect.modbus.place import Place
from weft.runtime import NeedsHuman

__all__ = ["Entry", "exact", "load"]

MOST_BYTES: Final = 8 * 1024 * 1024
COLUMNS: Final = frozenset(
    "name register table layout unit scale description null states writable unit_id".split()
)
_ORDERS: Final = frozenset({"ABCD", "BADC", "CDAB", "DCBA"})
_YES: Final = frozenset({"yes", "true", "1", "rw", "x"})


class Entry(Struct, frozen=True, kw_only=True):
    """A line of a map. ``written`` is the address as a plant's folder would say it without the map."""

    name: str
    written: Address
    scale: tuple[int, int] = (1, 0)
    unit: str = ""
    description: str = ""
    states: dict[int, str] = {}
    writable: bool = False

    def place(self, unit: int) -> Place:
        """Where it lies in this unit."""
        place = self.written.place(unit)
        multiple, exponent = self.scale
        return msgspec.structs.replace(
            place, multiple=multiple, exponent=exponent, read_only=place.read_only or not self.writable
        )


def load(path: str) -> dict[str, Entry]:
    """The map's lines by name. Raises NeedsHuman, naming file and line."""
    file = Path(path).expanduser()
    try:
        if file.stat().st_size > MOST_BYTES:
            raise NeedsHuman(f"The register map {path} has more than {MOST_BYTES >> 20} MiB.")
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise NeedsHuman(
            f"The register map {path} cannot be read: {error}.", remedy="Check `map` of the connection."
        ) from error
    rows = csv.DictReader(text.splitlines(), delimiter=_delimiter(text), strict=True)
    entries: dict[str, Entry] = {}
    try:
        unknown = {name.strip() for name in rows.fieldnames or ()} - COLUMNS
        if unknown:
            raise ValueError(f"an unknown column {min(unknown)!r}; there are {', '.join(sorted(COLUMNS))}")
        for row in rows:
            entry = _entry({k.strip(): (v or "").strip() for k, v in row.items() if isinstance(k, str)})
            if entry.name in entries:
                raise ValueError(f"a second line named {entry.name!r}")
            entries[entry.name] = entry
    except (ValueError, csv.Error, msgspec.ValidationError) as error:
        raise NeedsHuman(
            f"{path}, line {rows.line_num}: {error}.", remedy="Correct the register map."
        ) from error
    return entries


def exact(text: str) -> tuple[int, int]:
    """A decimal number as a whole one and a power of ten. Raises ValueError."""
    try:
        _, digits, exponent = Decimal(text.replace(",", ".")).normalize().as_tuple()
    except InvalidOperation:
        raise ValueError(f"the scale {text!r} is no number") from None
    multiple = int("".join(map(str, digits)))
    if not isinstance(exponent, int) or not multiple or not -15 <= exponent <= 15 or multiple >= 2**53:
        raise ValueError(f"the scale {text!r} is no factor to use")
    return (-multiple if text.lstrip().startswith("-") else multiple), exponent


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


def _entry(row: Mapping[str, str]) -> Entry:
    if not row.get("name"):
        raise ValueError("a line without a name")
    parts: dict[str, Any] = {"register": _number(row.get("register", ""), "register")}
    parts |= {key: row[key] for key in ("table",) if row.get(key)}
    parts |= {key: _number(row[name], name) for key, name in _NUMBERS if row.get(name)}
    parts |= _layout(row.get("layout", ""))
    return Entry(
        name=row["name"],
        written=msgspec.convert(parts, Address),
        scale=exact(row["scale"]) if row.get("scale") else (1, 0),
        unit=row.get("unit", ""),
        description=row.get("description", ""),
        states=_states(row.get("states", "")),
        writable=row.get("writable", "").lower() in _YES,
    )


_NUMBERS: Final = (("null", "null"), ("unit", "unit_id"))


def _number(text: str, what: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"the {what} {text!r} is no whole number") from None


def _layout(text: str) -> dict[str, Any]:
    words = text.split()
    if not words:
        return {}
    parts: dict[str, Any] = {"type": words.pop(0).lower()}
    if parts["type"] == "string" and words:
        parts["length"] = _number(words.pop(0), "length")
    while words:
        word = words.pop(0)
        if word.upper() in _ORDERS:
            parts["order"] = word.upper()
        elif word == "bit" and words:
            parts["bit"] = _number(words.pop(0), "bit")
        elif word == "bits" and len(words) > 1:
            parts["bits"] = [_number(words.pop(0), "first bit"), _number(words.pop(0), "count of bits")]
        else:
            raise ValueError(f"the layout {text!r} is not like float32 CDAB, uint16 bits 4 3 or string 8")
    return parts


def _states(text: str) -> dict[int, str]:
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    if any(not equals for _, equals, _ in pairs):
        raise ValueError(f"the states {text!r} are not like 0=off; 1=on")
    return {_number(number.strip(), "state"): name.strip() for number, _, name in pairs}
