"""From a draft into a plant's folder: what is there already stays as it is, what is new gets files of its own, and
nothing is written that the plant would not load with."""

from __future__ import annotations

import csv
import io
import itertools
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from weft import catalog
from weft.model import Signal
from weft.onboard.draft import Draft, Line, Note, Row, worded
from weft.onboard.toml import table
from weft.runtime import Invalid, NeedsHuman
from weft.runtime.files import write_whole

__all__ = ["Report", "merge"]

_FIXED: Final = ("asset", "name", "connection", "type", "unit", "description")
_NUMBERS: Final = ("scale", "offset", "minimum", "low", "high", "maximum", "deadband")
_PARTS: Final = ("plant.toml", "types", "assets", "connections", "signals", "destinations", "logic")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge did, or would do. ``files`` are what it writes, by name relative to the folder; ``new`` and
    ``same`` are paths below the site; ``differs`` are taken as the plant has them, with what the draft says
    otherwise; ``refused`` would not load; ``notes`` come from reading the source."""

    files: dict[str, str] = {}
    connections: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    differs: tuple[Note, ...] = ()
    refused: tuple[Note, ...] = ()
    notes: tuple[Note, ...] = ()


def merge(draft: Draft, folder: Path, *, name: str, dry_run: bool = False) -> Report:
    """Takes the draft over as ``connections/*.toml`` and ``signals/<name>.csv``, or a number behind
    the name when there is such a list. Raises Invalid for a name that leads elsewhere, and when the plant has
    mistakes before."""
    if not name or name != worded(name) or name.startswith("."):
        raise Invalid(f"{name!r} is no name of a list.", remedy="Without slashes, and no dot at its start.")
    loaded = catalog.check(folder)
    if loaded.plant is None:
        raise Invalid(
            f"The plant has mistakes of its own, the first: {loaded.findings[0]}.",
            remedy="`weft check` names them all; mend them first.",
        )
    sorted_out = _Sorted(draft, loaded.plant)
    name = _free(folder, name)
    with tempfile.TemporaryDirectory() as scratch:
        rows, refused = _loading(Path(scratch), folder, sorted_out, sorted_out.new, name)
    files = sorted_out.files(rows, name)
    report = Report(
        files=files,
        connections=tuple(sorted_out.connections),
        new=tuple(row.path for row in rows),
        same=tuple(sorted_out.same),
        differs=tuple(sorted_out.differs),
        refused=tuple(refused),
        notes=tuple(draft.notes),
    )
    if not dry_run:
        _write(folder, files)
    return report


def _free(folder: Path, name: str) -> str:
    """The name of a list that is not there yet: a list in the plant belongs to people."""
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(free for free in names if not (folder / "signals" / f"{free}.csv").exists())


class _Sorted:
    """The draft against the plant: what is new, the same, or otherwise."""

    def __init__(self, draft: Draft, plant: catalog.Plant) -> None:
        self._plant = plant
        self._site = list(plant.assets)[1]
        self.new: list[Row] = []
        self.same: list[str] = []
        self.differs: list[Note] = []
        self.connections: dict[str, Line] = {}
        for name, line in draft.lines.items():
            self._line(name, line)
        for row in draft.rows:
            self._row(row)

    def files(self, rows: Iterable[Row], name: str) -> dict[str, str]:
        files = {f"connections/{line}.toml": _connection(self.connections[line]) for line in self.connections}
        listed = list(rows)
        return {**files, f"signals/{name}.csv": _list(listed)} if listed else files

    def _line(self, name: str, line: Line) -> None:
        known = self._plant.connections.get(name)
        if known is None:
            self.connections[name] = line
        elif known.protocol != line.protocol:
            text = f"The plant's connection {name!r} speaks {known.protocol}, the import {line.protocol}: kept as it is."
            self.differs.append(Note(name, text))

    def _row(self, row: Row) -> None:
        known = self._plant.signals.get(f"{self._site}/{row.path}")
        if known is None:
            self.new.append(row)
            return
        otherwise = _otherwise(known, row)
        if otherwise:
            self.differs.append(Note(row.path, f"kept as it is; the import says {otherwise}"))
        else:
            self.same.append(row.path)


def _otherwise(known: Signal, row: Row) -> str:
    """What the row says that the signal does not, in words; empty for nothing."""
    told = []
    if known.connection != row.connection:
        told.append(f"connection {row.connection}")
    address = msgspec.to_builtins(known.address, builtin_types=())
    told += [f"{key} {value}" for key, value in row.address.items() if str(address.get(key)) != str(value)]
    told += [
        f"{key} {getattr(row, key)}"
        for key in ("unit", "scale", "offset", "deadband")
        if getattr(row, key) != getattr(known, key) and getattr(row, key) not in ("", 1.0, 0.0)
    ]
    return ", ".join(told)


# --- files ----------------------------------------------------------------------------------------------------


def _connection(line: Line) -> str:
    head = (
        f"description = {table('x', {'d': line.description}).partition('d = ')[2]}\n"
        if line.description
        else ""
    )
    return head + table(line.protocol, line.config)


def _list(rows: list[Row]) -> str:
    fields = list(dict.fromkeys(key for row in rows for key in _flat(row.address)))
    filled = [_cells(row) for row in rows]
    columns = [
        *_FIXED[:3],
        *(c for c in (*_FIXED[3:], *_NUMBERS, "states") if any(c in cells for cells in filled)),
    ]
    columns += [f"address.{field}" for field in fields]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(filled)
    return text.getvalue()


def _cells(row: Row) -> dict[str, str]:
    cells = {key: getattr(row, key) for key in _FIXED}
    cells |= {
        "scale": row.scale if row.scale != 1.0 else "",
        "offset": row.offset or "",
        "deadband": row.deadband or "",
    }
    cells |= {
        key: "" if value is None else value for key, value in msgspec.structs.asdict(row.limits).items()
    }
    cells["states"] = "|".join(f"{number}={name}" for number, name in row.states.items())
    cells |= {f"address.{key}": value for key, value in _flat(row.address).items()}
    return {key: " ".join(_cell(value).splitlines()) for key, value in cells.items() if value != ""}


def _flat(address: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in address.items() if value is not None}


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, dict)):
        return table("x", {"v": value}).partition("v = ")[2].strip()
    return str(value)


# --- trying it out --------------------------------------------------------------------------------------------


def _loading(
    scratch: Path, folder: Path, found: _Sorted, rows: list[Row], name: str
) -> tuple[list[Row], list[Note]]:
    """The rows with which the plant loads, and the others with what is wrong; tried on a copy."""
    for part in _PARTS:
        source = folder / part
        if source.is_dir():
            shutil.copytree(source, scratch / part)
        elif source.exists():
            shutil.copy2(source, scratch / part)
    refused: list[Note] = []
    while True:
        for file, text in found.files(rows, name).items():
            (scratch / file).parent.mkdir(exist_ok=True)
            (scratch / file).write_text(text, encoding="utf-8")
        errors = catalog.check(scratch).findings.errors
        if not errors:
            return rows, refused
        # The header is line 1; cells of a list made here hold no line breaks.
        wrong = {e.line - 2: e.message for e in errors if e.file == f"signals/{name}.csv"}
        lines = {
            e.file: e.message
            for e in errors
            if Path(e.file).stem in found.connections and e.file != f"signals/{name}.csv"
        }
        if not wrong and not lines:
            raise Invalid(
                f"What was read does not fit the plant: {errors[0]}.", remedy="Nothing was written."
            )
        for file, message in lines.items():
            stem = Path(file).stem
            (scratch / file).unlink()
            del found.connections[stem]
            refused.append(Note(file, message))
            wrong |= {
                n: f"its connection {stem!r} was refused"
                for n, row in enumerate(rows)
                if row.connection == stem
            }
        refused += [Note(rows[n].place, f"{rows[n].path}: {message}") for n, message in sorted(wrong.items())]
        rows = [row for n, row in enumerate(rows) if n not in wrong]
        (scratch / f"signals/{name}.csv").unlink(missing_ok=True)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    try:
        for file, text in files.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda partial, text=text: partial.write_text(text, encoding="utf-8"))  # type: ignore[misc]  # a default binds
    except OSError as error:
        raise NeedsHuman(
            f"{folder} cannot be written: {error.strerror}.", remedy="Check its permissions."
        ) from error
