"""Units of measure by their UCUM code (The Unified Code for Units of Measure 2.2, case sensitive).

``parse("m3/h")`` checks a code and says its dimension; :func:`conversion` gives the two numbers that turn a
value of one unit into another; :func:`symbol` is what people read. OPC UA's numbers for units
(EUInformation.unitId, OPC 10000-8, 5.6.3: the UNECE common code read as bytes) go both ways.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Final

import msgspec

from weft.model._unece import COMMON_CODES
from weft.model._unit_habits import DOUBTFUL, is_code, nearest
from weft.model._unit_reader import Reader, Term, UnitSyntax, split_atom
from weft.model._unit_table import ATOMS, BASE, PREFIXES

__all__ = [
    "UNECE_NAMESPACE",
    "BadUnit",
    "Unit",
    "common_code",
    "conversion",
    "doubtful",
    "from_common_code",
    "from_unit_id",
    "parse",
    "symbol",
    "unit_id",
]

UNECE_NAMESPACE: Final = "http://www.opcfoundation.org/UA/units/un/cefact"


class BadUnit(ValueError):
    """Not a UCUM code, or units of different kinds. ``nearest`` is a code that may be meant, or empty."""

    def __init__(self, message: str, *, code: str, nearest: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.nearest = nearest


class Unit(msgspec.Struct, frozen=True):
    """A checked code. ``dimension`` holds the exponents of metre, second, gram, radian, kelvin, coulomb and
    candela (UCUM's base); a value v is ``v * factor + offset`` in that base. ``scale`` names what no
    dimension tells apart: logarithmic levels and arbitrary units, each with its exponent."""

    code: str
    dimension: tuple[int, ...]
    factor: float
    offset: float = 0.0
    scale: tuple[tuple[str, int], ...] = ()


def parse(code: str) -> Unit:
    """The unit of a code such as ``kW.h``, ``m3/h``, ``/min``, ``{parts}`` or ``10*3/ul``. Raises BadUnit."""
    term = _term(code)
    try:
        factor = float(term.factor)
    except OverflowError:
        factor = 0.0
    if not factor:
        raise BadUnit(f"{code!r} is larger or smaller than a number can say", code=code)
    return Unit(code, term.dimension, factor, float(term.shift), term.scale)


def conversion(source: str, target: str) -> tuple[float, float]:
    """(scale, offset) with ``value in target = value in source * scale + offset``, correctly rounded.
    Raises BadUnit for codes that are none and for units of different kinds."""
    a, b = _term(source), _term(target)
    if (a.dimension, a.scale) != (b.dimension, b.scale):
        raise BadUnit(
            f"{source!r} ({_kind(a)}) cannot be converted into {target!r} ({_kind(b)})", code=target
        )
    try:
        return float(a.factor / b.factor), float((a.shift - b.shift) / b.factor)
    except OverflowError:
        raise BadUnit(f"{source!r} in {target!r} is larger than a number can say", code=target) from None


@lru_cache(maxsize=4096)
def _term(code: str) -> Term:
    try:
        return Reader(code).read()
    except UnitSyntax as error:
        instead = error.instead if is_code(error.instead) else nearest(code)
        raise BadUnit(str(error), code=code, nearest=instead) from None


def _kind(term: Term) -> str:
    parts = [*zip(BASE, term.dimension, strict=True), *term.scale]
    return (
        ".".join(f"{name}{power if power != 1 else ''}" for name, power in parts if power) or "no dimension"
    )


def doubtful(code: str) -> tuple[str, str] | None:
    """For a valid code that is rarely meant: what it says (``femtotonne``) and the code more likely meant."""
    instead = DOUBTFUL.get(code)
    return None if instead is None else (_name(code), instead)


def _name(code: str) -> str:
    found = split_atom(code.partition("/")[0])
    if found is None:
        return code
    prefix, atom = found
    return (PREFIXES[prefix][2] if prefix else "") + ATOMS[atom].name


_SHOWN: Final = re.compile(
    r"(?P<note>\{[^{}]*\})|(?P<ten>10[*^])|(?P<unit>(?:\[[^\[\]]*\]|[A-Za-z%'_])+)|(?P<digits>[+-]?\d+)"
)
_POWERS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+")
_SHORT: Final = {
    "1": "", "{rev}/min": "rpm", "kW.h": "kWh", "W.h": "Wh", "MW.h": "MWh", "GW.h": "GWh", "A.h": "Ah", "mA.h": "mAh",
    "V.A": "VA", "kV.A": "kVA", "MV.A": "MVA", "V.A{reactive}": "var", "kV.A{reactive}": "kvar",
    "MV.A{reactive}": "Mvar", "kV.A{reactive}.h": "kvarh", "kV.A.h": "kVAh", "N.m": "Nm", "kN.m": "kNm",
}  # fmt: skip


@lru_cache(maxsize=4096)
def symbol(code: str) -> str:
    """What people read: ``°C``, ``m³/h``, ``kWh``; empty for ``1`` and no unit. Never raises: a code that is
    none stays as it is."""
    if code in _SHORT or not code:
        return _SHORT.get(code, "")
    if not is_code(code):
        return code
    only_notes = not re.sub(r"\{[^{}]*\}|[./()1]", "", code)
    text = _SHOWN.sub(lambda match: _show(match, only_notes), code).replace(".", "·")
    return f"1{text}" if text.startswith("/") else text


def _show(match: re.Match[str], only_notes: bool) -> str:
    text = match.group()
    if match.lastgroup == "note":
        before = match.string[: match.start()]
        stands_alone = not before or before[-1] in "./("
        return text[1:-1] if only_notes or stands_alone else ""
    if match.lastgroup == "ten":
        return "10"
    if match.lastgroup == "digits":
        before = match.string[: match.start()]
        is_factor = not before or before[-1] in "./("
        return text if is_factor else text.translate(_POWERS)
    found = split_atom(text)
    if found is None:
        return text
    prefix, atom = found
    return (PREFIXES[prefix][1] if prefix else "") + ATOMS[atom].symbol


@cache
def _codes_of() -> dict[str, str]:
    codes: dict[str, str] = {}
    for common, ucum in COMMON_CODES.items():
        codes.setdefault(ucum, common)
    return codes


def common_code(code: str) -> str | None:
    """The UNECE Recommendation 20 code (``Cel`` -> ``CEL``), or None when there is none in the table."""
    return _codes_of().get(code)


def from_common_code(common: str) -> str | None:
    return COMMON_CODES.get(common)


def unit_id(code: str) -> int | None:
    """EUInformation.unitId in :data:`UNECE_NAMESPACE`: the common code's bytes as one number."""
    common = common_code(code)
    return None if common is None else int.from_bytes(common.encode("ascii"), "big")


def from_unit_id(number: int) -> str | None:
    """The UCUM code of a UNECE unitId, or None when it is unknown (or -1: the server knows none)."""
    if not 0 < number < 1 << 24:
        return None
    common = number.to_bytes(3, "big").lstrip(b"\0")
    return COMMON_CODES.get(common.decode("ascii")) if common.isascii() else None
