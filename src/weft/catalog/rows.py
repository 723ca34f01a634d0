"""Long signal lists as CSV: a header row, then one signal a row.

Commas, or semicolons and tabs as spreadsheets write them; with semicolons a decimal comma is understood.
An empty cell says nothing. Numbers and booleans are read as their column wants them.
"""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from weft.catalog.findings import Report, nearest
from weft.catalog.folder import Place, bad_name, bad_path
from weft.catalog.forms import LIMITS, SignalForm, WriteForm
from weft.model import Limits

__all__ = ["COLUMNS", "CsvRow", "read_rows"]


class CsvRow(msgspec.Struct, frozen=True):
    """A signal of a list: the asset's path below the site, the signal's name, what the row says."""

    asset: str
    name: str
    form: SignalForm
    place: Place


class _BadCell(ValueError):
    pass


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        raise _BadCell("should be a number") from None


_YES: Final = {"true": True, "yes": True, "1": True, "x": True, "false": False, "no": False, "0": False}


def _yes(cell: str) -> bool:
    if cell.casefold() not in _YES:
        raise _BadCell("should be true or false")
    return _YES[cell.casefold()]


def _states(cell: str) -> dict[int, str]:
    states = {}
    for part in cell.split("|"):
        number, equals, name = part.partition("=")
        try:
            states[int(number)] = name.strip()
        except ValueError:
            equals = ""
        if not equals:
            raise _BadCell('should be like "0=closed|1=open"')
    return states


# Column -> how its cells are read.
COLUMNS: Final[dict[str, Callable[[str], Any]]] = {
    "asset": str,
    "name": str,
    "connection": str,
    "type": str,
    "unit": str,
    "description": str,
    "scale": _number,
    "offset": _number,
    "minimum": _number,
    "low": _number,
    "high": _number,
    "maximum": _number,
    "states": _states,
    "step": _yes,
    "deadband": _number,
    "silence": _number,
    "deviation": _number,
    "rate": _number,
    "stuck": _number,
    "derive": str,
    "write": _yes,
    "write.minimum": _number,
    "write.maximum": _number,
    "write.step": _number,
    "write.interval": _number,
    "write.interlock": str,
    "write.readback": _yes,
    "write.critical": _yes,
    "write.logic": _yes,
    "semantic": str,
    "owner": str,
    "retention": _number,
    "was": str,
}
ADDRESS: Final = "address."
WRITE: Final = "write."


def read_rows(file: str, text: str, findings: Report) -> Iterator[CsvRow]:
    """The sound rows; every other is a finding."""
    first = text.partition("\n")[0]
    delimiter = max(";\t,", key=first.count) if any(map(first.count, ";\t,")) else ","
    rows = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    table = _Table(file, findings, comma=delimiter == ";")
    line = 1
    try:
        for cells in rows:
            if any(cell.strip() for cell in cells):
                row = table.row([cell.strip() for cell in cells], line)
                if row is not None:
                    yield row
            line = rows.line_num + 1  # a quoted cell may hold line breaks: the row began here
    except csv.Error as error:
        quotes = "" if "limit" in str(error) else "Quotes within a quoted cell are written twice."
        findings.error((file, line), f"Not CSV: {error}.", quotes)
    if not table.columns:
        findings.error((file, 1), "There is no header row.", "It needs at least asset and name.")


class _Table:
    def __init__(self, file: str, findings: Report, *, comma: bool) -> None:
        self._file = file
        self._findings = findings
        self._comma = comma
        self._usable = True
        self._ignored: set[int] = set()
        self.columns: list[str] = []

    def row(self, cells: list[str], line: int) -> CsvRow | None:
        if not self.columns:
            self._header(cells, line)
            return None
        if not self._usable:
            return None
        place = (self._file, line)
        if len(cells) > len(self.columns):
            self._findings.error(
                place,
                f"{len(cells)} cells for {len(self.columns)} columns.",
                "A cell with a comma stands in quotes.",
            )
            return None
        return self._signal(self._values(cells, place), place)

    def _header(self, cells: list[str], line: int) -> None:
        self.columns = cells
        place = (self._file, line)
        for number, column in enumerate(cells):
            if column in cells[:number]:
                self._wrong(number, place, f"The column {column!r} is there twice.", "Keep one of them.")
            elif not column:
                self._wrong(number, place, f"Column {number + 1} has no name.", "Name it or leave it out.")
            elif column not in COLUMNS and column.removeprefix(ADDRESS) in (column, ""):
                remedy = nearest(column, [*COLUMNS, f"{ADDRESS}<field>"])
                self._wrong(number, place, f"There is no column {column!r}.", remedy)
        for column in ("asset", "name"):
            if column not in cells:
                self._usable = False
                self._findings.error(
                    place, f"The column {column!r} is missing.", "Rows cannot be read without."
                )

    def _wrong(self, number: int, place: Place, message: str, remedy: str) -> None:
        self._ignored.add(number)
        self._findings.error(place, message, remedy)

    def _values(self, cells: list[str], place: Place) -> dict[str, Any]:
        """The cells that are sound: the others are findings, and do not hide what else is wrong."""
        values: dict[str, Any] = {}
        for number, (column, cell) in enumerate(zip(self.columns, cells, strict=False)):
            if not cell or number in self._ignored:
                continue
            read = COLUMNS.get(column, str)
            try:
                values[column] = read(cell.replace(",", ".") if self._comma and read is _number else cell)
            except _BadCell as error:
                self._findings.error(place, f"{column!r} {error}, not {cell!r}.")
        return values

    def _signal(self, values: dict[str, Any], place: Place) -> CsvRow | None:
        asset, name = values.pop("asset", ""), values.pop("name", "")
        wrong = [f"'asset' {asset!r} is no path: {why}." for why in [bad_path(asset)] if why]
        wrong += [f"'name' {name!r} {why}." for why in [bad_name(name)] if why]
        for message in wrong:
            self._findings.error(place, message)
        if wrong:
            return None
        address: dict[str, Any] = {}
        for column in [column for column in values if column.startswith(ADDRESS)]:
            _put(address, column.removeprefix(ADDRESS).split("."), _plain(values.pop(column)))
        limits = {key: values.pop(key) for key in LIMITS if key in values}
        form = SignalForm(
            **_written(values), address=address or None, limits=Limits(**limits) if limits else None
        )
        return CsvRow(asset, name, form, place)


def _written(values: dict[str, Any]) -> dict[str, Any]:
    """The values with the columns of ``write`` as one table. A plain no says that it is not written here."""
    allowed = values.pop("write", None)
    rails = {key.removeprefix(WRITE): values.pop(key) for key in list(values) if key.startswith(WRITE)}
    if allowed or (rails and allowed is None):
        values["write"] = WriteForm(**rails)
    return values


def _put(table: dict[str, Any], keys: list[str], value: Any) -> None:
    """``address.where.line`` is a key of a table within the address."""
    for key in keys[:-1]:
        inner = table.setdefault(key, {})
        table = inner if isinstance(inner, dict) else {}
    table[keys[-1]] = value


def _plain(cell: str) -> Any:
    """A list or table in TOML's form; anything else is text until the protocol's Address reads it."""
    if not cell.startswith(("[", "{")):
        return cell
    try:
        return tomllib.loads(f"cell = {cell}")["cell"]
    except (RecursionError, ValueError):  # no TOML, or more of it than Python reads
        return cell
