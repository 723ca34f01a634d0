"""``weft up``: a plant runs until somebody says stop."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import click

from weft.app import House
from weft.cli.stop import unless_stopped

__all__ = ["greet", "running", "up"]


def up(plant: Path, *, host: str | None, port: int | None) -> None:
    wanted = {"host": host, "port": port}
    web: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
    house = House(plant, web=web)

    async def live() -> None:
        async with running(house):
            greet(house)
            await anyio.sleep_forever()

    anyio.run(unless_stopped, live)


def greet(house: House) -> None:
    """Where to look and what to try, once everything runs."""
    where = shlex.quote(str(house.folder))
    click.secho(f"\n{house.plant().name} is running.", bold=True)
    click.echo(f"  Open    {house.access.new_link()}")
    weft = "weft" if shutil.which("weft") else sys.argv[0]  # what a person here can type
    click.echo(f"          (works once, within 30 minutes; another one: {weft} link --plant {where})")
    click.echo(f"  Folder  {house.folder}")
    click.echo(f"  Try     {weft} tail --plant {where}")
    click.echo(f'          {weft} query --plant {where} "select * from sample limit 5"')  # noqa: S608  # only shown
    click.echo(f"          {weft} doctor --plant {where}")
    click.echo("  Stop    Ctrl-C\n")


@asynccontextmanager
async def running(house: House) -> AsyncIterator[House]:
    """The house, up; stopped in order on leaving."""
    up = anyio.Event()

    def ready(_address: str) -> None:
        up.set()

    async with anyio.create_task_group() as group:
        group.start_soon(house.run, ready)
        await up.wait()
        try:
            yield house
        finally:
            group.cancel_scope.cancel()
