"""``weft browse``: what a machine offers, before anything is configured."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import anyio
import click
import msgspec

from weft.app import load
from weft.cli.output import document, table
from weft.connect import Browses, Found
from weft.model.quality import status_name
from weft.model.values import type_name
from weft.runtime import Invalid, NotFound, plugins

__all__ = ["browse"]

STEP: Final = 10
SCHEMES: Final = {"opc.tcp": "opcua", "mqtt": "mqtt", "mqtts": "mqtt", "shdr": "shdr", "modbus": "modbus"}


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
    with _Progress() as progress:
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


class _Progress:
    """The count so far, in one line of standard error that is gone at the end; nothing without a terminal."""

    def __enter__(self) -> Self:
        self._shown = sys.stderr.isatty()
        self.show(0)
        return self

    def __exit__(self, *error: object) -> None:
        self._write("\r\x1b[K")

    def show(self, count: int) -> None:
        if count % STEP == 0:
            self._write(f"\rlooking: {count} found so far")

    def _write(self, text: str) -> None:
        if self._shown:
            sys.stderr.write(text)
            sys.stderr.flush()


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
    given = _given(settings)
    if "://" not in target:
        connection = load(plant).connections.get(target)
        if connection is None:
            raise NotFound(
                f"The plant has no connection {target!r}.", remedy="Or give an address: opc.tcp://host:4840."
            )
        return connection.protocol, plugins.load("weft.connectors", connection.protocol)(connection.config)
    scheme, host, port = _parts(target)
    protocol = SCHEMES.get(scheme, scheme)
    kind = plugins.load("weft.connectors", protocol)
    fields: dict[str, Any] = {field.name: field for field in msgspec.structs.fields(kind.Config)}
    known: dict[str, Any] = {"endpoint": target, "host": host, "port": port, "tls": scheme == "mqtts" or None}
    config = {key: value for key, value in known.items() if key in fields and value is not None} | given
    try:
        return protocol, kind(msgspec.convert(config, kind.Config, strict=False))
    except msgspec.ValidationError as error:
        raise Invalid(
            f"{target}: {error}.", remedy="Fields of the connection go by --set KEY=VALUE."
        ) from error


def _given(settings: Sequence[str]) -> dict[str, str]:
    for setting in settings:
        if "=" not in setting:
            raise click.BadParameter(f"{setting!r} is not like KEY=VALUE.", param_hint="--set")
    return dict(setting.split("=", 1) for setting in settings)


def _parts(target: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of an address. Raises Invalid."""
    try:
        parts = urlsplit(target)
        place = parts.scheme, parts.hostname, parts.port
    except ValueError as error:
        raise Invalid(
            f"{target!r} is no address: {error}.", remedy="Write it like opc.tcp://host:4840."
        ) from error
    return place
