"""The store: live tail, segments and the manifest that joins them. One process writes a folder, any read it."""

from __future__ import annotations

import fcntl
import functools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Final, Self, TypeVar

import anyio
import anyio.to_thread
import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from weft.history import compaction
from weft.history.columns import from_table, to_table
from weft.history.manifest import Folder, Manifest
from weft.history.newest import Newest
from weft.history.segment import Segment, Torn, write_samples, write_segment
from weft.history.shelf import Shelf
from weft.history.sql import Query, SqlLimits
from weft.history.tail import Runs, Tail
from weft.history.view import View
from weft.model import Batch, Event, Signal, instant
from weft.runtime import Clock, Conflict, Invalid, NeedsHuman, SystemClock, get_logger

__all__ = ["Store"]

log = get_logger(__name__)

_T = TypeVar("_T")
_AHEAD: Final = b"weft.ahead"
_MEASURED: Final = b"weft.measured"
_GRACE: Final = 60.0
_MOST_ROWS: Final = 10_000_000
_HANDLES: Final = (-(2**31), 2**31 - 1)


class Store:
    """Implements :class:`weft.history.api.History` on a folder of Parquet files.

    ``append``, ``snapshot`` and the bookkeeping run on the event loop; files are read and written in threads.
    ``signals`` gives the catalog's signals for the SQL view of that name; ``grace`` is how many seconds a
    replaced file stays for readers in other processes.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        signals: Callable[[], Iterable[Signal]] = tuple,
        clock: Clock | None = None,
        sql_limits: SqlLimits | None = None,
        grace: float = _GRACE,
        read_only: bool = False,
    ) -> None:
        """Opens or makes the folder and tidies it. Raises Conflict when another process writes it,
        NeedsHuman when it cannot be used. With ``read_only`` it may be written by another process meanwhile:
        reads follow what that one has sealed, and what would write raises Conflict."""
        folder = Folder(Path(path))
        self._signals = signals
        self._clock: Clock = clock or SystemClock()
        self._sql_limits = sql_limits or SqlLimits()
        self._sealing, self._merging = anyio.Lock(), anyio.Lock()
        self._threads, self._queries = anyio.CapacityLimiter(4), anyio.CapacityLimiter(2)
        self._lock = None if read_only else _lock(folder.path)
        with ExitStack() as given_up:
            given_up.callback(self.close)
            self._shelf = Shelf(folder, self._clock, grace, read_only=read_only)
            if not read_only:
                self._shelf.check()
            given_up.pop_all()
        self._newest = self._load_newest()
        self._sealed_newest = self._newest.copy()
        self._frozen: _Frozen | None = None
        self._tail = Tail(self._shelf.manifest.next, self._shelf.manifest.sealed)

    def close(self) -> None:
        """Lets another process write the folder. What is not sealed is forgotten: the stream has it."""
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def sealed(self) -> int:
        """The highest stream sequence that is safe on disk: replay after it."""
        return self._shelf.manifest.sealed

    @property
    def taken(self) -> int:
        """The highest stream sequence appended."""
        return self._tail.sequence

    @property
    def waiting(self) -> int:
        """Rows that no segment holds yet."""
        return self._tail.rows + (len(self._frozen.runs) if self._frozen else 0)

    @property
    def segments(self) -> tuple[Segment, ...]:
        return self._shelf.segments

    def take_events(self) -> list[Event]:
        """What has happened to the files since the last call: a damaged segment is a Kind.DATA_GAP."""
        return self._shelf.take_events()

    def append(self, batch: Batch, sequence: int) -> None:
        """Takes a batch of the stream; a sequence at or below the last one taken is ignored. An empty batch
        just notes that the stream has come this far."""
        self._shelf.must_write()
        if sequence <= self._tail.sequence:
            return
        self._tail.append(batch, sequence)
        self._newest.update(batch)

    async def restart_after(self, sequence: int) -> None:
        """Goes on after another sequence: the stream was made anew and counts from its beginning. Only
        before the first append."""
        log.warning("the history follows a new stream", sealed=self.sealed, next=sequence + 1)
        await self._shelf.change(lambda now: msgspec.structs.replace(now, sealed=sequence))
        self._tail = Tail(self._shelf.manifest.next, sequence)

    async def seal(self) -> int:
        """Writes the live tail as a segment; appends and reads go on meanwhile. Returns the highest stream
        sequence that is now safe on disk. Raises OSError (a full disk): nothing is lost, call it again."""
        self._shelf.must_write()
        async with self._sealing:
            if self._frozen is not None:  # an earlier call was cancelled or the disk refused
                await self._seal(self._frozen)
            if self._tail.sequence > self.sealed:
                self._frozen = _Frozen(self._tail, self._newest.copy())
                number = self._tail.number + (self._tail.rows > 0)
                self._tail = Tail(number, self._tail.sequence)
                await self._seal(self._frozen)
        return self.sealed

    async def compact(self) -> int:
        """Merges small neighbouring segments until there are none worth it; returns how many files fewer
        there are. Raises OSError."""
        self._shelf.must_write()
        fewer = 0
        async with self._merging:
            while run := compaction.choose(self.segments, self._clock.now()):
                fewer += await self._merge(run)
        self._shelf.sweep()
        return fewer

    async def drop_before(self, time: int) -> int:
        """Forgets the segments that were sealed, and all of whose samples lie, before ``time`` (ns UTC);
        returns their rows. Raises OSError."""
        async with self._merging:
            old = [s for s in self.segments if s.last_time < time and s.sealed < time]
            if old:
                await self._shelf.drop(old)
        return sum(s.rows for s in old)

    def snapshot(self, signals: Sequence[int] | None = None) -> Batch:
        """The newest sample of each signal by source time, sorted by signal; those without one are left out."""
        return self._newest.batch(signals)

    def measured(self) -> dict[int, int]:
        """By signal, the newest source time (ns UTC) of a good value that the source itself gave."""
        newest = self._newest
        rows = newest.measured != instant.MIN_NS
        return dict(zip(newest.signal[rows].tolist(), newest.measured[rows].tolist(), strict=True))

    async def raw(self, signals: Sequence[int], start: int, end: int, *, most: int = 1_000_000) -> pa.Table:
        """See :meth:`History.raw`."""
        handles, start, end = _question(signals, start, end)
        return await self._read(lambda view: view.raw(handles, start, end, min(most, _MOST_ROWS)))

    async def summary(
        self, signals: Sequence[int], start: int, end: int, interval: int, *, most: int = 1_000_000
    ) -> pa.Table:
        """See :meth:`History.summary`; Invalid above ``most`` intervals with samples."""
        handles, start, end = _question(signals, start, end)
        if interval <= 0:
            raise Invalid(f"An interval of {interval} ns has no length.", remedy="Give one above zero.")
        interval = max(1, min(interval, end - start))
        return await self._read(lambda view: view.summary(handles, start, end, interval, most))

    async def sql(self, query: str, *, most: int = 100_000) -> pa.Table:
        """See :meth:`History.sql`."""

        async def ask(view: View) -> pa.Table:
            return await Query(view, self._signals(), self._sql_limits).ask(query, most, self._queries)

        return await self._viewing(ask)

    async def _seal(self, frozen: _Frozen) -> None:
        if len(frozen.runs) and frozen.segment is None:
            frozen.segment = await self._in_thread(self._write, frozen)
        folder, previous = self._shelf.folder, self._shelf.manifest.newest

        def done() -> None:
            self._frozen, self._sealed_newest = None, frozen.newest

        await self._shelf.change(frozen.sealed_into, done)
        if previous not in {"", self._shelf.manifest.newest}:
            (folder.path / previous).unlink(missing_ok=True)

    def _write(self, frozen: _Frozen) -> Segment:
        rows = frozen.runs.joined()
        late = self._sealed_newest.late(rows)
        number = frozen.runs.number
        folder = self._shelf.folder
        about = {
            _AHEAD: msgspec.json.encode(frozen.newest.ahead()),
            _MEASURED: msgspec.json.encode(frozen.newest.before()),
        }
        write_samples(folder.path / _newest_name(number), to_table(frozen.newest.batch()), about)
        span = (frozen.after, frozen.sequence)
        return write_segment(folder.segments, rows, late, (number, number), span, self._clock.now())

    async def _merge(self, run: Sequence[Segment]) -> int:
        names = {segment.file for segment in run}
        files = [file for file in self._shelf.files if file.segment.file in names]
        oldest = run[0] == self.segments[0]
        work = functools.partial(compaction.merge, self._shelf.folder.segments, files, oldest=oldest)
        try:
            merged = await self._in_thread(work)
        except Torn as torn:
            await self._shelf.remove(torn)
            return 0
        return len(run) - 1 if await self._shelf.replace(run, merged) else 0

    async def _read(self, work: Callable[[View], _T]) -> _T:
        async def ask(view: View) -> _T:
            return await self._in_thread(work, view)

        return await self._viewing(ask)

    async def _viewing(self, ask: Callable[[View], Awaitable[_T]]) -> _T:
        """Asks a view of now; a damaged segment is set aside and the rest asked again."""
        while True:
            try:
                with self._shelf.reading(self._view()) as view:
                    return await ask(view)
            except Torn as torn:
                await self._shelf.remove(torn)

    def _view(self) -> View:
        self._shelf.look()
        tails: list[Runs] = [self._frozen.runs] if self._frozen else []
        tails.append(self._tail.runs())
        return View(self._shelf.files, [runs for runs in tails if len(runs)], self._sealed_newest)

    def _load_newest(self) -> Newest:
        """From its file, or else from all segments."""
        manifest = self._shelf.manifest
        try:
            if manifest.newest:
                table = pq.read_table(self._shelf.folder.path / manifest.newest)
                about = table.schema.metadata or {}
                told = (
                    msgspec.json.decode(about.get(key, b"{}"), type=dict[int, int])
                    for key in (_AHEAD, _MEASURED)
                )
                return Newest(from_table(table), *told)
        except (OSError, pa.ArrowException, KeyError, ValueError, msgspec.MsgspecError) as error:
            log.warning("the newest samples are gathered from the segments", because=str(error))
        newest = Newest()
        for file in self._shelf.files:
            try:
                newest.update(file.whole()[0])
            except Torn as torn:
                self._shelf.remove_now(torn)
        return newest

    async def _in_thread(self, work: Callable[..., _T], *parts: Any) -> _T:
        return await anyio.to_thread.run_sync(work, *parts, limiter=self._threads)


class _Frozen:
    """A tail that is being sealed; kept until its segment is in the manifest."""

    def __init__(self, tail: Tail, newest: Newest) -> None:
        self.runs = tail.runs()
        self.after, self.sequence = tail.after, tail.sequence
        self.newest = newest
        self.segment: Segment | None = None

    def sealed_into(self, manifest: Manifest) -> Manifest:
        """The manifest with this tail's segment; without rows only the sequence goes on."""
        if self.segment is None:
            return msgspec.structs.replace(manifest, sealed=self.sequence)
        return msgspec.structs.replace(
            manifest,
            sealed=self.sequence,
            next=self.segment.number + 1,
            newest=_newest_name(self.segment.number),
            segments=(*manifest.segments, self.segment),
        )


def _newest_name(number: int) -> str:
    return f"newest-{number:08d}.parquet"


def _lock(path: Path) -> IO[bytes]:
    """Held as long as the file is open; gone with the process, however that ends."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / "lock").open("wb")
    except OSError as error:
        raise NeedsHuman(
            f"The history's folder {path} cannot be used: {error.strerror}.",
            remedy="Check its owner, its permissions and the free space.",
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise Conflict(
            f"Another process writes the history in {path}.", remedy="Stop it, or choose another folder."
        ) from error
    return file


def _question(signals: Sequence[int], start: int, end: int) -> tuple[npt.NDArray[np.int32], int, int]:
    """Sorted handles and a range that int64 can hold. Raises Invalid for a reversed range."""
    if start > end:
        raise Invalid(
            f"The range ends ({end}) before it starts ({start}).",
            remedy="Swap the two, or check their zones.",
        )
    start, end = (min(max(time, instant.MIN_NS), instant.MAX_NS) for time in (start, end))
    low, high = _HANDLES
    handles = np.unique(np.array([s for s in signals if low <= s <= high], dtype=np.int32))
    return handles, start, end
