"""How commands answer: tables for people, JSON for programs, errors in one line with what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

import click

__all__ = ["FOUND", "USAGE", "Failing", "document", "table"]

FOUND = 1
USAGE = 2


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
            sys.exit(130)
        _complain(error)


def _complain(error: BaseException) -> None:
    """One line for an error of ours; anything else keeps its traceback."""
    from weft.runtime import WeftError  # only now: importing it would slow `weft --help` down

    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, BrokenPipeError):  # `weft tail | head` has seen enough
        sys.stdout = None
        sys.exit(0)
    if not isinstance(error, WeftError):
        return
    click.secho(f"weft: {error.message}", fg="red", err=True)
    if error.remedy:
        click.echo(f"      {error.remedy}", err=True)
    sys.exit(FOUND)


def document(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


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
    return str(value)
