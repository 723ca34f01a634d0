"""Values, units, ages and states as people read them. The browser's script says ages the same way."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from weft.model import ARRAY, Flag, Row, Signal, ValueType, instant, quality

__all__ = [
    "Mark",
    "age_text",
    "clock_text",
    "count_text",
    "due_text",
    "mark_of",
    "moment",
    "number_text",
    "precise_text",
    "quality_text",
    "size_text",
    "states_of",
    "unit_text",
    "value_text",
    "zone",
]

NOTHING: Final = "\N{EM DASH}"
THIN: Final = "\N{NARROW NO-BREAK SPACE}"
LONGEST: Final = 160
SECOND: Final = 1_000_000_000


class Mark(StrEnum):
    """What is abnormal about a value, mildest first. Shown as a shape and a word, never by colour alone."""

    OK = "ok"
    NONE = "none"  # nothing has come yet
    LOW = "low"
    HIGH = "high"
    UNCERTAIN = "uncertain"
    BAD = "bad"


def mark_of(row: Row | None, signal: Signal) -> Mark:
    if row is None:
        return Mark.NONE
    severity = quality.severity(row.status)
    if severity != "good":
        return Mark.BAD if severity == "bad" else Mark.UNCERTAIN
    number = row.value
    if isinstance(number, (int, float)) and not isinstance(number, bool):
        low, high = signal.limits.low, signal.limits.high
        if low is not None and number < low:
            return Mark.LOW
        if high is not None and number > high:
            return Mark.HIGH
    return Mark.OK


def quality_text(row: Row | None, signal: Signal) -> str:
    """``good``, ``above 90``, ``no communication``, ``good, clock suspect``."""
    mark = mark_of(row, signal)
    if row is None:
        return "waiting"
    if mark is Mark.LOW:
        word = f"below {signal.limits.low:g}"
    elif mark is Mark.HIGH:
        word = f"above {signal.limits.high:g}"
    else:
        word = _status_words(row.status)
    for flag, text in _FLAG_WORDS.items():
        if row.flags & flag:
            word += f", {text}"
    return word


_FLAG_WORDS: Final = {
    Flag.CLOCK_SUSPECT: "clock suspect",
    Flag.SUBSTITUTED: "entered by hand",
    Flag.OVERFLOW: "some lost before",
}
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def _status_words(status: int) -> str:
    """``BadNoCommunication`` -> ``no communication``."""
    name = quality.status_name(status)
    words = _CAMEL.sub(" ", name).lower()
    severity, _, rest = words.partition(" ")
    return rest if rest and severity in {"bad", "uncertain"} else words


# --- values -----------------------------------------------------------------------------------------------


def value_text(row: Row | None, signal: Signal) -> str:
    """The value as text: five digits of a number, an enumeration's name, text as it came."""
    if row is None or row.value is None:
        return NOTHING
    value = row.value
    if isinstance(value, (bool, int)) and (name := signal.states.get(int(value))) is not None:
        return name
    if row.type & ARRAY or isinstance(value, (list, tuple)):
        return _list(value)
    if row.type == ValueType.DATETIME:
        return f"{instant.text(instant.from_filetime(value), 0).replace('T', ' ')[:-1]} UTC"
    return _scalar(value, grouped=bool(signal.unit))


