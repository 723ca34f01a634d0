"""A segment: an immutable Parquet file of samples, sorted by (signal, time), each (signal, time) once.

Segments are numbered in the order in which they were sealed. Where two of them hold the same (signal, time),
the row of the higher number counts; only a row that was marked ``late`` can have such an elder.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from weft.history.columns import SAMPLES, from_table, to_table
from weft.history.order import pick
from weft.model import Batch, instant
from weft.runtime import Retry
from weft.runtime.files import digest, write_whole

__all__ = ["FILE_SCHEMA", "Segment", "SegmentFile", "Torn", "with_origin", "write_samples", "write_segment"]

ROW_GROUP: Final = 32_768
_DAMAGE: Final = (None, errno.ENOENT, errno.EIO)  # not e.g. too many open files: that passes
_ABOUT: Final = b"weft.segment"

FILE_SCHEMA: Final = SAMPLES.append(pa.field("late", pa.bool_(), nullable=False)).append(
    pa.field("segment", pa.int64(), nullable=False)
)


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifest knows about a segment. Times are ns since 1970 UTC, ends included.

    ``number`` orders segments, ``first_number`` is lower when it was merged from several. The stream's
    sequences that went into it are after ``after`` up to ``sequence``. ``late`` counts the rows that may
    replace a row of an earlier segment.
    """

    file: str
    number: int
    first_number: int
    after: int
    sequence: int
    rows: int
    late: int
    first_time: int
    last_time: int
    first_signal: int
    last_signal: int
    sealed: int
    size: int = 0
    sha256: str = ""


class Torn(Exception):  # an outcome for the store to handle, never the caller's error
    """A segment's file is missing or damaged."""

    def __init__(self, segment: Segment, reason: str) -> None:
        super().__init__(f"{segment.file}: {reason}")
        self.segment = segment
        self.reason = reason


def name_of(sealed: int, first_number: int, number: int) -> str:
    """``2026-11-21T06-00-00Z-00000012.parquet``; a merged one names its first and last number."""
    moment = instant.text(sealed, 0).replace(":", "-")
    span = f"{number:08d}" if first_number == number else f"{first_number:08d}-{number:08d}"
    return f"{moment}-{span}.parquet"


def with_origin(batch: Batch, late: npt.NDArray[np.bool_], number: int) -> pa.Table:
    """Sample columns with the file's own two: late and segment."""
    table = to_table(batch).append_column(FILE_SCHEMA.field("late"), pa.array(late))
    numbers = pa.array(np.full(len(batch), number, dtype=np.int64))
    return table.append_column(FILE_SCHEMA.field("segment"), numbers)


def write_segment(
    folder: Path,
    batch: Batch,
    late: npt.NDArray[np.bool_],
    numbers: tuple[int, int],
    span: tuple[int, int],
    sealed: int,
) -> Segment:
    """Writes sorted rows safely to disk. ``numbers``: first and last; ``span``: the stream's sequences
    (after, up to)."""
    segment = Segment(
        file=name_of(sealed, *numbers),
        number=numbers[1],
        first_number=numbers[0],
        after=span[0],
        sequence=span[1],
        rows=len(batch),
        late=int(late.sum()),
        first_time=int(batch.time.min()),
        last_time=int(batch.time.max()),
        first_signal=int(batch.signal[0]),
        last_signal=int(batch.signal[-1]),
        sealed=sealed,
    )
    path = folder / segment.file
    write_samples(path, with_origin(batch, late, segment.number), {_ABOUT: msgspec.json.encode(segment)})
    return msgspec.structs.replace(segment, size=path.stat().st_size, sha256=digest(path))


def write_samples(path: Path, table: pa.Table, about: dict[bytes, bytes]) -> None:
    """Parquet as Weft writes it. Values are not dictionary-coded: a dictionary of doubles would fold the
    many kinds of NaN into one."""
    coded = [
        name
        for name in ("signal", "text", "type", "status", "flags", "segment")
        if name in table.column_names
    ]
    write_whole(
        path,
        lambda partial: pq.write_table(
            table.replace_schema_metadata(about),
            partial,
            row_group_size=ROW_GROUP,
            compression="zstd",
            compression_level=1,
            use_dictionary=coded,
            column_encoding={"time": "DELTA_BINARY_PACKED", "integer": "DELTA_BINARY_PACKED"},
            write_page_checksum=True,
            write_statistics=True,
        ),
    )


def about(path: Path) -> Segment:
    """The segment as its own file describes it. Raises OSError or ValueError."""
    metadata = pq.read_metadata(path).metadata or {}
    if _ABOUT not in metadata:
        raise ValueError("it does not describe itself")
    segment = msgspec.json.decode(metadata[_ABOUT], type=Segment)
    return msgspec.structs.replace(segment, file=path.name, size=path.stat().st_size, sha256=digest(path))


