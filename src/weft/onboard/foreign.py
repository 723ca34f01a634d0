"""What other products have written, recognised by what is in the file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from weft.onboard import benthos, ignition, kepware, sheet, telegraf
from weft.onboard.draft import Draft
from weft.runtime import Invalid, NotFound

__all__ = ["FORMATS", "read"]

MOST: Final = 256 << 20
MOST_NODES: Final = 5_000_000
FORMATS: Final = ("kepware", "ignition", "umh", "telegraf", "excel", "csv")


def read(path: Path, format: str = "auto", *, connection: str = "") -> Draft:
    """The draft of a file. ``connection`` is for rows of a list that name none. Raises NotFound, or Invalid for
    what is of no known form, naming the place."""
    try:
        if path.stat().st_size > MOST:
            raise Invalid(f"{path} is larger than {MOST >> 20} MiB.")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.") from error
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error
    if format == "excel" or (format == "auto" and data[:4] == b"PK\x03\x04"):
        return sheet.read_workbook(path, connection=connection)
    text = _text(data, path)
    for name, recognised, reader in _readers(path, text, connection):
        if format in {"auto", name} and recognised():
            return _taken(path, name, reader)
    raise Invalid(
        f"{path.name} is not of a form that is known{'' if format == 'auto' else f' as {format}'}.",
        remedy=f"Known are: {', '.join(FORMATS)}.",
    )


# What a table in the place of a text, or a text in the place of a number, ends in.
_CONFUSED: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def _taken(path: Path, form: str, reader: Callable[[], Draft]) -> Draft:
    try:
        return reader()
    except _CONFUSED as error:
        raise Invalid(
            f"{path.name} looks like a file of {form}, but is laid out otherwise: {error}.",
            remedy="Has it been changed by hand? Export it again.",
        ) from error


def _readers(
    path: Path, text: str, connection: str
) -> list[tuple[str, Callable[[], bool], Callable[[], Draft]]]:
    """(format, whether it is that, reads it), the surest first."""
    parsed = _Document(path, text)
    return [
        ("kepware", lambda: kepware.is_csv(text), lambda: kepware.read_csv(text, name=path.stem)),
        ("kepware", lambda: kepware.is_project(parsed.json), lambda: kepware.read_project(parsed.json)),
        ("ignition", lambda: ignition.is_export(parsed.json), lambda: ignition.read(parsed.json)),
        ("telegraf", lambda: telegraf.is_config(parsed.toml), lambda: telegraf.read(parsed.toml)),
        ("umh", lambda: benthos.is_config(parsed.yaml), lambda: benthos.read(parsed.yaml)),
        ("csv", lambda: path.suffix.casefold() in {".csv", ".txt", ".tsv"},
         lambda: sheet.read_csv(text, name=path.stem, connection=connection)),
    ]  # fmt: skip


def _text(data: bytes, path: Path) -> str:
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode("utf-16" if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid(f"{path.name} is no text.")


class _Document:
    """A text read as JSON, TOML or YAML by the ending of its file; None where it is not that."""

    def __init__(self, path: Path, text: str) -> None:
        self._ending = path.suffix.casefold()
        self._name = path.name
        self._text = text

    @property
    def json(self) -> Any:
        if self._ending != ".json":
            return None
        try:
            return msgspec.json.decode(self._text)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            raise Invalid(f"{self._name} is no JSON: {error}.") from error

    @property
    def toml(self) -> Any:
        if self._ending not in {".toml", ".conf"}:
            return None
        try:
            return tomllib.loads(self._text)
        except (RecursionError, ValueError) as error:
            raise Invalid(f"{self._name} is no TOML: {error}.") from error

    @property
    def yaml(self) -> Any:
        if self._ending not in {".yaml", ".yml"}:
            return None
        import yaml

        try:
            document = yaml.safe_load(self._text)
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise Invalid(f"{self._name} is no YAML: {error}.") from error
        if _nodes(document, MOST_NODES) >= MOST_NODES:
            raise Invalid(f"{self._name} repeats itself too often to be read.")
        return document


def _nodes(document: Any, most: int) -> int:
    """How many values there are, counted up to ``most``: aliases of aliases grow without end."""
    waiting, count = [document], 0
    while waiting and count < most:
        node = waiting.pop()
        count += 1
        if isinstance(node, dict):
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
    return count
