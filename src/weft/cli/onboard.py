"""``weft onboard``: from an address to signals of the plant, nothing typed but the address."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import anyio
import click
import msgspec

from weft import catalog
from weft.catalog import form_of
from weft.cli.imports import tell
from weft.cli.output import document, pair, printable, table
from weft.cli.progress import Progress
from weft.onboard.address import line_of, offered, recognised
from weft.onboard.browse import browse, draft_of, proposals_of
from weft.onboard.draft import Line
from weft.onboard.merge import merge
from weft.onboard.proposals import Proposal
from weft.runtime import Invalid

__all__ = ["chosen", "onboard"]

SECONDS: Final = 4.0
SHOWN: Final = 40
QUESTION: Final = "Take all (a), none (n), or some: numbers like 1-5,8 or patterns like **/temp*"


def onboard(
    address: str, *, settings: Sequence[str], plant: Path, dry_run: bool, yes: bool, as_json: bool, **how: Any
) -> None:
    """``how``: name, asset, like, start, most."""
    loaded = catalog.check(plant).plant
    if loaded is None:
        raise Invalid(
            f"{plant.resolve()} holds no plant that can be used.",
            remedy="`weft init` makes one; `weft check`.",
        )
    name, line, proposals = anyio.run(_propose, address, settings, loaded, how)
    if as_json:
        document({"connection": name, "config": line.config, "proposals": msgspec.to_builtins(proposals)})
        if not yes:
            return
    else:
        _show(proposals)
    if not yes:
        proposals = _asked(proposals) if sys.stdin.isatty() else []
        if not proposals:
            click.echo("Nothing was written. --yes takes what is proposed.", err=True)
            return
    report = merge(draft_of(name, line, proposals), plant, name=name, dry_run=dry_run)
    if not as_json:
        tell(report, written=not dry_run)


async def _propose(
    address: str, settings: Sequence[str], plant: catalog.Plant, how: dict[str, Any]
) -> tuple[str, Line, list[Proposal]]:
    address = await recognised(address, SECONDS)
    given = dict(pair(setting) for setting in settings)
    own, line = line_of(address, {**await offered(address, SECONDS), **given})
    name = how["name"] or own
    with Progress() as progress:
        found = await browse(line, start=how["start"], most=how["most"], progress=progress.show)
    site = list(plant.assets)[1]
    taken = [
        path.removeprefix(f"{site}/") for path, signal in plant.signals.items() if signal.connection != name
    ]
    asset = how["asset"].strip("/") or name
    return name, line, proposals_of(found, asset=asset, connection=name, like=how["like"], taken=taken)


def _show(proposals: Sequence[Proposal]) -> None:
    header = ["no", "signal", "type", "unit", "now", "quality", "remark"]
    rows = [
        [str(number), p.path, p.type, p.unit, p.sample[:30], p.quality, p.reason or "; ".join(p.doubts)]
        for number, p in enumerate(proposals[:SHOWN], 1)
    ]
    table(header, rows)
    if len(proposals) > SHOWN:
        click.echo(f"… and {len(proposals) - SHOWN:,} more: --json lists them all.")
    taken = sum(proposal.accept for proposal in proposals)
    click.echo(f"{len(proposals):,} found, {taken:,} proposed.", err=True)


def _asked(proposals: Sequence[Proposal]) -> list[Proposal]:
    while True:
        answer = click.prompt(QUESTION, default="a").strip()
        try:
            return chosen(proposals, answer)
        except ValueError as error:
            click.echo(printable(str(error)), err=True)


def chosen(proposals: Sequence[Proposal], answer: str) -> list[Proposal]:
    """Those that the answer means; said by number, one that we would leave out is taken all the same. Raises
    ValueError for an answer that means nothing."""
    if answer in {"a", "all", "y", "yes"}:
        return list(proposals)
    if answer in {"n", "none", "no"}:
        return []
    picked: set[int] = set()
    for part in re.split(r"[,\s]+", answer):
        if match := re.fullmatch(r"(\d+)(?:-(\d+))?", part):
            first, last = int(match[1]), int(match[2] or match[1])
            if not 1 <= first <= last <= len(proposals):
                raise ValueError(f"{part}: there are 1 to {len(proposals)}.")
            picked |= set(range(first - 1, last))
        else:
            form = form_of(part)
            fitting = {n for n, p in enumerate(proposals) if p.accept and form.fullmatch(p.path)}
            if not fitting:
                raise ValueError(f"{part!r} fits none of them.")
            picked |= fitting
    replace = msgspec.structs.replace
    return [replace(p, accept=True, reason="") for number, p in enumerate(proposals) if number in picked]
