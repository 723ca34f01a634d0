"""``weft up`` and ``weft link``: a plant runs until somebody says stop."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import click

from weft.app import House
from weft.runtime import configure_log
from weft.runtime.settings import state_dir
from weft.web import Access

__all__ = ["greet", "link", "running", "until_signal", "up"]


def up(plant: Path, *, host: str | None, port: int | None, level: str) -> None:
    configure_log(level=level)
    wanted = {"host": host, "port": port}
    web: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}

    async def main() -> None:
        house = House(plant, web=web)
        async with running(house):
            greet(house)
            await until_signal()

    anyio.run(main)


def link(plant: Path) -> None:
    click.echo(Access(state_dir(plant)).new_link())


def greet(house: House) -> None:
    """Where to look and what to try, once everything runs."""
    where = house.folder
    click.secho(f"\n{house.plant().name} is running.", bold=True)
    click.echo(f"  Open    {house.access.new_link()}")
    click.echo("          (works once, within 30 minutes; another one: weft link)")
    click.echo(f"  Folder  {where}")
    click.echo(f"  Try     weft tail --plant {where}")
    click.echo(f'          weft query --plant {where} "select * from sample limit 5"')  # noqa: S608  # only shown
    click.echo(f"          weft doctor --plant {where}")
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


async def until_signal(seconds: float | None = None, tick: Callable[[], Any] | None = None) -> None:
    """Returns on Ctrl-C, on SIGTERM, or when the time is over."""
    with (
        anyio.move_on_after(seconds),
        anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals,
    ):
        async for _ in signals:
            return