def _scalar(value: Any, *, grouped: bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _grouped(str(value)) if grouped else str(value).replace("-", MINUS)
    if isinstance(value, float):
        return number_text(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        return data[:16].hex(" ") + (f" … {len(data)} bytes" if len(data) > 16 else "")
    if isinstance(value, str):
        return _cut(value)
    return _cut(msgspec.json.encode(value, enc_hook=str).decode())


def _list(value: Any) -> str:
    items = list(value)
    text = ", ".join(_scalar(item, grouped=False) for item in items[:4])
    return f"[{text}{f', … {len(items)} values' if len(items) > 4 else ''}]"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def number_text(value: float) -> str:
    """Five significant digits, without an exponent where people can do without."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else ("∞" if value > 0 else f"{MINUS}∞")
    size = abs(value)
    if size == 0:
        return "0"
    if not 1e-4 <= size < 1e12:
        return f"{value:.4e}".replace("-", MINUS)
    digits = 4 if size < 1 else max(4 - math.floor(math.log10(size)), 0)
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return _grouped(text)


MINUS: Final = "\N{MINUS SIGN}"


def _grouped(text: str) -> str:
    """Thousands set apart from five digits on."""
    whole, point, fraction = text.partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    if len(digits) > 4:
        digits = f"{int(digits):,}".replace(",", THIN)
    return f"{sign and MINUS}{digits}{point}{fraction}"


# --- units ------------------------------------------------------------------------------------------------

_UNITS: Final = {
    "1": "", "Cel": "°C", "[degF]": "°F", "deg": "°", "Ohm": "Ω", "[psi]": "psi", "[in_i]": "in",
    "[ppm]": "ppm", "'": "\N{PRIME}", "''": "\N{DOUBLE PRIME}", "[lbf_av]": "lbf", "[gal_us]": "gal", "bar": "bar",
}  # fmt: skip
_TOKEN: Final = re.compile(r"\[[^\]]*\]|\{[^}]*\}|[A-Za-z%°'*^]+|-?\d+|[/.()]|.")
_SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def unit_text(code: str) -> str:
    """A UCUM code as people write it: ``Cel`` °C, ``m3/h`` m³/h, ``um`` µm, ``{parts}`` parts, ``1`` nothing."""
    if code in _UNITS:
        return _UNITS[code]
    parts = []
    for i, piece in enumerate(_TOKEN.findall(code)):
        if piece.startswith("{"):
            parts.append(piece[1:-1])
        elif piece.lstrip("-").isdigit():
            parts.append(piece if i == 0 else piece.translate(_SUPERSCRIPT))
        elif piece == ".":
            parts.append("·")
        else:
            parts.append(_UNITS.get(piece, _micro(piece)))
    text = "".join(parts)
    return f"1{text}" if text.startswith("/") else text


def _micro(token: str) -> str:
    return (
        "µ" + token[1:] if token in {"um", "us", "ug", "uL", "ul", "uA", "uV", "uS", "uF", "uOhm"} else token
    )


# --- times and sizes --------------------------------------------------------------------------------------


def age_text(ns: int) -> str:
    """``0.4 s``, ``12 s``, ``3 min``, ``2 h 5 min``, ``14 h``, ``4 d``; times to come as ``in 3.0 s``."""
    if ns < -SECOND:
        return f"in {age_text(-ns)}"
    seconds = max(ns, 0) / SECOND
    if seconds < 10:
        return f"{math.floor(seconds * 10) / 10:.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    hours, minutes = divmod(whole // 60, 60)
    if hours < 10:
        return f"{hours} h {minutes} min"
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"


def due_text(ns: int) -> str:
    """When something is due: ``in 8.2 s``, then ``now``."""
    return f"in {age_text(ns)}" if ns > 0 else "now"


def zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def moment(ns: int, where: ZoneInfo) -> datetime:
    """The instant in the plant's zone (below microseconds cut off)."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)).astimezone(where)


def clock_text(ns: int, where: ZoneInfo) -> str:
    """``2026-11-21 07:15:03 CET``."""
    return f"{moment(ns, where):%Y-%m-%d %H:%M:%S %Z}"


def precise_text(ns: int, where: ZoneInfo) -> str:
    """``2026-11-21 07:15:03.120 CET``."""
    when = moment(ns, where)
    return f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03d} {when:%Z}"


def count_text(count: int) -> str:
    """With thin spaces between thousands."""
    return f"{count:,}".replace(",", THIN)


def size_text(count: int) -> str:
    """Bytes in binary multiples (IEC 80000-13)."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def states_of(signal: Signal) -> Mapping[str, str]:
    """An enumeration's names by number, for the browser."""
    return {str(number): name for number, name in signal.states.items()}
