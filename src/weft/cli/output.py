"""How commands answer: tables for people, JSON for programs, errors in one line with what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, NoReturn

import click

__all__ = ["FOUND", "USAGE", "Failing", "document", "enough", "pair", "printable", "table"]

FOUND = 1
USAGE = 2
INTERRUPTED = 130


class Failing:
    """Turns errors into a message and an exit code."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, SystemExit):
            return
        if isinstance(error, click.exceptions.Exit):
            sys.exit(error.exit_code)
        if isinstance(error, click.ClickException):
            error.show()
            sys.exit(error.exit_code)
        if isinstance(error, (click.exceptions.Abort, KeyboardInterrupt)):
            sys.exit(INTERRUPTED)
        _complain(error)


def _complain(error: BaseException) -> None:
    """One line for an error of ours or of the system; anything else is a fault and keeps its traceback."""
    from weft.runtime import WeftError  # only now: importing it would slow `weft --help` down

    leaves = list(_leaves(error))
    if all(isinstance(leaf, BrokenPipeError) for leaf in leaves):
        enough()
    if not all(isinstance(leaf, (WeftError, OSError)) for leaf in leaves):
        return
    first = next((leaf for leaf in leaves if isinstance(leaf, WeftError)), leaves[0])
    click.secho(f"weft: {printable(_words(first))}", fg="red", err=True)
    if isinstance(first, WeftError) and first.remedy:
        click.echo(f"      {printable(first.remedy)}", err=True)
    sys.exit(FOUND)


def enough() -> NoReturn:
    """The reader of our output has gone, as in ``weft tail | head``: no failure."""
    # What is still in the buffer must go somewhere, or the interpreter complains at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)


def _words(error: BaseException) -> str:
    from weft.runtime import WeftError

    if isinstance(error, WeftError):
        return error.message
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}."
    return str(error) or type(error).__name__


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


def document(value: Any) -> None:
    """One JSON document in a line of standard output, as the API says it: NaN is null, bytes are Base64."""
    import msgspec  # only now, as above

    click.echo(msgspec.json.encode(value))


def pair(setting: str) -> tuple[str, str]:
    """``KEY=VALUE`` of an option."""
    key, equals, value = setting.partition("=")
    if not equals:
        raise click.BadParameter(f"{setting!r} is not like KEY=VALUE.", param_hint="--set")
    return key, value


def printable(text: str) -> str:
    """The text on one line, with nothing in it that moves a terminal: what the field sends may hold anything."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Columns as wide as they need, numbers to the right."""
    listed = [list(row) for row in rows]
    columns = [[row[i] for row in listed] for i in range(len(header))]
    right = [bool(column) and all(isinstance(value, (int, float)) for value in column) for column in columns]
    cells = [[_cell(value) for value in row] for row in listed]
    widths = [max([len(name), *(len(row[i]) for row in cells)]) for i, name in enumerate(header)]
    click.secho(_line(header, widths, right), bold=True)
    for row in cells:
        click.echo(_line(row, widths, right))


def _line(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = [t.rjust(w) if r else t.ljust(w) for t, w, r in zip(texts, widths, right, strict=True)]
    return "  ".join(padded).rstrip()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return printable(str(value))
