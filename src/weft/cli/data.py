"""``weft tail`` and ``weft query``: values as they come, values as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import click

from weft import catalog, history
from weft.app import load
from weft.bus import NatsBus, NatsServer
from weft.catalog import matching
from weft.cli.output import document, table
from weft.cli.remote import call
from weft.cli.up import until_signal
from weft.model import Batch, Signal, instant, quality
from weft.runtime import NotFound
from weft.runtime.settings import state_dir

__all__ = ["query", "tail"]


def tail(pattern: str, *, seconds: float | None, plant: Path, as_json: bool) -> None:
    state = state_dir(plant)
    wanted = _signals(load(plant), pattern)

    async def follow() -> None:
        async with (
            NatsBus.connect(NatsServer(state / "bus").address) as bus,
            bus.subscribe("uns.v1.>") as values,
        ):
            while True:
                for message in await values.next(100):
                    if isinstance(message.body, Batch):
                        _print(message.body, wanted, as_json)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await until_signal(seconds)
            group.cancel_scope.cancel()

    anyio.run(main)


def query(sql: str, *, plant: Path, as_json: bool) -> None:
    state = state_dir(plant)
    try:
        answer = call(state, "POST", "/api/v1/sql", {"query": sql})
        columns, rows = answer["columns"], answer["rows"]
    except NotFound:
        columns, rows = anyio.run(_ask_files, plant, state, sql)
    if as_json:
        document([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table(columns, rows)


async def _ask_files(plant: Path, state: Path, sql: str) -> tuple[list[str], list[list[Any]]]:
    """The same answer from the files alone, when nothing runs."""
    signals = list(load(plant).signals.values())
    store = history.Store(state / "history", signals=lambda: signals, read_only=True)
    found = await store.sql(sql)
    return found.column_names, [list(row.values()) for row in found.to_pylist()]


def _signals(plant: catalog.Plant, pattern: str) -> dict[int, Signal]:
    found = {signal.handle: signal for signal in matching(plant, pattern)}
    if not found:
        raise NotFound(f"No signal matches {pattern!r}.", remedy="Patterns look like '**/mill/*'.")
    return found


def _print(batch: Batch, wanted: dict[int, Signal], as_json: bool) -> None:
    for row in batch:
        signal = wanted.get(row.signal)
        if signal is None:
            continue
        time, status = instant.text(row.time, 6), quality.status_name(row.status)
        if as_json:
            document({"signal": signal.path, "time": time, "value": row.value, "status": status})
        else:
            click.echo(f"{time}  {signal.path}  {row.value} {signal.unit}  {status}")
