"""``weft tail`` and ``weft query``: values as they come, values as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import anyio
import click
import msgspec
import numpy as np

from weft.app import bus_address, bus_server, history_folder, load, state_of
from weft.bus import NatsBus
from weft.catalog import Plant, matching
from weft.cli.output import document, printable, table
from weft.cli.remote import call
from weft.cli.stop import unless_stopped
from weft.model import Batch, Signal
from weft.runtime import NotFound

__all__ = ["query", "tail"]

MOST_ROWS: Final = 100_000


def tail(pattern: str, *, seconds: float | None, plant: Path, as_json: bool) -> None:
    found, state = load(plant), state_of(plant)
    wanted = _signals(found, pattern)
    call(state, "GET", "/api/v1/status")  # a bus that nobody writes to would be watched in vain
    address = bus_address(found.settings, bus_server(found.settings, state))

    async def follow() -> None:
        async with NatsBus.connect(address) as bus, bus.subscribe("uns.v1.>") as values:
            while True:
                for message in await values.next(100):
                    if isinstance(message.body, Batch):
                        _print(message.body, wanted, as_json)

    anyio.run(unless_stopped, follow, seconds)


def query(sql: str, *, plant: Path, as_json: bool) -> None:
    state = state_of(plant)
    try:
        answer = call(state, "POST", "/api/v1/sql", {"query": sql, "limit": MOST_ROWS})
    except NotFound:
        answer = anyio.run(_ask_files, plant, state, sql)
    columns, rows = answer["columns"], answer["rows"]
    if as_json:
        document([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table(columns, rows)


async def _ask_files(plant: Path, state: Path, sql: str) -> dict[str, Any]:
    """The same answer from the files alone, when nothing runs."""
    from weft import history  # DuckDB and Arrow take longer to import than a running Weft to answer
    from weft.history.forms import sql_json

    found = load(plant)
    signals = list(found.signals.values())
    with history.Store(
        history_folder(found.settings, state), signals=lambda: signals, read_only=True
    ) as store:
        answer = sql_json(await store.sql(sql, most=MOST_ROWS))
    plain: dict[str, Any] = json.loads(msgspec.json.encode(answer))
    return plain


def _signals(plant: Plant, pattern: str) -> dict[int, Signal]:
    if not plant.signals:
        raise NotFound(
            f"{plant.name} has no signals yet.",
            remedy="docs/how-to/describe-a-plant.md shows how to add some.",
        )
    from weft.history.ask import selected

    found = matching(plant, pattern) or selected(plant, [pattern])
    return {signal.handle: signal for signal in found}


def _print(batch: Batch, wanted: dict[int, Signal], as_json: bool) -> None:
    from weft.history.forms import snapshot_json

    known = batch.take(np.isin(batch.signal, list(wanted)))
    for row in snapshot_json(known, wanted):
        if as_json:
            document(row)
        else:
            value = "" if row["value"] is None else row["value"]
            words = f"{row['time'][:-4]}Z  {row['signal']}  {value} {row['unit']}  {row['quality']}"
            click.echo(printable(words))
