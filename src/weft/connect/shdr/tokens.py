"""Lines and fields of SHDR: what ends a line, what separates fields, what a time looks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from weft.model.instant import MAX_NS, parse_instant

__all__ = ["LONGEST", "Lines", "Stamp", "Stamps", "fields_of"]

LONGEST: Final = 1 << 20  # bytes of a line, and of a multi-line body: a cutting tool takes about 3 kB

_SECOND: Final = len("2022-08-08T13:51:34")


class Lines:
    """Cuts a byte stream into lines. A line longer than LONGEST is dropped whole and counted."""

    def __init__(self) -> None:
        self.oversize = 0
        self.undecodable = 0
        self._tail = b""
        self._skipping = False

    def feed(self, data: bytes) -> Sequence[str]:
        """The lines that end in ``data``, without their ends (LF or CR LF)."""
        head, newline, tail = (self._tail + data).rpartition(b"\n")
        if self._skipping:
            if not newline:
                return ()
            self._skipping = False
            _, newline, head = head.partition(b"\n")
        self._tail = tail
        if len(tail) > LONGEST:
            self._tail = b""
            self._skipping = True
            self.oversize += 1
        return self._bounded(self._decode(head)) if newline else ()

    def _bounded(self, lines: list[str]) -> list[str]:
        if max(map(len, lines)) <= LONGEST:
            return lines
        short = [line for line in lines if len(line) <= LONGEST]
        self.oversize += len(lines) - len(short)
        return short

    def _decode(self, head: bytes) -> list[str]:
        try:
            text = head.decode()
        except UnicodeDecodeError:
            # Older adapters write the machine's own code page: Latin-1 keeps every byte readable.
            self.undecodable += 1
            text = head.decode("latin-1")
        # Not splitlines(): form feed, U+2028 and others are characters of a value.
        lines = text.split("\n")
        return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def fields_of(line: str) -> list[str]:
    """The fields between pipes. A field in double quotes may contain ``\\|`` for a pipe; outside quotes a
    backslash is a backslash (``C:\\`` before a pipe is common on Windows controls)."""
    if '"' not in line:
        return line.split("|")
    fields: list[str] = []
    at = 0
    while at <= len(line):
        quoted = _quoted(line, at)
        if quoted is None:
            end = line.find("|", at)
            end = len(line) if end < 0 else end
            fields.append(line[at:end])
        else:
            text, end = quoted
            fields.append(text)
        at = end + 1
    return fields


def _quoted(line: str, at: int) -> tuple[str, int] | None:
    """The unescaped text of a quoted field that starts at ``at`` and where its pipe is; None when the quotes
    do not enclose the whole field: then they are characters like others."""
    start = at
    while start < len(line) and line[start] == " ":
        start += 1
    if start >= len(line) or line[start] != '"':
        return None
    text: list[str] = []
    i = start + 1
    while i < len(line):
        char = line[i]
        if char == "\\" and i + 1 < len(line):
            text.append(line[i + 1])
            i += 2
            continue
        if char == "|":
            return None
        if char == '"':
            end = i + 1
            while end < len(line) and line[end] == " ":
                end += 1
            if end == len(line) or line[end] == "|":
                return "".join(text), end
        text.append(char)
        i += 1
    return None


class Stamp(NamedTuple):
    """ns UTC and, in seconds, how long the observation lasted (``time@duration``)."""

    time: int
    duration: float | None


class Stamps:
    """Reads the first field of a line. Lines come many a second: the second read last is kept."""

    def __init__(self) -> None:
        self._second = ""
        self._ns = 0

    def read(self, text: str) -> Stamp | None:
        """None when it is no time."""
        rest = text[_SECOND:]
        digits = rest[1:-1]
        if rest[:1] == "." and rest[-1] == "Z" and digits.isdecimal() and digits.isascii():
            second = text[:_SECOND]
            if second != self._second:
                start = _instant(second)
                if start is None:
                    return None
                self._second, self._ns = second, start
            ns = self._ns + int(digits[:9].ljust(9, "0"))
            return Stamp(ns, None) if ns <= MAX_NS else None
        return _slow(text)


def _slow(text: str) -> Stamp | None:
    moment, at, duration = text.partition("@")
    ns = _instant(moment)
    if ns is None:
        return None
    try:
        return Stamp(ns, float(duration) if at else None)
    except ValueError:
        return Stamp(ns, None)


def _instant(text: str) -> int | None:
    try:
        return parse_instant(text)
    except ValueError:
        return None