class SegmentFile:
    """Reads a segment; its footer stays in memory."""

    def __init__(self, folder: Path, segment: Segment) -> None:
        self.segment = segment
        self.path = folder / segment.file
        self._footer: pq.FileMetaData | None = None
        self._bounds: npt.NDArray[np.int64] = np.empty((4, 0), dtype=np.int64)
        self._empty: list[frozenset[str]] = []
        self._fragment: Any = None

    def groups(self, signals: npt.NDArray[np.int32] | None, start: int, end: int) -> list[int]:
        """Row groups that may hold rows of these signals in [start, end). Raises Torn."""
        segment = self.segment
        if segment.first_time >= end or segment.last_time < start:
            return []
        self._open()
        low, high, first, last = self._bounds
        wanted = (first < end) & (last >= start)
        if signals is not None:
            wanted &= np.searchsorted(signals, low, "left") < np.searchsorted(signals, high, "right")
        return np.flatnonzero(wanted).tolist()

    def estimate(self, signals: npt.NDArray[np.int32] | None, start: int, end: int) -> int:
        """About how many rows that are, as if signals and times were spread evenly."""
        rows = 0.0
        for group in self.groups(signals, start, end):
            low, high, first, last = (int(x) for x in self._bounds[:, group])
            share = (min(end, last + 1) - max(start, first)) / (last + 1 - first)
            if signals is not None:
                share *= min(1.0, int(((signals >= low) & (signals <= high)).sum()) / (high - low + 1))
            rows += max(1.0, share * ROW_GROUP)
        return int(rows)

    def read(self, signals: npt.NDArray[np.int32] | None, start: int, end: int) -> Batch:
        """The rows of these signals with start <= time < end. Raises Torn."""
        groups = self.groups(signals, start, end)
        if not groups:
            return Batch.empty()
        absent = frozenset.intersection(*(self._empty[group] for group in groups))
        columns = [name for name in SAMPLES.names if name not in absent]
        try:
            with self._file() as file:
                table = file.read_row_groups(groups, columns=columns, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise self._torn(error) from error
        return pick(from_table(table), signals, start, end)

    def whole(self) -> tuple[Batch, npt.NDArray[np.bool_]]:
        """All rows, and which of them are late. Raises Torn."""
        try:
            with self._file() as file:
                table = file.read(use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise self._torn(error) from error
        late = table.column("late").combine_chunks().to_numpy(zero_copy_only=False)
        return from_table(table), late

    def check(self) -> None:
        """Reads every page. Raises Torn."""
        try:
            with self._file() as file:
                for group in range(file.num_row_groups):
                    file.read_row_group(group, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise self._torn(error) from error

    def fragment(self, make: Callable[[Path], Any]) -> Any:
        """The file as a part of an Arrow dataset, made once."""
        if self._fragment is None:
            self._fragment = make(self.path)
        return self._fragment

    def _file(self) -> pq.ParquetFile:
        return pq.ParquetFile(
            self.path, metadata=self._footer, memory_map=True, page_checksum_verification=True
        )

    def _open(self) -> None:
        if self._footer is not None:
            return
        try:
            footer = pq.read_metadata(self.path)
        except (OSError, pa.ArrowException) as error:
            raise self._torn(error) from error
        if footer.num_rows != self.segment.rows or not footer.schema.to_arrow_schema().equals(FILE_SCHEMA):
            raise Torn(self.segment, "its footer does not agree with the manifest")
        rows = [_group_bounds(footer.row_group(i)) for i in range(footer.num_row_groups)]
        self._bounds = np.array([bounds for bounds, _ in rows], dtype=np.int64).reshape(-1, 4).T
        self._empty = [empty for _, empty in rows]
        self._footer = footer

    def _torn(self, error: Exception) -> Torn:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) not in _DAMAGE:
            raise Retry(f"The segment {self.segment.file} cannot be read now: {error}") from error
        return Torn(self.segment, str(error).strip().splitlines()[0])


def _group_bounds(group: Any) -> tuple[list[int], frozenset[str]]:
    """Lowest and highest signal and time of a row group, and which value columns hold nothing but nulls."""
    bounds: list[int] = []
    empty = set()
    for i in range(group.num_columns):
        column = group.column(i)
        statistics = column.statistics
        if column.path_in_schema == "signal":
            bounds[:0] = [statistics.min_raw, statistics.max_raw]
        elif column.path_in_schema == "time":
            bounds += [statistics.min_raw, statistics.max_raw]
        elif column.path_in_schema in {"text", "data"} and statistics.null_count == group.num_rows:
            empty.add(column.path_in_schema)
    return bounds, frozenset(empty)
