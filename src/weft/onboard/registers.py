"""Addresses of registers as other products write them, and the types they call their own."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

__all__ = ["Modbus", "modbus_address", "modbus_type", "opcua_type", "s7_address"]

# The first digit of an entity number (Modbus' own six digits, and the five of older tools).
_TABLES: Final = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
_ENTITY: Final = re.compile(r"([0134])(\d{4,5})(?:\.(\d{1,2}))?(?:\s*\[(\d+)\])?")
# Words of other products -> (type of an Address, OPC UA's name).
_MODBUS: Final = {
    "bool": ("bool", "Boolean"), "boolean": ("bool", "Boolean"), "bit": ("bool", "Boolean"),
    "short": ("int16", "Int16"), "int16": ("int16", "Int16"), "int2": ("int16", "Int16"),
    "word": ("uint16", "UInt16"), "uint16": ("uint16", "UInt16"), "bcd": ("uint16", "UInt16"),
    "long": ("int32", "Int32"), "int32": ("int32", "Int32"), "int4": ("int32", "Int32"),
    "dword": ("uint32", "UInt32"), "uint32": ("uint32", "UInt32"), "lbcd": ("uint32", "UInt32"),
    "llong": ("int64", "Int64"), "int64": ("int64", "Int64"), "int8": ("int64", "Int64"),
    "qword": ("uint64", "UInt64"), "uint64": ("uint64", "UInt64"),
    "float": ("float32", "Float"), "float32": ("float32", "Float"), "float4": ("float32", "Float"),
    "float32-ieee": ("float32", "Float"), "double": ("float64", "Double"), "float64": ("float64", "Double"),
    "float8": ("float64", "Double"), "string": ("string", "String"),
}  # fmt: skip
_OPCUA: Final = {
    **{name: pair[1] for name, pair in _MODBUS.items()},
    "char": "SByte", "byte": "Byte", "int1": "SByte", "sbyte": "SByte", "datetime": "DateTime", "date": "DateTime",
    "text": "String", "real": "Float", "lreal": "Double", "dint": "Int32", "int": "Int16", "udint": "UInt32",
    "uint": "UInt16", "sint": "SByte", "usint": "Byte", "lint": "Int64", "ulint": "UInt64",
}  # fmt: skip
_S7: Final = re.compile(r"(DB\d+)[.,]\s*(?:DB)?(X|B|BYTE|W|WORD|DW|D|DWORD|INT|DINT|REAL|LREAL|STRING|S|C|CHAR|DI|I|R|DT|BOOL)"
                        r"(\d+)(?:\.(\d+))?(?:\.(\d+))?", re.IGNORECASE)  # fmt: skip


class Modbus(NamedTuple):
    """Keys of a Modbus Address: table, register from 0, bit or None, length in registers or None."""

    table: str
    register: int
    bit: int | None = None
    length: int | None = None


def modbus_address(text: str) -> Modbus | None:
    """``400001``, ``40001.3``, ``400010[20]`` … as it lies on the wire; None for what is no such number."""
    match = _ENTITY.fullmatch(text.strip())
    if match is None or int(match[2]) == 0:
        return None
    register = int(match[2]) - 1
    if register > 65535:
        return None
    bit = int(match[3]) if match[3] else None
    return Modbus(_TABLES[match[1]], register, bit, int(match[4]) if match[4] else None)


def modbus_type(word: str) -> tuple[str, str] | None:
    """(type of the Address, OPC UA type) of another product's word, None when it is not known."""
    return _MODBUS.get(word.strip().casefold())


def opcua_type(word: str) -> str:
    """The OPC UA type of another product's word; empty when it is not known: then it is as the source sends it."""
    return _OPCUA.get(word.strip().casefold().removesuffix(" array"), "")


def s7_address(text: str) -> dict[str, Any] | None:
    """``DB1.DBW20``, ``DB5,REAL4``, ``DB1.X0.3``, ``M10.0`` … as an S7 Address; None for what is none."""
    text = text.strip()
    if re.fullmatch(r"[MIQEA][BWD]?\d+(\.[0-7])?", text, re.IGNORECASE):
        return {"at": text.upper().replace("E", "I").replace("A", "Q")}
    match = _S7.fullmatch(text)
    return _in_block(match) if match else None


def _in_block(match: re.Match[str]) -> dict[str, Any]:
    block, kind, start = match[1].upper(), match[2].upper(), match[3]
    if kind in {"X", "BOOL"}:
        return {"at": f"{block}.DBX{start}.{match[4] or 0}", "type": "BOOL"}
    letter, named = {
        "B": ("B", "BYTE"), "BYTE": ("B", "BYTE"), "C": ("B", "CHAR"), "CHAR": ("B", "CHAR"),
        "W": ("W", "WORD"), "WORD": ("W", "WORD"), "I": ("W", "INT"), "INT": ("W", "INT"),
        "DW": ("D", "DWORD"), "D": ("D", "DWORD"), "DWORD": ("D", "DWORD"), "DI": ("D", "DINT"), "DINT": ("D", "DINT"),
        "R": ("D", "REAL"), "REAL": ("D", "REAL"), "LREAL": ("B", "LREAL"), "DT": ("B", "DATE_AND_TIME"),
        "S": ("B", "STRING"), "STRING": ("B", "STRING"),
    }[kind]  # fmt: skip
    address: dict[str, Any] = {"at": f"{block}.DB{letter}{start}", "type": named}
    if named == "STRING" and match[4]:
        address["length"] = int(match[4])
    return address
