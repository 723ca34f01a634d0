"""S7's elementary types, and how a value of each lies in memory (big-endian throughout)."""

from __future__ import annotations

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from weft.model import ValueType

__all__ = ["KINDS", "BadValue", "Kind"]

_1601: Final = datetime(1601, 1, 1, tzinfo=UTC)
_1990: Final = datetime(1990, 1, 1, tzinfo=UTC)
_TICKS_1970: Final = 116_444_736_000_000_000  # 100 ns from 1601 to 1970
_TICK_MICROSECONDS: Final = 10


class BadValue(ValueError):
    """Bytes that are no value of the type, or a value that the type cannot hold."""


class Kind(Struct, frozen=True):
    """``size`` in bytes (of texts without the characters), the type that stays, and the two ways."""

    size: int
    type: ValueType
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


def _number(code: str, type: ValueType) -> Kind:
    packed = struct.Struct(f">{code}")
    floating = code in "fd"

    def encode(value: Any) -> bytes:
        if isinstance(value, str) or value is None:
            raise BadValue(f"{value!r} is no number")
        if not floating and value != int(value):
            raise BadValue(f"{value!r} is no whole number")
        try:
            return packed.pack(float(value) if floating else int(value))
        except (struct.error, OverflowError):
            raise BadValue(f"{value!r} is out of range") from None

    return Kind(packed.size, type, lambda data: packed.unpack(data)[0], encode)


def _date(data: bytes) -> int:
    return _ticks(_1990 + timedelta(days=int.from_bytes(data, "big")))


def _bcd(byte: int) -> int:
    high, low = byte >> 4, byte & 15
    if high > 9 or low > 9:
        raise BadValue(f"0x{byte:02X} is no decimal number")
    return high * 10 + low


def _to_bcd(number: int) -> int:
    return number // 10 << 4 | number % 10


def _date_and_time(data: bytes) -> int:
    """Eight bytes of decimal digits; years 90 to 99 are 1990 to 1999. The last digit is the day of the week."""
    year, month, day, hour, minute, second, millis = (_bcd(byte) for byte in data[:7])
    tenths = data[7] >> 4
    century = 1900 if year >= 90 else 2000
    moment = _moment(century + year, month, day, hour, minute, second)
    return _ticks(moment + timedelta(milliseconds=millis * 10 + tenths))


def _to_date_and_time(value: Any) -> bytes:
    moment = _when(value)
    if not 1990 <= moment.year <= 2089:
        raise BadValue(f"DATE_AND_TIME goes from 1990 to 2089, not {moment.year}")
    millis = moment.microsecond // 1000
    digits = (
        moment.year % 100,
        moment.month,
        moment.day,
        moment.hour,
        moment.minute,
        moment.second,
        millis // 10,
    )
    return bytes([*map(_to_bcd, digits), millis % 10 << 4 | moment.isoweekday() % 7 + 1])


def _dtl(data: bytes) -> int:
    """Year, month, day, weekday, hour, minute, second, nanoseconds: whole numbers, twelve bytes."""
    year, month, day, _, hour, minute, second, nanos = struct.unpack(">HBBBBBBI", data)
    return _ticks(_moment(year, month, day, hour, minute, second)) + int(nanos) // 100


def _to_dtl(value: Any) -> bytes:
    moment, ticks = _when(value), int(value)
    parts = (moment.year, moment.month, moment.day, moment.isoweekday() % 7 + 1)
    nanos = ticks % 10_000_000 * 100
    return struct.pack(">HBBBBBBI", *parts, moment.hour, moment.minute, moment.second, nanos)


def _moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime:
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise BadValue(str(error)) from None


def _ticks(moment: datetime) -> int:
    micros: int = (moment - _1601) // timedelta(microseconds=1)
    return micros * _TICK_MICROSECONDS


