"""Engineering units: EUInformation (OPC 10000-8, 5.6.4) to UCUM where the UNECE code is a common one."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["unit_of"]

# UNECE Recommendation 20 common code: UCUM
_UCUM: Final = {
    "C62": "1", "P1": "%", "59": "[ppm]", "CEL": "Cel", "KEL": "K", "FAH": "[degF]", "DD": "deg", "C81": "rad",
    "MTR": "m", "MMT": "mm", "CMT": "cm", "4H": "um", "C45": "nm", "KMT": "km", "INH": "[in_i]",
    "MTK": "m2", "MMK": "mm2", "MTQ": "m3", "LTR": "L", "MLT": "mL", "SEC": "s", "C26": "ms", "MIN": "min",
    "HUR": "h", "DAY": "d", "KGM": "kg", "GRM": "g", "TNE": "t", "NEW": "N", "B47": "kN", "NU": "N.m",
    "PAL": "Pa", "KPA": "kPa", "MPA": "MPa", "BAR": "bar", "MBR": "mbar", "HTZ": "Hz", "KHZ": "kHz",
    "RPM": "{rpm}", "RPS": "1/s", "MTS": "m/s", "2X": "m/min", "C16": "mm/s", "KMH": "km/h", "MSK": "m/s2",
    "AMP": "A", "4K": "mA", "VLT": "V", "2Z": "mV", "KVT": "kV", "WTT": "W", "KWT": "kW", "MAW": "MW",
    "JOU": "J", "KJO": "kJ", "WHR": "W.h", "KWH": "kW.h", "MWH": "MW.h", "OHM": "Ohm", "D46": "V.A",
    "MQH": "m3/h", "L2": "L/min", "KGS": "kg/s", "E93": "kg/h", "GL": "g/L", "LUX": "lx", "2N": "dB",
}  # fmt: skip


def unit_of(information: Any) -> str:
    """UCUM code, else the display name, else nothing."""
    body = information.get("body") if isinstance(information, dict) else None
    if not isinstance(body, dict):
        return ""
    number = body.get("UnitId")
    if isinstance(number, int) and 0 < number < 1 << 24:
        code = number.to_bytes(3, "big").lstrip(b"\0").decode("ascii", "replace")
        if code in _UCUM:
            return _UCUM[code]
    name = body.get("DisplayName")
    return (name.get("text") or "") if isinstance(name, dict) else ""
