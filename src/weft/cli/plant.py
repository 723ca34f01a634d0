"""``weft init``, ``weft check``, ``weft apply``: the plant's folder."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click
import msgspec

from weft import catalog
from weft.app import state_of
from weft.catalog import skeleton
from weft.cli.output import FOUND, document
from weft.cli.remote import call

__all__ = ["apply", "check", "init"]


def init(folder: Path) -> None:
    skeleton.write(folder)
    click.echo(
        f"A plant is described in {folder}. Next: cd {shlex.quote(str(folder))} && weft check && weft up"
    )


def check(plant: Path, as_json: bool) -> None:
    loaded = catalog.load(plant)
    findings = loaded.findings
    if as_json:
        document({"ok": loaded.plant is not None, "findings": msgspec.to_builtins(findings)})
    else:
        for finding in findings:
            click.echo(str(finding))
        if loaded.plant is not None:
            found = loaded.plant
            click.secho(
                f"{found.name}: {len(found.assets)} assets, {len(found.signals)} signals, "
                f"{len(found.connections)} connections. No mistakes.",
                fg="green",
            )
        else:
            click.secho(f"{len(findings)} finding(s).", fg="red", err=True)
    if loaded.plant is None:
        sys.exit(FOUND)


def apply(plant: Path, as_json: bool, dry_run: bool) -> None:
    """Refuses a folder with mistakes before it asks the running instance."""
    loaded = catalog.load(plant)
    if loaded.plant is None:
        check(plant, as_json)
    state = state_of(plant)
    answer = call(state, "POST", "/api/v1/apply" + ("?dry_run=true" if dry_run else ""))
    changes: list[str] = answer["changes"]
    if as_json:
        document({"changes": changes, "applied": not dry_run})
        return
    for line in changes:
        click.echo(line)
    verb = "would change" if dry_run else "changed"
    click.echo(f"{len(changes)} thing(s) {verb}." if changes else "What runs is what the folder says.")
