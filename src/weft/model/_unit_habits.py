"""What people write instead of UCUM, and what they mean by it."""

from __future__ import annotations

import difflib
import re
from functools import cache
from typing import Final

from weft.model._unece import COMMON_CODES
from weft.model._unit_reader import Reader, UnitSyntax
from weft.model._unit_table import ATOMS

__all__ = ["DOUBTFUL", "HABITS", "is_code", "nearest"]

# How people write it -> how UCUM does.
HABITS: Final = {
    "°C": "Cel", "degC": "Cel", "celsius": "Cel", "℃": "Cel", "°F": "[degF]", "degF": "[degF]", "℉": "[degF]",
    "°": "deg", "rpm": "{rev}/min", "RPM": "{rev}/min", "rev/min": "{rev}/min",
    "kWh": "kW.h", "Wh": "W.h", "MWh": "MW.h", "GWh": "GW.h", "kvarh": "kV.A{reactive}.h", "kVAh": "kV.A.h",
    "Ah": "A.h", "mAh": "mA.h", "VA": "V.A", "kVA": "kV.A", "MVA": "MV.A", "var": "V.A{reactive}",
    "kvar": "kV.A{reactive}", "kVAr": "kV.A{reactive}", "Nm": "N.m", "kNm": "kN.m", "Ncm": "N.cm", "Pas": "Pa.s",
    "psi": "[psi]", "PSI": "[psi]", "ppm": "[ppm]", "ppb": "[ppb]", "‰": "[ppth]", "pH": "[pH]", "hp": "[HP]",
    "in": "[in_i]", "inch": "[in_i]", "ft": "[ft_i]", "feet": "[ft_i]", "yd": "[yd_i]", "mi": "[mi_i]", "mil": "[mil_i]",
    "mph": "[mi_i]/h", "kn": "[kn_i]", "lb": "[lb_av]", "lbs": "[lb_av]", "oz": "[oz_av]", "lbf": "[lbf_av]",
    "gal": "[gal_us]", "gpm": "[gal_us]/min", "cfm": "[cft_i]/min", "bbl": "[bbl_us]", "Btu": "[Btu_IT]", "BTU": "[Btu_IT]",
    "ohm": "Ohm", "Ω": "Ohm", "kΩ": "kOhm", "MΩ": "MOhm", "sec": "s", "seconds": "s", "hr": "h", "hour": "h", "hours": "h",
    "day": "d", "days": "d", "year": "a", "mins": "min", "pcs": "{pcs}", "pc": "{pcs}", "Stk": "{pcs}", "parts": "{parts}",
    "count": "{count}", "counts": "{count}", "pieces": "{pcs}", "byte": "By", "bytes": "By", "percent": "%", "pct": "%",
    "mmHg": "mm[Hg]", "inHg": "[in_i'Hg]", "mmH2O": "mm[H2O]", "NTU": "[NTU]", "micron": "um", "Nl/min": "l/min",
    "Nm3/h": "m3/h{norm}", "Nm³/h": "m3/h{norm}", "g-force": "[g]", "none": "1", "-": "1",
}  # fmt: skip

# Valid codes that on a shop floor nearly always mean something else.
DOUBTFUL: Final = {
    "C": "Cel", "F": "[degF]", "ft": "[ft_i]", "PS": "[HP]", "mph": "[mi_i]/h", "pt": "[pt_us]", "Mm": "mm",
    "Mbar": "mbar", "U/min": "{rev}/min", "pH": "[pH]", "Gal": "[gal_us]", "dag": "d", "hp": "[HP]", "Nm": "N.m",
}  # fmt: skip

_UNICODE: Final = str.maketrans(
    {"\u00b5": "u", "\u03bc": "u", "\u03a9": "Ohm", "\u2126": "Ohm", "²": "2", "³": "3", "¹": "1", "⁻": "-"}
    | {"·": ".", "\u22c5": ".", "×": ".", "*": ".", " ": "."}  # noqa: RUF001  # what people type
)


def is_code(code: str) -> bool:
    try:
        Reader(code).read()
    except UnitSyntax:
        return False
    return True


def nearest(code: str) -> str:
    """A valid code that ``code`` may be meant for, or an empty text."""
    code = code.strip()
    plain = code.translate(_UNICODE)
    for attempt in (HABITS.get(code, ""), plain, _by_parts(code), _by_parts(plain)):
        if attempt and is_code(attempt):
            return attempt
    near = difflib.get_close_matches(code, _known(), n=1, cutoff=0.7)
    return near[0] if near else ""


def _by_parts(code: str) -> str:
    """Each factor as habit has it (``kWh/m²`` -> ``kW.h/m2``); a temperature beside others is a difference."""
    parts = [_part(part) for part in re.split(r"([./])", code)]
    return "".join("K" if part == "Cel" and len(parts) > 1 else part for part in parts)


def _part(part: str) -> str:
    if part in HABITS or is_code(part):
        return HABITS.get(part, part)
    plain = part.translate(_UNICODE)
    stem = re.sub(r"\^?\d+$", "", plain)
    power = plain[len(stem) :].lstrip("^")
    return _folded().get(stem.casefold(), stem) + power


@cache
def _known() -> list[str]:
    return [*dict.fromkeys(COMMON_CODES.values()), *ATOMS]


@cache
def _folded() -> dict[str, str]:
    """Codes, habits and English names whatever their case; what is commoner goes first."""
    folded: dict[str, str] = {}
    for written, code in (*((c, c) for c in _known()), *HABITS.items(), *_names()):
        folded.setdefault(written.casefold(), code)
    return folded


def _names() -> list[tuple[str, str]]:
    names = [(atom.name, atom.code) for atom in ATOMS.values()]
    american = [(name.replace("metre", "meter").replace("litre", "liter"), code) for name, code in names]
    return [*names, *american, *((f"{name}s", code) for name, code in (*names, *american))]
