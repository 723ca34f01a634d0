"""Reads the files of a plant's folder; what cannot be read is a finding, never an exception."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from weft.catalog.findings import Report
from weft.catalog.located import KeyPath, locate
from weft.catalog.shape import Problem

__all__ = ["HEADER", "PARTS", "Document", "Folder", "Place", "bad_name", "bad_path"]

HEADER: Final = "plant.toml"
PARTS: Final = ("types", "assets", "connections", "signals", "logic", "destinations")

LARGEST_TOML: Final = 8 * 1024 * 1024
LARGEST_CSV: Final = 64 * 1024 * 1024

Place = tuple[str, int]

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def bad_name(name: str) -> str:
    """Why a name cannot be part of a path, or an empty text."""
    if not name:
        return "is empty"
    if name != name.strip():
        return "begins or ends with a space"
    if name in {".", ".."}:
        return "is no name"
    if "/" in name:
        return 'contains "/"'
    return "contains a control character" if _CONTROL.search(name) else ""


def bad_path(path: str) -> str:
    """Why names joined with "/" are no path, or an empty text."""
    for name in path.split("/"):
        if reason := bad_name(name):
            return f"{name!r} in it {reason}" if name else "a name in it is empty"
    return ""


class Document:
    """A TOML file that was read: its data, and the line of any key of it."""

    def __init__(self, file: str, text: str, data: dict[str, Any]) -> None:
        self.file = file
        self.data = data
        self._text = text

    @property
    def stem(self) -> str:
        return Path(self.file).stem

    def place(self, *path: str | int) -> Place:
        """The place of a key, or of the nearest key above it."""
        while path and path not in self._lines:
            path = path[:-1]
        return self.file, self._lines.get(path, 1)

    def report(self, findings: Report, problems: list[Problem], *above: str | int) -> None:
        for problem in problems:
            findings.error(self.place(*above, *problem.path), problem.message, problem.remedy)

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return locate(self._text)  # only asked for when there is something to say


class Folder:
    """One plant's folder. ``broken`` holds the parts (``assets`` …) of which a file could not be read, so
    that what it would have described is not reported as missing too."""

    def __init__(self, root: Path, findings: Report) -> None:
        self.root = root
        self.findings = findings
        self.broken: set[str] = set()

    def header(self) -> Document | None:
        if not (self.root / HEADER).exists():
            what = (
                "There is no plant.toml" if self.root.is_dir() else f"There is no folder {self.root.name!r}"
            )
            self.findings.error(
                (HEADER, 0), f"{what}: this is not a plant's folder.", "`weft init` makes one."
            )
            return None
        return self._toml(HEADER)

    def documents(self, part: str) -> Iterator[Document]:
        """The TOML files of a part, by name; two of one stem are a mistake where the stem is a name."""
        seen: dict[str, str] = {}
        for file in self._files(part, ".toml"):
            stem = Path(file).stem
            if part != "assets" and stem in seen:
                self.findings.error(
                    (file, 0), f"{stem!r} is described in {seen[stem]} already.", "Rename one."
                )
                continue
            seen[stem] = file
            document = self._toml(file)
            if document is None:
                self.broken.update((part, f"{part}/{stem}"))
            else:
                yield document

    def tables(self) -> Iterator[tuple[str, str]]:
        """(file, text) of the CSV files in signals/."""
        for file in self._files("signals", ".csv"):
            text = self._text(file, LARGEST_CSV)
            if text is None:
                self.broken.add("signals")
            else:
                yield file, text

    def strangers(self) -> None:
        """Warns of files and folders that look as if they were meant but are not read."""
        wanted = {"plant.toml": HEADER, **{part: f"{part}/" for part in PARTS}}
        for entry in sorted(self.root.iterdir()):
            name = entry.name
            if name in wanted or name.startswith("."):
                continue
            if entry.is_dir():
                near = get_close_matches(name.casefold(), PARTS, n=1, cutoff=0.75)
                if near:
                    remedy = f"Did you mean {near[0]!r}?"
                    self.findings.warn((f"{name}/", 0), "This folder is not read.", remedy)
            elif entry.suffix in {".toml", ".csv"}:
                place = (
                    "signals/" if entry.suffix == ".csv" else "types/, assets/, connections/ or destinations/"
                )
                self.findings.warn((name, 0), "This file is not read.", f"Move it to {place}.")

    def _files(self, part: str, suffix: str) -> list[str]:
        """Relative names in any depth, sorted; hidden files and folders are nobody's."""
        found = []
        for directory, folders, names in os.walk(self.root / part):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                relative = (Path(directory) / name).relative_to(self.root).as_posix()
                if name.startswith((".", "#")):
                    continue
                if name.endswith(suffix):
                    found.append(relative)
                elif Path(name).suffix.lower() in {".toml", ".csv"}:
                    other = (
                        "signals/ is for .csv files" if suffix == ".csv" else f"{part}/ is for .toml files"
                    )
                    self.findings.warn((relative, 0), "This file is not read.", f"{other}.")
        return sorted(found)

    def _toml(self, file: str) -> Document | None:
        text = self._text(file, LARGEST_TOML)
        if text is None:
            return None
        try:
            return Document(file, text, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            self.findings.error(*_syntax(file, text, str(error)))
        except RecursionError:
            self.findings.error((file, 0), "Brackets are nested too deeply to be read.")
        except ValueError:  # Python's limit on the digits of an integer
            self.findings.error((file, 0), "A number in it has too many digits to be read.")
        return None

    def _text(self, file: str, largest: int) -> str | None:
        path = self.root / file
        try:
            if (size := path.stat().st_size) > largest:
                limit = largest // 1_048_576
                self.findings.error(
                    (file, 0),
                    f"{size:,} bytes; at most {limit} MiB are read.",
                    "Split it into several files.",
                )
                return None
            data = path.read_bytes()
        except OSError as error:
            self.findings.error((file, 0), f"It cannot be read: {error.strerror}.")
            return None
        try:
            return data.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self.findings.error(
                (file, line), f"Byte 0x{data[error.start]:02X} is not UTF-8.", "Save the file as UTF-8."
            )
            return None


_AT: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_TWICE: Final = re.compile(r"Cannot declare \('(.*)',?\) twice")
_HABITS: Final = (
    (
        "Expected newline or end of document after a statement",
        "Text stands in quotes; numbers have a point, no comma.",
    ),
    ("Unclosed array", "A list ends with ]."),
    ("Invalid value", "Text stands in quotes; numbers have a point, not a comma; true and false are small."),
    ("Expected '=' after a key", "A key is letters, digits, - and _; other names stand in quotes."),
    ("Unbalanced quotes", "A text ends with the quote it begins with, on the same line."),
    ("Illegal character '\\n'", "A text ends with the quote it begins with, on the same line."),
    ("Unescaped '\\\\'", "In double quotes a backslash is written twice; single quotes take it as it is."),
)


def _syntax(file: str, text: str, message: str) -> tuple[Place, str, str]:
    at = _AT.search(message)
    line = int(at[1]) if at and at[1] else text.rstrip().count("\n") + 1
    said = message[: at.start()] if at else message
    twice = _TWICE.match(said)
    if twice:
        name = twice[1].replace("', '", ".")
        return (file, line), f"{name!r} is described twice in this file.", "Join the two tables."
    if said == "Cannot overwrite a value":
        return (file, line), "This key stands in its table already.", "Keep one of them."
    remedy = next((remedy for start, remedy in _HABITS if said.startswith(start)), "")
    return (file, line), f"Not TOML: {said[:1].lower()}{said[1:]}.", remedy
