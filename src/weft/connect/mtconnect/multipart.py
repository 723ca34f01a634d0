"""The parts of an endless answer (multipart/x-mixed-replace), wherever the network cuts it."""

from __future__ import annotations

import re
from typing import Final

from weft.runtime import Invalid

__all__ = ["LARGEST", "Parts", "boundary_of"]

LARGEST: Final = 64 << 20  # bytes of a part
LONGEST_HEAD: Final = 16_384
_LENGTH: Final = re.compile(rb"^content-length:\s*(\d{1,12})\s*$", re.IGNORECASE | re.MULTILINE)
_BOUNDARY: Final = re.compile(r'boundary\s*=\s*(?:"([^"]+)"|([^\s;]+))', re.IGNORECASE)


def boundary_of(content_type: str) -> str:
    """The boundary of a multipart answer; empty when it is none."""
    if not content_type.lower().lstrip().startswith("multipart/"):
        return ""
    match = _BOUNDARY.search(content_type)
    return (match[1] or match[2]) if match else ""


class Parts:
    """Collects bytes; gives each part's body once it is whole. A part that says its length is taken at its
    word, another one ends at the next boundary."""

    def __init__(self, boundary: str) -> None:
        self._mark = b"--" + boundary.removeprefix("--").encode()
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The parts that ``data`` completes. Raises Invalid for a part above 64 MiB or without an end to its
        head."""
        self._data += data
        found: list[bytes] = []
        while (part := self._next()) is not None:
            found.append(part)
        return found

    def _next(self) -> bytes | None:
        start = self._data.find(self._mark)
        if start < 0:
            if len(self._data) > LARGEST:
                raise Invalid("The agent's stream has no boundary between its parts.")
            return None
        head_end, skip = _end_of_head(self._data, start)
        if head_end < 0:
            if len(self._data) - start > LONGEST_HEAD:
                raise Invalid("A part of the agent's stream has a head without an end.")
            return None
        begin = head_end + skip
        length = _LENGTH.search(bytes(self._data[start:head_end]))
        end = self._end(begin, int(length[1]) if length else None)
        if end < 0:
            return None
        part = bytes(self._data[begin:end])
        del self._data[:end]
        return part

    def _end(self, begin: int, length: int | None) -> int:
        """Where the part ends; -1 when it is not whole yet."""
        if length is not None:
            if length > LARGEST:
                raise Invalid(f"The agent sends a part of {length:,} bytes; at most {LARGEST:,} are read.")
            return begin + length if len(self._data) >= begin + length else -1
        end = self._data.find(b"\n" + self._mark, begin)
        if end < 0 and len(self._data) - begin > LARGEST:
            raise Invalid(f"The agent sends a part above {LARGEST:,} bytes.")
        return end


def _end_of_head(data: bytearray, start: int) -> tuple[int, int]:
    """Where the head ends and how many bytes its empty line takes; CR LF is the rule, bare LF is seen."""
    proper, bare = data.find(b"\r\n\r\n", start), data.find(b"\n\n", start)
    if proper >= 0 and (bare < 0 or proper < bare):
        return proper, 4
    return bare, 2