def _when(value: Any) -> datetime:
    try:
        return _1601 + timedelta(microseconds=int(value) // _TICK_MICROSECONDS)
    except (OverflowError, TypeError, ValueError):
        raise BadValue(f"{value!r} is no time (100 ns since 1601)") from None


_S5_BASES: Final = (10, 100, 1000, 10000)  # ms


def _s5time(data: bytes) -> int:
    base = _S5_BASES[data[0] >> 4 & 3]
    return ((data[0] & 15) * 100 + _bcd(data[1])) * base


def _to_s5time(value: Any) -> bytes:
    for code, base in enumerate(_S5_BASES):
        if value % base == 0 and 0 <= value // base <= 999:
            count = int(value // base)
            return bytes((code << 4 | count // 100, _to_bcd(count % 100)))
    raise BadValue(f"{value!r} ms is no S5TIME")


def _string(data: bytes) -> str:
    """Two bytes first: how many characters fit, how many there are."""
    return data[2 : 2 + min(data[1], data[0], len(data) - 2)].decode("latin-1")


def _wstring(data: bytes) -> str:
    room, used = struct.unpack_from(">HH", data)
    return data[4 : 4 + 2 * min(room, used, (len(data) - 4) // 2)].decode("utf-16-be", "replace")


def _to_string(value: Any) -> bytes:
    try:
        text = bytes(value.encode("latin-1"))
    except (AttributeError, UnicodeEncodeError):
        raise BadValue(f"{value!r} is no text of single-byte characters") from None
    if len(text) > 254:
        raise BadValue("a STRING has at most 254 characters")
    return bytes((len(text),)) + text


def _to_wstring(value: Any) -> bytes:
    if not isinstance(value, str):
        raise BadValue(f"{value!r} is no text")
    text = value.encode("utf-16-be")
    return (len(text) // 2).to_bytes(2, "big") + text


def _to_char(value: Any) -> bytes:
    text = _to_string(value)
    if text[0] != 1:
        raise BadValue(f"{value!r} is not one character")
    return text[1:]


def _to_wchar(value: Any) -> bytes:
    text = _to_wstring(value)
    if len(text) != 4:
        raise BadValue(f"{value!r} is not one character")
    return text[2:]


def _to_bool(value: Any) -> bytes:
    if value not in {0, 1}:
        raise BadValue(f"{value!r} is neither true nor false")
    return bytes((int(value),))


def _to_ldt(value: Any) -> bytes:
    nanos = (int(value) - _TICKS_1970) * 100
    if not -(2**63) <= nanos < 2**63:
        raise BadValue(f"{value!r} is out of range")
    return nanos.to_bytes(8, "big", signed=True)


def _to_date(value: Any) -> bytes:
    days = (_when(value) - _1990).days
    if not 0 <= days <= 65535:
        raise BadValue(f"{value!r} is out of range")
    return days.to_bytes(2, "big")


V = ValueType
KINDS: Final[dict[str, Kind]] = {
    "BOOL": Kind(1, V.BOOLEAN, lambda data: bool(data[0] & 1), _to_bool),
    "BYTE": _number("B", V.BYTE),
    "USINT": _number("B", V.BYTE),
    "SINT": _number("b", V.SBYTE),
    "CHAR": Kind(1, V.STRING, lambda data: data.decode("latin-1"), _to_char),
    "WCHAR": Kind(2, V.STRING, lambda data: data.decode("utf-16-be", "replace"), _to_wchar),
    "INT": _number("h", V.INT16),
    "UINT": _number("H", V.UINT16),
    "WORD": _number("H", V.UINT16),
    "DINT": _number("i", V.INT32),
    "UDINT": _number("I", V.UINT32),
    "DWORD": _number("I", V.UINT32),
    "LINT": _number("q", V.INT64),
    "ULINT": _number("Q", V.UINT64),
    "LWORD": _number("Q", V.UINT64),
    "REAL": _number("f", V.FLOAT),
    "LREAL": _number("d", V.DOUBLE),
    "STRING": Kind(2, V.STRING, _string, _to_string),
    "WSTRING": Kind(4, V.STRING, _wstring, _to_wstring),
    "TIME": _number("i", V.INT32),
    "LTIME": _number("q", V.INT64),
    "S5TIME": Kind(2, V.UINT32, _s5time, _to_s5time),
    "TIME_OF_DAY": _number("I", V.UINT32),
    "DATE": Kind(2, V.DATETIME, _date, _to_date),
    "DATE_AND_TIME": Kind(8, V.DATETIME, _date_and_time, _to_date_and_time),
    "LDT": Kind(8, V.DATETIME, lambda d: _TICKS_1970 + int.from_bytes(d, "big", signed=True) // 100, _to_ldt),
    "DTL": Kind(12, V.DATETIME, _dtl, _to_dtl),
}
