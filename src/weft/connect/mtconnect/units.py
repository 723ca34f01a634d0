"""MTConnect's units (part 2, Units) as UCUM codes."""

from __future__ import annotations

from typing import Final

__all__ = ["ucum"]

_WORDS: Final = {
    "AMPERE": "A", "CELSIUS": "Cel", "COULOMB": "C", "COUNT": "1", "CUBIC_MILLIMETER": "mm3", "DECIBEL": "dB",
    "DEGREE": "deg", "FARAD": "F", "GRAM": "g", "HENRY": "H", "HERTZ": "Hz", "HOUR": "h", "JOULE": "J",
    "KELVIN": "K", "KILOGRAM": "kg", "KILOMETER": "km", "KILOPASCAL": "kPa", "KILOWATT": "kW", "LITER": "L",
    "METER": "m", "MILLIGRAM": "mg", "MILLILITER": "mL", "MILLIMETER": "mm", "MINUTE": "min", "MICRON": "um",
    "MICRO_RADIAN": "urad", "NEWTON": "N", "NEWTON_METER": "N.m", "OHM": "Ohm", "PASCAL": "Pa", "PERCENT": "%",
    "PH": "[pH]", "RADIAN": "rad", "RANKINE": "[degR]", "REVOLUTION": "{rev}", "SECOND": "s", "SIEMENS": "S",
    "SQUARE_MILLIMETER": "mm2", "TESLA": "T", "TONNE": "t", "VOLT": "V", "VOLT_AMPERE": "V.A",
    "VOLT_AMPERE_REACTIVE": "V.A{reactive}", "WATT": "W", "WATT_SECOND": "W.s", "WATT_HOUR": "W.h",
    "KILOWATT_HOUR": "kW.h", "PASCAL_SECOND": "Pa.s", "JOULE_SECOND": "J.s", "POUND": "[lb_av]", "INCH": "[in_i]",
    "FOOT": "[ft_i]", "FAHRENHEIT": "[degF]", "BAR": "bar", "TORR": "mm[Hg]", "GRAVITATIONAL_ACCELERATION": "[g]",
    "CELCIUS": "Cel",  # spelled so in many device files
}  # fmt: skip
_WHOLE: Final = {"REVOLUTION/MINUTE": "/min", "REVOLUTION/SECOND": "/s", "CUBIC_FOOT/HOUR": "[cft_i]/h"}


def ucum(unit: str) -> str:
    """The UCUM code; empty for a unit that has none (vendors' own ones). A vector has the unit of its parts."""
    unit = unit.removesuffix("_3D")
    if unit in _WHOLE:
        return _WHOLE[unit]
    codes = []
    for factor in unit.split("/"):
        word, _, power = factor.partition("^")
        code = _WORDS.get(word)
        if code is None or (power and not power.isdecimal()):
            return ""
        codes.append(code + power)
    return "/".join(codes)
