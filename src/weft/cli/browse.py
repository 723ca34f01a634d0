"""``weft browse``: what a machine offers, before anything is configured."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import click
import msgspec

from weft.app import load
from weft.cli.output import document, pair, table
from weft.cli.progress import Progress
from weft.connect import Browses, Found
from weft.model.quality import status_name
from weft.model.values import type_name
from weft.onboard.address import line_of
from weft.runtime import Invalid, NotFound, plugins

__all__ = ["browse"]


def browse(
    target: str, *, start: str, settings: Sequence[str], most: int, plant: Path, as_json: bool
) -> None:
    protocol, connector = _connector(target, settings, plant)
    if not isinstance(connector, Browses):
        raise Invalid(
            f"{protocol} offers no list of what is there.", remedy="Its signals come from the maker's manual."
        )
    found = anyio.run(_collect, connector, start, most)
    if as_json:
        document(msgspec.to_builtins(found))
        return
    header = ["name", "type", "value", "unit", "quality", "address"]
    table(header, [_row(item) for item in found])
    click.echo(
        f"{len(found)} found." + (" More may be there: --most." if len(found) >= most else ""), err=True
    )


async def _collect(connector: Browses, start: str, most: int) -> list[Found]:
    """Says on a terminal how far it is: a large server takes minutes."""
    found: list[Found] = []
    with Progress() as progress:
        async with aclosing(_walk(connector, start)) as items:
            async for item in items:
                found.append(item)
                progress.show(len(found))
                if len(found) >= most:
                    break
    return found


async def _walk(connector: Browses, start: str) -> AsyncGenerator[Found, None]:
    async for item in connector.browse(start):
        yield item


def _row(item: Found) -> list[Any]:
    place = " ".join(f"{key}={value}" for key, value in item.address.items())
    name = f"{item.folder}/{item.name}" if item.folder else item.name
    value = str(item.value)[:40] if item.value is not None else ""
    return [
        name,
        _kind(item),
        value,
        item.unit,
        status_name(item.status),
        place,
    ]


def _kind(item: Found) -> str:
    """A variable's type; of an object what it is by its own type."""
    if item.kind != "variable":
        return f"{item.kind} {item.description}".strip()
    return f"{type_name(item.type) if item.type else ''}{'[]' * item.rank}"


def _connector(target: str, settings: Sequence[str], plant: Path) -> tuple[str, Any]:
    """From an address like ``opc.tcp://host:4840`` or the name of a connection of the plant."""
    if "://" in target:
        _, line = line_of(target, dict(pair(setting) for setting in settings), usual=False)
        kind = plugins.load("weft.connectors", line.protocol)
        return line.protocol, kind(msgspec.convert(line.config, kind.Config, strict=False))
    connection = load(plant).connections.get(target)
    if connection is None:
        raise NotFound(
            f"The plant has no connection {target!r}.", remedy="Or give an address: opc.tcp://host:4840."
        )
    return connection.protocol, plugins.load("weft.connectors", connection.protocol)(connection.config)
