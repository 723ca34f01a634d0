"""SQL over the history: DuckDB over Arrow, read-only and walled in.

DuckDB opens no file: it is given the segments as an Arrow dataset, and its file system is switched off. The
other way, DuckDB's own Parquet reader with the segments as the only allowed paths, reads no faster and is not
safe: DuckDB 2.0 runs ``with x as (copy … to '<segment>') select 1``, which counts as a SELECT.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
from pyarrow import fs

from weft.history.segment import FILE_SCHEMA, SegmentFile, Torn, with_origin
from weft.history.view import View, too_many
from weft.model import Signal
from weft.model.values import type_name
from weft.runtime import Invalid, WeftError

__all__ = ["Query", "SqlLimits"]


class SqlLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one query may use: seconds, MiB of memory, threads."""

    seconds: float = 30.0
    memory: int = 512
    threads: int = 1


SIGNALS: Final = pa.schema(
    [
        pa.field("signal", pa.int32(), nullable=False),
        *(pa.field(name, pa.string()) for name in ("path", "name", "asset", "connection", "description")),
        *(pa.field(name, pa.string()) for name in ("type", "unit", "semantic", "owner")),
        *(pa.field(name, pa.float64()) for name in ("minimum", "low", "high", "maximum")),
        pa.field("step", pa.bool_()),
    ]
)

_SAMPLE: Final = """
create view sample as
select signal, time, value, integer, text, data, type, status, flags,
       coalesce(value, case when type = 9 and integer < 0 then integer + 18446744073709551616.0
                            when type between 1 and 9 then integer end) as number,
       status < 1073741824 as good
from _stored
"""
# Only rows marked late can have an elder in an earlier segment: everything is shown except those elders.
_WITHOUT_ELDERS: Final = """
create view _stored as
select * from _all anti join _late
    on _late.signal = _all.signal and _late.time = _all.time and _late.segment > _all.segment
"""
# The errors that a damaged file can come out as; those of a wrong query are others.
_READING: Final = (duckdb.IOException, duckdb.InvalidInputException, duckdb.InternalException)


class Query:
    """One query over one view. ``run`` works in a thread; ``stop`` may be called from any other."""

    def __init__(self, view: View, signals: Iterable[Signal], limits: SqlLimits) -> None:
        self._view = view
        self._signals = list(signals)
        self._limits = limits
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._stopped = False

    async def ask(self, query: str, most: int, limiter: anyio.CapacityLimiter) -> pa.Table:
        """Runs in a thread and interrupts it when its time is over or the caller has gone. Raises as
        :meth:`run`."""
        ended = anyio.Event()
        answer: pa.Table | WeftError | Torn
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, ended)
            try:
                answer = await anyio.to_thread.run_sync(self.run, query, most, limiter=limiter)
            except (WeftError, Torn) as error:
                answer = error  # raised below, where no task group wraps it
            finally:
                ended.set()
        if isinstance(answer, (WeftError, Torn)):
            raise answer
        return answer

    async def _watch(self, ended: anyio.Event) -> None:
        try:
            with anyio.move_on_after(self._limits.seconds):
                await ended.wait()
        finally:
            # Again and again: an interrupt that comes before the query has begun is forgotten.
            with anyio.CancelScope(shield=True):
                while not ended.is_set():
                    self.stop()
                    with anyio.move_on_after(0.02):
                        await ended.wait()

    def run(self, query: str, most: int) -> pa.Table:
        """Raises Invalid with DuckDB's reason in one line, Torn when a segment is damaged."""
        # Connections must live and die in one thread: DuckDB 2.0 prints lists of leaks at exit otherwise.
        connection = self._connect()
        try:
            _only_select(connection, query)
            return _rows(connection, query, most)
        except _READING as error:
            for segment in self._view.segments:
                if not self._stopped:
                    segment.check()
            raise self._invalid(error) from error
        except (duckdb.Error, RuntimeError, OverflowError) as error:
            raise self._invalid(error) from error
        finally:
            with self._lock:
                self._connection = None
            connection.close()

    def stop(self) -> None:
        """Interrupts the query; it ends with Invalid."""
        with self._lock:
            self._stopped = True
            if self._connection is not None:
                self._connection.interrupt()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": f"{self._limits.memory}MiB",
                "threads": str(self._limits.threads),
                "temp_directory": "",
                "python_enable_replacements": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
            },
        )
        connection.execute("set timezone = 'UTC'")
        # DuckDB takes an Arrow scan for one row and would hold all samples in memory to join them with a few
        # signals (out of memory at 20 M rows). So the second table of a join is always the one it holds.
        connection.execute("set disabled_optimizers = 'build_side_probe_side'")
        self._define(connection)
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        with self._lock:
            self._connection = connection
            if self._stopped:
                connection.interrupt()
        return connection

    def _define(self, connection: duckdb.DuckDBPyConnection) -> None:
        view = self._view
        connection.register("_sealed", _dataset(view.segments))
        tail, late = _tail(view)
        connection.register("_tail", tail)
        connection.execute("create view _all as from _sealed union all from _tail")
        late_segments = [segment for segment in view.segments if segment.segment.late]
        if late or late_segments:
            connection.register("_sealed_late", _dataset(late_segments))
            connection.execute(
                "create view _late as select signal, time, segment from _sealed_late where late "
                "union all select signal, time, segment from _tail where late"
            )
            connection.execute(_WITHOUT_ELDERS)
        else:
            connection.execute("create view _stored as from _all")
        connection.execute(_SAMPLE)
        connection.register("signal", _signal_table(self._signals))

    def _invalid(self, error: Exception) -> Invalid:
        if isinstance(error, duckdb.InterruptException) and self._stopped:
            return Invalid(
                f"The query was stopped after {self._limits.seconds:g} s.",
                remedy="Ask for fewer signals or a shorter range.",
            )
        if isinstance(error, duckdb.OutOfMemoryException):
            return Invalid(
                f"The query needs more than the {self._limits.memory} MiB it may use.",
                remedy="Ask for fewer signals or a shorter range; in a join name sample first.",
            )
        return Invalid(f"The query is refused: {' '.join(str(error).split())[:500]}")


