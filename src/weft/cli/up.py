"""``weft up`` and ``weft link``: a plant runs until somebody says stop."""

from __future__ import annotations

import shlex
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import click

from weft.app import House, state_of
from weft.cli.remote import call
from weft.web import Access

__all__ = ["greet", "link", "running", "unless_stopped", "until_signal", "up"]


def up(plant: Path, *, host: str | None, port: int | None) -> None:
    wanted = {"host": host, "port": port}
    web: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
    house = House(plant, web=web)

    async def live() -> None:
        async with running(house):
            greet(house)
            await anyio.sleep_forever()

    anyio.run(unless_stopped, live)


def link(plant: Path) -> None:
    state = state_of(plant)
    call(state, "GET", "/api/v1/status")  # a link to nobody helps nobody
    click.echo(Access(state).new_link())


def greet(house: House) -> None:
    """Where to look and what to try, once everything runs."""
    where = shlex.quote(str(house.folder))
    click.secho(f"\n{house.plant().name} is running.", bold=True)
    click.echo(f"  Open    {house.access.new_link()}")
    click.echo("          (works once, within 30 minutes; another one: weft link)")
    click.echo(f"  Folder  {house.folder}")
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


async def unless_stopped(work: Callable[[], Awaitable[None]], seconds: float | None = None) -> None:
    """Does the work until it ends, is ended by Ctrl-C or SIGTERM, or the time is over. Signals count from the
    first moment: whoever stops a start stops all of it."""
    async with anyio.create_task_group() as group:

        async def do() -> None:
            await work()
            group.cancel_scope.cancel()

        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            group.start_soon(do)
            with anyio.move_on_after(seconds):
                async for _ in signals:
                    break
            group.cancel_scope.cancel()


async def until_signal(seconds: float | None = None) -> None:
    """Returns on Ctrl-C, on SIGTERM, or when the time is over."""
    with (
        anyio.move_on_after(seconds),
        anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals,
    ):
        async for _ in signals:
            return
