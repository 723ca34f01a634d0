"""``weft write`` and ``weft call``: commands to the field by way of the running plant."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from weft.app import load, state_of
from weft.catalog import Plant, nearest
from weft.cli.output import FOUND, document, printable
from weft.cli.remote import ask
from weft.runtime import NotFound

__all__ = ["call", "write"]


def write(path: str, value: str, *, reason: str, dry_run: bool, plant: Path, as_json: bool) -> None:
    body = {"signal": _full(load(plant), path), "value": plain(value), "reason": reason}
    query = "?door=cli" + ("&dry_run=true" if dry_run else "")
    _tell(ask(state_of(plant), "POST", "/api/v1/write" + query, body, answers=(409, 502)), as_json)


def call(
    connection: str,
    target: str,
    method: str,
    arguments: Sequence[str],
    *,
    reason: str,
    plant: Path,
    as_json: bool,
) -> None:
    body = {
        "connection": connection,
        "target": target,
        "method": method,
        "arguments": [plain(argument) for argument in arguments],
        "reason": reason,
    }
    _tell(ask(state_of(plant), "POST", "/api/v1/call?door=cli", body, answers=(409, 502)), as_json)


def plain(text: str) -> Any:
    """A number, true, false, or a list as JSON writes them; anything else is text, also in quotes."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if value is None or isinstance(value, dict) else value


def _full(plant: Plant, path: str) -> str:
    """The one signal whose path is this or ends so."""
    wanted = path.strip("/")
    if wanted in plant.signals:
        return wanted
    found = [known for known in plant.signals if known.endswith(f"/{wanted}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise NotFound(f"{len(found)} signals end with {wanted!r}.", remedy=f"Name one in full: {found[0]}")
    raise NotFound(f"There is no signal {wanted!r}.", remedy=nearest(wanted, list(plant.signals)[:5_000]))


def _tell(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        document(answer)
    elif answer["done"]:
        value = answer["value"]
        shown = "" if value is None else f" {value}"
        click.secho(printable(f"{answer['status']}: {answer['reason']}{shown}"), fg="green")
    else:
        click.secho(printable(f"weft: {answer['reason']}"), fg="red", err=True)
        click.echo(printable(f"      {answer['status']}, id {answer['id']}"), err=True)
    if not answer["done"]:
        sys.exit(FOUND)
