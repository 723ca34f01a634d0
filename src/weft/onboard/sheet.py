"""Signal lists as spreadsheets: Excel workbooks and CSV whose columns people have named as they like."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import ParseError

import msgspec

from weft.model import Limits
from weft.onboard.draft import Draft, Row
from weft.onboard.registers import modbus_address, modbus_type, opcua_type
from weft.runtime import Invalid

__all__ = ["read_csv", "read_workbook"]

MOST_ROWS: Final = 250_000
MOST_UNPACKED: Final = 256 << 20
# What openpyxl ends in when a part is damaged, missing or something else.
_NO_WORKBOOK: Final = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    OSError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
# What a column holds -> how people head it (lower case, blanks and signs aside).
_HEADS: Final = {
    "asset": ("asset", "machine", "equipment", "device", "line", "area", "path", "folder", "group", "anlage", "maschine", "equipo"),
    "name": ("name", "tag", "tagname", "signal", "variable", "point", "symbol", "measurement", "bezeichnung", "messstelle"),
    "connection": ("connection", "source", "server", "plc", "channel", "verbindung", "steuerung"),
    "node": ("node", "nodeid", "opcuanode", "opcnodeid", "opcitempath", "itemid"),
    "register": ("register", "modbusaddress", "address", "adresse", "registeraddress"),
    "topic": ("topic", "mqtttopic"),
    "type": ("type", "datatype", "datentyp", "valuetype", "format"),
    "unit": ("unit", "units", "engunit", "engineeringunit", "engineeringunits", "einheit", "uom", "eu"),
    "description": ("description", "comment", "beschreibung", "kommentar", "text", "remark"),
    "scale": ("scale", "factor", "gain", "faktor", "skalierung", "multiplier"),
    "offset": ("offset",),
    "minimum": ("minimum", "min", "rangelow", "englow", "lowrange", "messbereichmin"),
    "maximum": ("maximum", "max", "rangehigh", "enghigh", "highrange", "messbereichmax"),
    "low": ("low", "lowlimit", "lolimit", "alarmlow"),
    "high": ("high", "highlimit", "hilimit", "alarmhigh"),
    "deadband": ("deadband", "totband"),
}  # fmt: skip
_MEANS: Final = {head: column for column, heads in _HEADS.items() for head in heads}


def read_workbook(path: Path, *, connection: str = "") -> Draft:
    """Every sheet whose first filled row is a header with at least a name. Raises Invalid."""
    draft = Draft()
    try:
        _must_unpack(path)
        for title, rows in _sheets(path):
            _read(draft, rows, title, connection)
    except _NO_WORKBOOK as error:
        raise Invalid(f"{path.name} is no Excel workbook: {error}.") from error
    return _filled(draft, path.name)


def _must_unpack(path: Path) -> None:
    """Raises Invalid for a workbook that is small only as long as it is packed."""
    with zipfile.ZipFile(path) as packed:
        if sum(part.file_size for part in packed.infolist()) > MOST_UNPACKED:
            raise Invalid(f"{path.name} holds more than {MOST_UNPACKED >> 20} MiB when it is unpacked.")


def _sheets(path: Path) -> Iterator[tuple[str, Iterator[list[str]]]]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except InvalidFileException as error:  # by the ending of its name
        raise ValueError(str(error)) from error
    try:
        for sheet in book.worksheets:
            yield sheet.title, ([_cell(cell) for cell in row] for row in sheet.iter_rows(values_only=True))
    finally:
        book.close()


def read_csv(text: str, *, name: str, connection: str = "") -> Draft:
    """A list with a header row; comma, semicolon or tab. Raises Invalid."""
    text = text.lstrip("\ufeff")
    first = text.partition("\n")[0]
    delimiter = max(";\t,", key=first.count) if any(map(first.count, ";\t,")) else ","
    draft = Draft()
    try:
        _read(draft, csv.reader(io.StringIO(text), delimiter=delimiter), name, connection)
    except csv.Error as error:
        raise Invalid(f"{name} is no CSV: {error}.") from error
    return _filled(draft, name)


def _filled(draft: Draft, name: str) -> Draft:
    if not draft.rows and not draft.notes:
        raise Invalid(
            f"{name} holds no signals.", remedy="It needs a header row with at least a column 'name'."
        )
    return draft


def _cell(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return "" if value is None else str(value).strip()


def _read(draft: Draft, rows: Iterator[Sequence[str]], title: str, connection: str) -> None:
    columns: dict[int, str] = {}
    for number, cells in enumerate(rows, 1):
        place = f"{title}, row {number}"
        if not any(cells):
            continue
        if number > MOST_ROWS:
            draft.note(place, f"Only the first {MOST_ROWS:,} rows were read.")
            return
        if not columns:
            columns = _columns(draft, cells, title)
            if "name" not in columns.values():
                draft.note(title, "No column of this sheet is a name: it was left out.")
                return
            continue
        said = {
            column: cells[at].strip()
            for at, column in columns.items()
            if at < len(cells) and cells[at].strip()
        }
        _row(draft, said, place, title, connection)


def _columns(draft: Draft, heads: Sequence[str], title: str) -> dict[int, str]:
    columns: dict[int, str] = {}
    for at, head in enumerate(heads):
        plain = re.sub(r"[^a-zäöüß.]", "", head.casefold())
        column = head if head.startswith("address.") else _MEANS.get(plain, "")
        if column and column not in columns.values():
            columns[at] = column
        elif head.strip():
            draft.note(title, f"The column {head!r} was not taken over.")
    return columns


def _row(draft: Draft, said: dict[str, str], place: str, title: str, connection: str) -> None:
    line = said.get("connection") or connection
    address = {
        key.removeprefix("address."): value for key, value in said.items() if key.startswith("address.")
    }
    kind = opcua_type(said.get("type", "")) or said.get("type", "")
    address = address or _address(said)
    if not line or not address:
        what = "no connection" if not line else "no address"
        draft.note(place, f"{said.get('name', 'The row')!r} has {what}: --connection NAME gives it one." if not line
                   else f"{said.get('name', 'The row')!r} has {what} that is understood.")  # fmt: skip
        return
    row = Row(
        asset=said.get("asset", title).replace("\\", "/"),
        name=said.get("name", ""),
        connection=line,
        address=address,
        type=kind if not {"scale", "offset"} & said.keys() else "",
        unit=draft.unit(said.get("unit", ""), place),
        description=said.get("description", ""),
        place=place,
    )
    draft.add(_with_numbers(draft, row, said, place))


def _address(said: dict[str, str]) -> dict[str, Any]:
    if "node" in said:
        return {"node": said["node"]}
    if "topic" in said:
        return {"topic": said["topic"]}
    text = said.get("register", "")
    if re.fullmatch(r"(nsu?=[^;]+;)?[isgb]=.+", text):
        return {"node": text}
    found = modbus_address(text)
    kind = modbus_type(said.get("type", "")) or ("uint16", "UInt16")
    if found is None:
        return (
            {"register": int(text), "type": kind[0]}
            if re.fullmatch(r"[0-9]{1,5}", text) and int(text) < 65536
            else {}
        )
    address: dict[str, Any] = {"register": found.register, "table": found.table}
    if found.bit is not None:
        return {**address, "bit": found.bit}
    if found.table in {"holding", "input"}:
        address["type"] = kind[0]
        if kind[0] == "string":
            address["length"] = found.length or 1
    return address


def _with_numbers(draft: Draft, row: Row, said: dict[str, str], place: str) -> Row:
    numbers: dict[str, float] = {}
    for column in ("scale", "offset", "deadband", "minimum", "low", "high", "maximum"):
        if column in said:
            try:
                numbers[column] = float(said[column].replace(",", "."))
            except ValueError:
                draft.note(place, f"{column} {said[column]!r} is no number.")
    limits = {key: numbers.pop(key) for key in ("minimum", "low", "high", "maximum") if key in numbers}
    if numbers.get("scale") == 0:
        del numbers["scale"]
    return msgspec.structs.replace(row, **numbers, limits=Limits(**limits))