def _only_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    statements = connection.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise Invalid(
            "Only one SELECT at a time is answered; the history is read-only.",
            remedy="The views are sample and signal.",
        )


def _rows(connection: duckdb.DuckDBPyConnection, query: str, most: int) -> pa.Table:
    relation = connection.sql(query)
    if relation is None:  # e.g. a DESCRIBE that DuckDB runs at once
        raise Invalid("The query has no rows to answer with.", remedy="The views are sample and signal.")
    reader = relation.to_arrow_reader(16_384)
    batches: list[pa.RecordBatch] = []
    rows = 0
    for batch in reader:
        batches.append(batch)
        rows += batch.num_rows
        if rows > most:
            raise too_many(most)
    return pa.Table.from_batches(batches, reader.schema)


_LOCAL: Final = fs.LocalFileSystem()
_PARQUET: Final = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
)


def _dataset(segments: Iterable[SegmentFile]) -> Any:
    """An Arrow dataset of these files; fragments keep their footers between queries."""
    fragments = [segment.fragment(_fragment) for segment in segments]
    if not fragments:
        return FILE_SCHEMA.empty_table()
    return ds.FileSystemDataset(fragments, FILE_SCHEMA, _PARQUET, filesystem=_LOCAL)


def _fragment(path: Path) -> Any:
    return _PARQUET.make_fragment(str(path.absolute()), filesystem=_LOCAL)


def _tail(view: View) -> tuple[pa.Table, bool]:
    """All tails as one table, and whether any of its rows is late."""
    tables = []
    newest = view.sealed
    for runs in view.tails:
        batch = runs.joined()
        tables.append(with_origin(batch, newest.late(batch), runs.number))
        if len(view.tails) > 1:
            newest = newest.copy()
            newest.update(batch)
    table = pa.concat_tables(tables) if tables else FILE_SCHEMA.empty_table()
    return table, bool(np.any(table.column("late").to_numpy()))


def _signal_table(signals: list[Signal]) -> pa.Table:
    rows = [
        {
            "signal": s.handle,
            "path": s.path,
            "name": s.name,
            "asset": s.asset,
            "connection": s.connection,
            "description": s.description,
            "type": None if s.type is None else type_name(s.type),
            "unit": s.unit,
            "semantic": s.semantic,
            "owner": s.owner,
            "step": s.step,
            **msgspec.structs.asdict(s.limits),
        }
        for s in signals
    ]
    return pa.Table.from_pylist(rows, schema=SIGNALS)
