"""Modbus on the wire: the TCP frame and the few functions that Weft uses.

After "MODBUS Application Protocol V1.1b3" (the numbers in brackets) and "MODBUS Messaging on TCP/IP
Implementation Guide V1.0b" (MBAP header, 3.1.3). Pure functions over bytes; nothing here knows a socket.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

__all__ = [
    "BITS",
    "EXCEPTIONS",
    "READ",
    "BadFrame",
    "DeviceError",
    "Frame",
    "Splitter",
    "encode",
    "identification",
    "identify",
    "mask_register",
    "payload",
    "read",
    "write_coil",
    "write_coils",
    "write_register",
    "write_registers",
    "written",
]

_HEADER: Final = struct.Struct(">HHHB")  # transaction, protocol, length of the rest, unit
_READ: Final = struct.Struct(">BHH")
_WRITE_MANY: Final = struct.Struct(">BHHB")
_MASK: Final = struct.Struct(">BHHH")
MAX_LENGTH: Final = 254  # unit id and a PDU of at most 253 bytes [4.1]

READ: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
BITS: Final = frozenset({1, 2})
IDENTIFY: Final = b"\x2b\x0e"  # 43 / 14, read device identification [6.21]

EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}


class BadFrame(ValueError):
    """Bytes that cannot be Modbus, or do not answer what was asked."""


class DeviceError(Exception):
    """The device answered with an exception code [7]."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code} ({EXCEPTIONS.get(code, 'not in the standard')})")
        self.code = code


class Frame(NamedTuple):
    transaction: int
    unit: int
    pdu: bytes


def encode(frame: Frame) -> bytes:
    return _HEADER.pack(frame.transaction, 0, len(frame.pdu) + 1, frame.unit) + frame.pdu


class Splitter:
    """Cuts a byte stream into frames, however the bytes arrive."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are now complete. Raises BadFrame as soon as a header cannot be Modbus: from there on
        nobody knows where the next frame starts, so the connection is of no more use."""
        self._rest += data
        frames, at = [], 0
        while len(self._rest) - at >= _HEADER.size:
            transaction, protocol, length, unit = _HEADER.unpack_from(self._rest, at)
            if protocol != 0:
                raise BadFrame(f"protocol id {protocol} instead of 0")
            if not 2 <= length <= MAX_LENGTH:
                raise BadFrame(f"a frame of length {length}; possible are 2 to {MAX_LENGTH}")
            end = at + _HEADER.size - 1 + length
            if end > len(self._rest):
                break
            frames.append(Frame(transaction, unit, self._rest[at + _HEADER.size : end]))
            at = end
        self._rest = self._rest[at:]
        return frames


def read(function: int, start: int, count: int) -> bytes:
    """The request for ``count`` registers or bits from ``start`` (functions 1 to 4) [6.1 to 6.4]."""
    return _READ.pack(function, start, count)


def payload(pdu: bytes, function: int, count: int) -> bytes:
    """The data of the answer to :func:`read`: two bytes per register, or bits packed from the lowest up.
    Raises DeviceError, or BadFrame when this is no answer to that request."""
    check_function(pdu, function)
    size = (count + 7) // 8 if function in BITS else count * 2
    if len(pdu) < 2 or pdu[1] != size or len(pdu) != size + 2:
        stated = pdu[1] if len(pdu) > 1 else 0
        raise BadFrame(f"{stated} bytes stated and {max(len(pdu) - 2, 0)} sent where {size} were asked for")
    return pdu[2:]


def write_coil(start: int, on: bool) -> bytes:
    """Function 5 [6.5]."""
    return _READ.pack(5, start, 0xFF00 if on else 0)


def write_register(start: int, data: bytes) -> bytes:
    """Function 6 with the two bytes of one register [6.6]."""
    return _READ.pack(6, start, int.from_bytes(data, "big"))


def write_coils(start: int, values: Sequence[bool]) -> bytes:
    """Function 15, at most 1968 coils [6.11]."""
    packed = sum(1 << i for i, on in enumerate(values) if on)
    data = packed.to_bytes((len(values) + 7) // 8, "little")
    return _WRITE_MANY.pack(15, start, len(values), len(data)) + data


def write_registers(start: int, data: bytes) -> bytes:
    """Function 16 with two bytes for each of at most 123 registers [6.12]."""
    return _WRITE_MANY.pack(16, start, len(data) // 2, len(data)) + data


def mask_register(start: int, and_mask: int, or_mask: int) -> bytes:
    """Function 22: the register becomes (register AND and_mask) OR (or_mask AND NOT and_mask) [6.16]."""
    return _MASK.pack(22, start, and_mask, or_mask)


def written(pdu: bytes, request: bytes) -> None:
    """Checks the answer to a write: it says again what was asked for, functions 15 and 16 without the data. Raises
    DeviceError, or BadFrame when the device says it has written something else."""
    check_function(pdu, request[0])
    expected = request[:5] if request[0] in {15, 16} else request
    if pdu != expected:
        raise BadFrame(f"the answer to a write says {pdu.hex()} where {expected.hex()} belongs")


def check_function(pdu: bytes, function: int) -> None:
    """Raises DeviceError for an exception to ``function``, BadFrame for an answer to another function."""
    if pdu[0] == function | 0x80:
        if len(pdu) < 2:
            raise BadFrame("an exception without its code")
        # Real devices have been recorded to send one byte more than the standard's two.
        raise DeviceError(pdu[1])
    if pdu[0] != function:
        raise BadFrame(f"function {pdu[0]} answers function {function}")


def identify(first: int = 0) -> bytes:
    """The request for the basic device identification from object ``first`` on."""
    return IDENTIFY + bytes((1, first))


def identification(pdu: bytes) -> tuple[dict[int, str], int | None]:
    """Objects by id (0 vendor, 1 product code, 2 revision) and the id to go on with, None at the end. Raises
    DeviceError or BadFrame."""
    check_function(pdu, IDENTIFY[0])
    if len(pdu) < 7 or pdu[1] != IDENTIFY[1]:
        raise BadFrame("a device identification that is cut off")
    objects: dict[int, str] = {}
    at = 7
    for _ in range(pdu[6]):
        if at + 2 > len(pdu) or at + 2 + pdu[at + 1] > len(pdu):
            raise BadFrame("a device identification that is cut off")
        text = pdu[at + 2 : at + 2 + pdu[at + 1]]
        objects[pdu[at]] = text.decode("utf-8", "replace").strip("\0 ")
        at += 2 + len(text)
    return objects, pdu[5] if pdu[4] == 0xFF else None
