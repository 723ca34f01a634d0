"""``weft import``: what another product has written, as part of the plant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from weft.cli.output import document, printable
from weft.onboard.draft import Note
from weft.onboard.foreign import read
from weft.onboard.merge import Report, merge

__all__ = ["import_"]

SHOWN = 20


def import_(
    file: Path, *, format: str, name: str, connection: str, plant: Path, dry_run: bool, as_json: bool
) -> None:
    draft = read(file, format, connection=connection)
    report = merge(draft, plant, name=name or file.stem, dry_run=dry_run)
    if as_json:
        document({**msgspec.to_builtins(report), "written": not dry_run})
        return
    tell(report, written=not dry_run)


def tell(report: Report, *, written: bool) -> None:
    """The merge report for people."""
    _list("Not taken over", report.notes)
    _list("Would not load", report.refused)
    _list("Otherwise in the plant", report.differs)
    verb = "Written" if written else "Would be written"
    for file, text in report.files.items():
        rows = f" ({len(report.new):,} signals)" if file.startswith("signals/") else ""
        click.secho(f"{verb}: {file}{rows}", bold=True)
        if file.startswith("connections/"):
            click.echo("".join(f"    {line}\n" for line in text.splitlines()), nl=False)
    click.secho(
        f"{len(report.new):,} new, {len(report.same):,} there already, {len(report.differs):,} otherwise, "
        f"{len(report.refused):,} refused, {len(report.notes):,} noted.",
        fg="green" if report.files or report.same else "yellow",
    )
    if report.files and written:
        click.echo("`weft check` looks the plant over; a running Weft has taken it up already.")


def _list(title: str, notes: Sequence[Note]) -> None:
    if not notes:
        return
    click.secho(f"{title}: {len(notes):,}", bold=True)
    for note in notes[:SHOWN]:
        click.echo(f"  {printable(note.place)}: {printable(note.text)}")
    if len(notes) > SHOWN:
        click.echo(f"  … and {len(notes) - SHOWN:,} more: --json lists them all.")
