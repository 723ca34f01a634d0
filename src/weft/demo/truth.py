"""The ground truth: what every field process showed and what really happened, kept where Weft does not look.

Each process has two files in the folder, UTF-8 CSV with a header and ``\\n`` ends:

``<process>.values.csv``: ``signal,time,type,value``. One row for each value shown to the field, written *before*
it is shown: what anybody received is in here. Signal is the path below the site, time is ns UTC, type the OPC UA
name, with ``[]`` for an array, value its text: numbers so that they read back exactly, Booleans ``true`` or
``false``, bytes as hex, arrays as JSON. A restarted
process appends, and may repeat its last rows; :func:`read` takes each once.

``<process>.events.csv``: ``time,machine,event,data``. State changes, parts, scrap, tools, baskets, packs and
rejects of the process's own machine since the start of the simulation, data as JSON. A restarted process writes
it anew, with the same content: the past is a function of the seed.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from weft.demo.machine import Happening
from weft.demo.sensor import Value
from weft.demo.timeline import Timeline
from weft.model import ARRAY, ValueType
from weft.model.values import FLOATS, type_name

__all__ = ["Occurrence", "Shown", "Truth", "forget", "last_time", "occurrences", "read"]

VALUES: Final = "signal,time,type,value\n"
EVENTS: Final = "time,machine,event,data\n"
_TYPES: Final[dict[str, int]] = {
    **{type_name(code): code for code in ValueType},
    **{type_name(code | ARRAY): code | ARRAY for code in ValueType},
}
_NAMES: Final = {code: name for name, code in _TYPES.items()}


class Shown(NamedTuple):
    """One true value. ``time`` is ns UTC."""

    signal: str
    time: int
    type: int
    value: Value


class Occurrence(NamedTuple):
    """Something that happened. ``time`` is ns UTC."""

    time: int
    machine: str
    event: str
    data: dict[str, Any]


class Truth:
    """One process's files; without a folder nothing is written. A process is named after its machine."""

    def __init__(self, folder: Path | None, process: str) -> None:
        self._process = process
        self._values = self._events = -1
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._values = _append_to(folder / f"{process}.values.csv", VALUES)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._events = os.open(folder / f"{process}.events.csv", flags, 0o644)
        _write(self._events, EVENTS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._values, self._events):
            if file >= 0:
                os.close(file)
        self._values = self._events = -1

    def show(self, rows: Iterable[Shown]) -> None:
        if self._values >= 0:
            _write(self._values, _lines((r.signal, r.time, _NAMES[r.type], _text(r.value)) for r in rows))

    def happened(self, happenings: Iterable[Happening], timeline: Timeline) -> None:
        if self._events >= 0:
            rows = (
                (timeline.time_of(h.step), h.machine, h.kind, json.dumps(h.data, separators=(",", ":")))
                for h in happenings
                if h.machine == self._process
            )
            _write(self._events, _lines(rows))


def read(folder: Path) -> list[Shown]:
    """All values shown by all processes, each once, by signal and time.

    Raises ValueError when a signal was shown with two values at one time.
    """
    found: dict[tuple[str, int], Shown] = {}
    for path in sorted(folder.glob("*.values.csv")):
        for signal, time, name, text in _rows(path):
            kind = _TYPES[name]
            shown = Shown(signal, int(time), kind, _value(kind, text))
            if found.setdefault((signal, shown.time), shown) != shown:
                raise ValueError(
                    f"{signal} was shown as {found[signal, shown.time].value!r} and as {shown.value!r}"
                )
    return sorted(found.values(), key=lambda shown: (shown.signal, shown.time))


def occurrences(folder: Path) -> list[Occurrence]:
    """All events of all machines by time."""
    rows = (row for path in sorted(folder.glob("*.events.csv")) for row in _rows(path))
    found = [Occurrence(int(time), machine, event, json.loads(data)) for time, machine, event, data in rows]
    return sorted(found, key=lambda occurrence: occurrence.time)


def forget(folder: Path) -> None:
    """Deletes the files of an earlier run."""
    for kind in ("values", "events"):
        for path in folder.glob(f"*.{kind}.csv"):
            path.unlink()


def last_time(folder: Path | None, process: str) -> int | None:
    """ns UTC of the last row that a process has shown; None when it has shown nothing."""
    path = folder / f"{process}.values.csv" if folder else None
    if path is None or not path.exists():
        return None
    return max((int(time) for _, time, _, _ in _rows(path)), default=None)


def _append_to(path: Path, header: str) -> int:
    """Opens the file at its end; half a row, left by a killed process, is cut off."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    size = os.fstat(file).st_size
    tail = os.pread(file, 65536, max(0, size - 65536))
    end = size - len(tail) + tail.rfind(b"\n") + 1 if tail else 0
    os.ftruncate(file, end)
    if not end:
        _write(file, header)
    return file


def _write(file: int, text: str) -> None:
    data = text.encode()
    while data:
        data = data[os.write(file, data) :]


def _lines(rows: Iterable[tuple[object, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _rows(path: Path) -> Iterator[list[str]]:
    whole = path.read_text(encoding="utf-8")
    rows = csv.reader(io.StringIO(whole[: whole.rfind("\n") + 1], newline=""))
    next(rows, None)
    return rows


def _text(value: Value) -> str:
    if isinstance(value, (tuple, bytes)):
        return value.hex() if isinstance(value, bytes) else json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(kind: int, text: str) -> Value:
    if kind & ARRAY:
        return tuple(json.loads(text))
    if kind == ValueType.STRING:
        return text
    if kind == ValueType.BYTESTRING:
        return bytes.fromhex(text)
    if kind == ValueType.BOOLEAN:
        return text == "true"
    return float(text) if kind in FLOATS else int(text)
