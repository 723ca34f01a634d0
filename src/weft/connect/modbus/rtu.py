"""RTU frames: unit, PDU, CRC (MODBUS over Serial Line V1.02, 2.5.1). Nothing here knows a line."""

from __future__ import annotations

from typing import Final

from weft.connect.modbus.frames import BITS, READ

__all__ = ["MOST", "Collector", "answers", "crc", "encode"]

MOST: Final = 256  # bytes of a frame
_SHORTEST: Final = 5  # unit, function, exception code, CRC
_ECHOES: Final = {5: 8, 6: 8, 15: 8, 16: 8, 22: 10}  # answers of a fixed size
_READS: Final = frozenset(READ.values())
_START: Final = 0xFFFF


def _table() -> tuple[int, ...]:
    entries = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        entries.append(value)
    return tuple(entries)


_CRC: Final = _table()


def crc(data: bytes, value: int = _START) -> int:
    """CRC-16/MODBUS; it goes onto the line low byte first. ``value`` is that of the bytes before."""
    for byte in data:
        value = (value >> 8) ^ _CRC[(value ^ byte) & 0xFF]
    return value


def encode(unit: int, pdu: bytes) -> bytes:
    frame = bytes((unit,)) + pdu
    return frame + crc(frame).to_bytes(2, "little")


def answers(request: bytes, pdu: bytes) -> bool:
    """Whether ``pdu`` can be the answer to ``request``. RTU numbers no questions, so this is all that tells a late
    answer from the present one: the function, and the size or the place that was asked for."""
    if pdu[0] == request[0] | 0x80:
        return True
    if pdu[0] != request[0]:
        return False
    if request[0] in _READS:
        count = int.from_bytes(request[3:5], "big")
        size = (count + 7) // 8 if request[0] in BITS else count * 2
        return len(pdu) == size + 2 and pdu[1] == size
    return request[0] not in _ECHOES or pdu[1:3] == request[1:3]


class Collector:
    """Gathers one frame from the bytes as they come."""

    def __init__(self) -> None:
        self.bytes = b""
        self._summed = 0  # bytes of which ``_sum`` is the checksum
        self._sum = _START

    def feed(self, data: bytes) -> tuple[int, bytes] | None:
        """(unit, PDU) once a frame is whole; what lies behind it stays for the next call. Raises ValueError when the
        bytes cannot become a frame any more."""
        self.bytes += data
        size = self._size()
        if size == 0 or len(self.bytes) < size:
            if len(self.bytes) > MOST:
                raise ValueError("more bytes than a frame can have")
            return None
        frame, self.bytes = self.bytes[:size], self.bytes[size:]
        self._summed, self._sum = 0, _START
        if crc(frame[:-2]) != int.from_bytes(frame[-2:], "little"):
            raise ValueError("its checksum is wrong")
        return frame[0], frame[1:-2]

    def _size(self) -> int:
        """Of the frame at hand, 0 while that cannot be said."""
        held = self.bytes
        if len(held) < 3:
            return 0
        function = held[1]
        if function & 0x80:
            return _SHORTEST
        if function in _READS:
            return _SHORTEST + held[2]
        return _ECHOES.get(function) or self._by_checksum()

    def _by_checksum(self) -> int:
        """Functions whose answers do not say their size end where the checksum fits."""
        while self._summed < len(self.bytes):
            self._sum = crc(self.bytes[self._summed : self._summed + 1], self._sum)
            self._summed += 1
            if self._summed >= _SHORTEST and not self._sum:
                return self._summed
        return 0
