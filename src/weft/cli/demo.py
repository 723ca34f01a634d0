"""``weft demo``: the model factory in the field, Weft on it, a page in the browser."""

from __future__ import annotations

import sys
import time
import webbrowser
from collections.abc import Collection
from pathlib import Path
from typing import Final

import anyio
import click
import msgspec

from weft import demo
from weft.app import House
from weft.cli.output import FOUND
from weft.cli.stop import until_signal
from weft.cli.up import greet, running
from weft.cli.verify import Verdict, verify
from weft.connect import LineState
from weft.runtime import Conflict, NeedsHuman

__all__ = ["run"]

SECOND: Final = 1_000_000_000
CONNECT: Final = 60.0


def run(
    *,
    folder: Path | None,
    speed: float,
    seed: int,
    port: int,
    seconds: float | None,
    no_browser: bool,
    check: bool,
) -> None:
    place = (folder or Path("demo-plant")).resolve()
    try:
        verdict = anyio.run(_demo, place, speed, seed, port, seconds, not no_browser, check)
    except FileExistsError as error:
        raise Conflict(str(error), remedy="--folder names one.") from error
    except demo.FieldFailed as error:
        raise NeedsHuman(f"The model factory does not run. {error}") from error
    if verdict is not None:
        click.echo(verdict.text())
        if not verdict.ok:
            sys.exit(FOUND)


async def _demo(
    place: Path, speed: float, seed: int, port: int, seconds: float | None, browser: bool, check: bool
) -> Verdict | None:
    truth = place / "truth" if check else None
    # Faster than real time the factory begins in the past, so that its last moment is about now. Only where
    # every value counts does it wait for its reader: elsewhere simulated time is the wall clock's.
    ahead = int((seconds or 0) * max(speed - 1.0, 0.0) * SECOND)
    start = time.time_ns() - ahead if ahead or check else None
    field = demo.Field(
        place / "field",
        seed=seed,
        speed=speed,
        start=start,
        until=seconds * speed if seconds else None,
        truth=truth,
        pace="read" if check else "time",
        hold=check,
        wait=False,  # field and house start side by side, and find each other
        processes=demo.PROCESSES,
    )
    async with field:
        demo.plant.write(place, msgspec.structs.replace(field.ports, stations=()), speed=speed)
        async with running(House(place, web={"port": port})) as house:
            greet(house)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_add_stations, field, place, speed)
                if browser:
                    await anyio.to_thread.run_sync(webbrowser.open, house.access.new_link())
                if check:
                    await _until_connected(house, field.ports.stations)
                    field.release()
                await until_signal(seconds)
                tasks.cancel_scope.cancel()
            return await verify(house, truth) if truth else None


async def _add_stations(field: demo.Field, place: Path, speed: float) -> None:
    """Writes the other machines into the folder once they run: the line is seen sooner, and Weft takes up a saved
    file at once."""
    try:
        await field.up(*demo.PROCESSES)
    except demo.FieldFailed as error:
        click.echo(f"Not all of the model factory runs. {error}", err=True)
    demo.plant.write(place, field.ports, speed=speed)


async def _until_connected(house: House, stations: Collection[str]) -> None:
    """Nothing true happens before somebody is there to see it."""
    with anyio.move_on_after(CONNECT):
        while not {line.name for line in house.lines()}.issuperset(stations) or any(
            line.state is not LineState.UP for line in house.lines()
        ):
            await anyio.sleep(0.05)
