"""S7 communication's reading and writing of variables, as bytes. Each item has a return code of its own."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

__all__ = [
    "DONE",
    "RETURN_CODES",
    "BadPdu",
    "Item",
    "RequestError",
    "read",
    "reads",
    "setup",
    "write",
    "writes",
]

DONE: Final = 0xFF
ITEM: Final = 12  # bytes of an item in a request
READ_HEAD: Final = 14  # bytes of an answer before its items: header and two of parameters
WRITE_HEAD: Final = 12
MOST_ITEMS: Final = 20
RETURN_CODES: Final = {
    0x01: "hardware fault",
    0x03: "access denied",
    0x05: "address out of range",
    0x06: "data type not supported",
    0x07: "data type inconsistent",
    0x0A: "object does not exist",
}
_HEADER: Final = struct.Struct(">BBHHHH")
_ITEM: Final = struct.Struct(">BBBBHHBBH")
_BYTES_COUNTED: Final = frozenset(
    {0x07, 0x09}
)  # transport sizes whose length is in bytes; of the others in bits
_JOB, _ANSWER, _ACK = 1, 3, 2


class BadPdu(ValueError):
    """Bytes that are no answer to what was asked."""


class RequestError(Exception):
    """The controller refuses the whole request."""

    def __init__(self, group: int, code: int) -> None:
        super().__init__(f"error {group:02X}/{code:02X}")
        self.group, self.code = group, code


class Item(Struct, frozen=True):
    """``size`` bytes, or with ``bit`` that one bit."""

    area: int
    db: int
    offset: int
    size: int
    bit: int | None = None

    def encode(self) -> bytes:
        transport, count = (2, self.size) if self.bit is None else (1, 1)
        start = self.offset * 8 + (self.bit or 0)
        return _ITEM.pack(0x12, 10, 0x10, transport, count, self.db, self.area, start >> 16, start & 0xFFFF)


def setup(sequence: int, pdu: int) -> bytes:
    """Asks for the size of PDUs; one job at a time."""
    return _job(sequence, struct.pack(">BBHHH", 0xF0, 0, 1, 1, pdu))


def pdu_size(answer: bytes, sequence: int) -> int:
    """Raises BadPdu, RequestError."""
    parameters, _ = _open(answer, sequence, 0xF0)
    if len(parameters) < 8:
        raise BadPdu("a setup that is cut off")
    return int.from_bytes(parameters[6:8], "big")


def read(sequence: int, items: Sequence[Item]) -> bytes:
    return _job(sequence, bytes((4, len(items))) + b"".join(item.encode() for item in items))


def reads(answer: bytes, sequence: int, items: Sequence[Item]) -> list[bytes | int]:
    """The bytes of each item, or its return code. Raises BadPdu, RequestError."""
    parameters, data = _open(answer, sequence, 4)
    if len(parameters) != 2 or parameters[1] != len(items):
        raise BadPdu("an answer to another number of items")
    found: list[bytes | int] = []
    at = 0
    for item in items:
        if at + 4 > len(data):
            raise BadPdu("items that are cut off")
        code, transport, length = struct.unpack_from(">BBH", data, at)
        size = length if transport in _BYTES_COUNTED else (length + 7) // 8
        if code != DONE:
            found.append(code)
            at += 4 + (size if transport else 0)
            continue
        content = data[at + 4 : at + 4 + size]
        if len(content) != item.size:
            raise BadPdu(f"{len(content)} bytes for {item.size}")
        found.append(content)
        at += 4 + size + size % 2
    return found


def write(sequence: int, items: Sequence[Item], contents: Sequence[bytes]) -> bytes:
    data = bytearray()
    for item, content in zip(items, contents, strict=True):
        data += bytes(len(data) % 2)
        transport, length = (4, len(content) * 8) if item.bit is None else (3, 1)
        data += struct.pack(">BBH", 0, transport, length) + content
    parameters = bytes((5, len(items))) + b"".join(item.encode() for item in items)
    return _job(sequence, parameters, bytes(data))


def writes(answer: bytes, sequence: int, count: int) -> list[int]:
    """The return code of each item. Raises BadPdu, RequestError."""
    parameters, data = _open(answer, sequence, 5)
    if len(parameters) != 2 or parameters[1] != count or len(data) < count:
        raise BadPdu("an answer to another number of items")
    return list(data[:count])


def sequence_of(answer: bytes) -> int:
    """Raises BadPdu."""
    if len(answer) < _HEADER.size or answer[0] != 0x32:
        raise BadPdu("no S7 PDU (S7-1200/1500 clients of STEP 7 speak another protocol)")
    return int.from_bytes(answer[4:6], "big")


def _job(sequence: int, parameters: bytes, data: bytes = b"") -> bytes:
    return _HEADER.pack(0x32, _JOB, 0, sequence, len(parameters), len(data)) + parameters + data


def _open(answer: bytes, sequence: int, function: int) -> tuple[bytes, bytes]:
    if sequence_of(answer) != sequence:
        raise BadPdu("an answer to another question")
    _, kind, _, _, p, d = _HEADER.unpack_from(answer)
    if kind not in {_ANSWER, _ACK} or len(answer) < 12:
        raise BadPdu(f"a PDU of type {kind}")
    if answer[10] or answer[11]:
        raise RequestError(answer[10], answer[11])
    parameters, data = answer[12 : 12 + p], answer[12 + p : 12 + p + d]
    if len(parameters) != p or len(data) != d or not p or parameters[0] != function:
        raise BadPdu("a PDU that is cut off or answers another function")
    return parameters, data
