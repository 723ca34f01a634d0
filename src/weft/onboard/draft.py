"""What an import or a discovery proposes for a plant, before anything is written: connections, signals, and every
word of the source that was not understood."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from weft.model import Limits
from weft.model.units import BadUnit, doubtful, parse

__all__ = ["Draft", "Line", "Note", "Row", "ucum", "worded"]

LONGEST_NAME: Final = 200


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A connection as its file would say it: ``config`` is the table named after ``protocol``."""

    protocol: str
    config: dict[str, Any]
    description: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A signal as a list would say it; ``asset`` is the path below the site. ``place`` is where it stood."""

    asset: str
    name: str
    connection: str
    address: dict[str, Any]
    type: str = ""
    unit: str = ""
    description: str = ""
    scale: float = 1.0
    offset: float = 0.0
    limits: Limits = Limits()
    states: dict[int, str] = {}
    deadband: float = 0.0
    place: str = ""

    @property
    def path(self) -> str:
        return f"{self.asset}/{self.name}"


class Note(msgspec.Struct, frozen=True):
    """Something in the source that was not taken over, where it stands and why."""

    place: str
    text: str


class Draft(msgspec.Struct, kw_only=True):
    """Gathered while reading; the order is the source's. Two signals never share a path."""

    lines: dict[str, Line] = {}
    rows: list[Row] = []
    notes: list[Note] = []
    paths: set[str] = set()

    def note(self, place: str, text: str) -> None:
        self.notes.append(Note(place, text))

    def add_line(self, name: str, line: Line) -> str:
        """Under its name, or, where another has it, under the next free one; the name that it got."""
        wanted = worded(name) or line.protocol
        chosen, number = wanted, 2
        while chosen in self.lines and self.lines[chosen] != line:
            chosen, number = f"{wanted}-{number}", number + 1
        self.lines[chosen] = line
        return chosen

    def add(self, row: Row) -> None:
        """Names are made such that a plant takes them; a path that is taken already becomes a note."""
        asset = "/".join(part for part in map(worded, row.asset.split("/")) if part)
        row = msgspec.structs.replace(row, asset=asset or "imported", name=worded(row.name))
        if not row.name:
            self.note(row.place, "A signal without a name.")
        elif row.path in self.paths:
            self.note(row.place, f"A second signal {row.path!r}: only the first was taken.")
        else:
            self.paths.add(row.path)
            self.rows.append(row)

    def unit(self, written: str, place: str) -> str:
        """The UCUM code of a unit as people write it; what cannot be told is noted and left out."""
        code, doubt = ucum(written)
        if doubt:
            self.note(place, doubt)
        return code


def worded(name: str) -> str:
    """A name as a plant's paths allow it: no slash, no control sign, no blank at the ends."""
    plain = "".join(" " if char == "/" or not char.isprintable() else char for char in name)
    plain = re.sub(r"\s+", " ", plain).strip()[:LONGEST_NAME].strip()
    return "" if plain in {".", ".."} else plain


def ucum(written: str) -> tuple[str, str]:
    """(UCUM code, or empty; what is doubtful, or empty) of a unit as people write it: ``°C`` is ``Cel``."""
    written = written.strip()
    if not written:
        return "", ""
    try:
        parse(written)
    except BadUnit as error:
        if error.nearest:
            return error.nearest, ""
        return "", f"The unit {written!r} is not known; it was left out."
    rare = doubtful(written)
    return (rare[1], "") if rare else (written, "")
