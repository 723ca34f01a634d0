"""What messages say, as rows of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from weft.connect.sparkplug.births import Declaration, Directory, members
from weft.connect.sparkplug.convert import numbers
from weft.model import Batch, BatchBuilder, Flag, ValueType, concat, quality
from weft.sparkplug.columns import HISTORICAL, IS_NULL, WITHIN
from weft.sparkplug.datatype import DataType, Field
from weft.sparkplug.payload import Metric, PropertySet, PropertyValue
from weft.sparkplug.sample import Sample, sample_of
from weft.sparkplug.scan import Scan

__all__ = ["Samples"]

_MS: Final = 1_000_000
_LATEST_MS: Final = np.uint64(2**63 // _MS - 1)


class Samples:
    """Rows in the order they came; :meth:`taken` hands them over. ``wanted`` gives the type that the plant asks for,
    by handle; ``mark`` is the time (ns UTC) at which we began to listen."""

    def __init__(self, wanted: dict[int, int], mark: int) -> None:
        self.want(wanted)
        self._mark = mark
        self._batches: list[Batch] = []
        self._rows = BatchBuilder()
        self._fresh: set[int] = set()  # handles that had a sample since we began
        self._stale: dict[int, int] = {}  # by handle, when it was marked

    def want(self, wanted: dict[int, int]) -> None:
        """Other signals from now on."""
        self.wanted = wanted
        self._asked = np.zeros(max(wanted, default=-1) + 1, np.uint8)
        for handle, code in wanted.items():
            self._asked[handle] = code

    def taken(self) -> Batch:
        self._close()
        batches, self._batches = self._batches, []
        return concat(batches)

    def _close(self) -> None:
        if len(self._rows):
            self._batches.append(self._rows.build())
            self._rows = BatchBuilder()

    # --- data -----------------------------------------------------------------------------------------------

    def data(self, directory: Directory, device: str, scan: Scan, sent: int) -> bool:
        """A message's values; False when it has metrics that no birth told of."""
        known = True
        place = directory.places(scan.alias)
        present = (scan.present & 1) != 0
        known = not bool((present & (place < 0)).any())
        columns = present & (place >= 0)
        columns[columns] = directory.plain[place[columns]]
        rest = set(scan.others)
        rest.update(np.flatnonzero(present & (place >= 0) & ~columns).tolist())
        if columns.any():
            self._columns(directory, scan, place, np.flatnonzero(columns), sent)
        for row in sorted(rest):
            metric = scan.others.get(row) or _metric(scan, row)
            known &= self._metric(directory, device, metric, sent)
        return known

    def _columns(
        self,
        directory: Directory,
        scan: Scan,
        place: npt.NDArray[np.intp],
        rows: npt.NDArray[np.intp],
        sent: int,
    ) -> None:
        """Plain numbers together."""
        rows = rows[directory.handle[place[rows]] >= 0]
        at = place[rows]
        n = len(rows)
        if not n:
            return
        bits, status = np.zeros(n, np.int64), np.zeros(n, np.uint32)
        datatypes = directory.datatype[at]
        for datatype in np.unique(datatypes).tolist():
            some = datatypes == datatype
            bits[some], status[some] = numbers(datatype, scan.field[rows[some]], scan.bits[rows[some]])
        null = ((scan.flags[rows] & IS_NULL) != 0) | (scan.field[rows] == Field.NONE)
        status[null] = 0
        none = null | (status != 0)
        bits[none] = 0
        kind = np.where(none, ValueType.NULL, directory.kind[at]).astype(np.uint8)
        time, flags = self._times(scan, rows, sent)
        historical = (scan.flags[rows] & HISTORICAL) != 0
        flags |= np.where(historical, np.uint16(Flag.HISTORY), np.uint16(0))
        handles = directory.handle[at]
        self._append(Batch(handles, time, kind, bits, status, flags))
        live = ~historical & (status == 0) & ~null
        directory.last_bits[at[live]] = bits[live]
        directory.last_type[at[live]] = kind[live]
        directory.last_time[at[live]] = time[live]

    def _append(self, batch: Batch) -> None:
        self._close()
        handles = set(batch.signal.tolist()) if len(self._fresh) < len(self.wanted) else set()
        if fresh := handles - self._fresh:
            first = np.isin(batch.signal, list(fresh))
            _, earliest = np.unique(batch.signal[first], return_index=True)
            batch.flags[np.flatnonzero(first)[earliest]] |= np.uint16(Flag.FIRST)
            self._fresh |= fresh
        asked = self._asked[batch.signal]
        other = (asked != 0) & (asked != batch.type) & (batch.type != ValueType.NULL)
        self._batches.append(self._as_wanted(batch) if other.any() else batch)

    def _as_wanted(self, batch: Batch) -> Batch:
        """In the types that the plant asks for; what they cannot hold is null, with the reason as its status."""
        builder = BatchBuilder()
        for row in batch:
            asked = self.wanted.get(row.signal, 0)
            code = row.type if row.type == ValueType.NULL or not asked else asked
            builder.add(row.signal, row.time, row.value, code, row.status, row.flags)
        return builder.build()

    @staticmethod
    def _times(
        scan: Scan, rows: npt.NDArray[np.intp], sent: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16]]:
        ms = scan.time[rows]
        has = ((scan.present[rows] & 2) != 0) & (ms <= _LATEST_MS)
        time = np.where(has, ms, 0).view(np.int64) * _MS + np.minimum(scan.within[rows], _MS - 1)
        flags = np.where(has, np.uint16(0), np.uint16(Flag.RECEIVE_TIME))
        return np.where(has, time, sent), flags

    # --- one by one -----------------------------------------------------------------------------------------

    def _metric(self, directory: Directory, device: str, metric: Metric, sent: int) -> bool:
        declaration = directory.of(device, metric)
        if declaration is None:
            return metric.name is None and metric.alias is None  # a metric that is nobody's changes nothing
        self._sample(directory, declaration, metric, sent)
        metric.name = declaration.name  # its members are named after it
        for name, member in members(metric):
            inner = directory.births.get(declaration.device, {}).get(name)
            if member is not metric and inner is not None:
                self._sample(directory, inner, member, sent)
        return True

    def _sample(self, directory: Directory, declaration: Declaration, metric: Metric, sent: int) -> Sample:
        sample = sample_of(metric, declaration.datatype or metric.datatype or 0, declaration.kind)
        if not sample.time:
            sample = sample._replace(time=sent, flags=sample.flags | Flag.RECEIVE_TIME)
        if declaration.handles:
            for handle in declaration.handles:
                self._add(handle, sample)
            if not sample.flags & Flag.HISTORY and sample.value is not None:
                directory.note(declaration, sample.type, sample.value, sample.time)
        return sample

    def _add(self, handle: int, sample: Sample, extra: int = 0) -> None:
        code = sample.type
        asked = self.wanted.get(handle, 0)
        if asked and code != ValueType.NULL:
            code = asked
        if handle not in self._fresh:
            self._fresh.add(handle)
            extra |= Flag.FIRST
        self._rows.add(handle, sample.time, sample.value, code, sample.status, sample.flags | extra)

    # --- births and deaths ----------------------------------------------------------------------------------

    def born(
        self, directory: Directory, device: str, metrics: Sequence[Metric], sent: int, received: int
    ) -> None:
        """A birth tells the present values. One that is older than our last mark on the signal (bad, stale) is
        told at its own time and, so that the mark does not stay the newest, at the birth's."""
        births = directory.births[device]
        for metric in metrics:
            for name, one in members(metric):
                declaration = births.get(name)
                if declaration is not None and declaration.handles:
                    self._present(directory, declaration, one, sent, received)

    def _present(
        self, directory: Directory, declaration: Declaration, metric: Metric, sent: int, received: int
    ) -> None:
        known = declaration.last_time
        before = declaration.last
        mark = max((self._stale.pop(handle, 0) for handle in declaration.handles), default=0)
        fresh = all(handle in self._fresh for handle in declaration.handles)
        mark = mark or (0 if fresh else self._mark)
        sample = sample_of(metric, declaration.datatype, declaration.kind)
        if not mark and known and sample.time == known and before == (sample.type, sample.value):
            return  # a birth that was asked for in between: nothing new
        sample = self._sample(directory, declaration, metric, sent)
        if sample.time > mark or sample.flags & Flag.HISTORY:
            return
        flag = 0 if sent > mark else int(Flag.RECEIVE_TIME)
        again = sample._replace(time=sent if sent > mark else max(received, mark + 1), flags=flag)
        for handle in declaration.handles:
            self._add(handle, again, Flag.REPEATED)

    def stale(self, directory: Directory, declarations: Sequence[Declaration], time: int) -> None:
        """The last values, marked as such."""
        for declaration in declarations:
            code, value = directory.last_of(declaration) or (ValueType.NULL, None)
            at = max(time, declaration.last_time + 1, self._last_time(directory, declaration) + 1)
            status = quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
            for handle in declaration.handles:
                if handle not in self._stale:
                    self._add(handle, Sample(code, value, status, at, int(Flag.SYNTHETIC)))
                    self._stale[handle] = at

    @staticmethod
    def _last_time(directory: Directory, declaration: Declaration) -> int:
        place = declaration.place
        return int(directory.last_time[place]) if place >= 0 else 0


def _metric(scan: Scan, row: int) -> Metric:
    """A plain metric by itself."""
    field = int(scan.field[row])
    value: Any = int(scan.bits[row])
    if field in (Field.FLOAT, Field.DOUBLE):
        value = float(scan.bits[row : row + 1].view(np.float64)[0])
    flags = int(scan.flags[row])
    metric = Metric(
        alias=int(scan.alias[row]),
        timestamp=int(scan.time[row]) if scan.present[row] & 2 else None,
        is_historical=bool(flags & HISTORICAL),
        is_null=bool(flags & IS_NULL),
        field=field,
        value=bool(value) if field == Field.BOOLEAN else value,
    )
    if scan.within[row]:
        within = PropertyValue(type=DataType.UINT32, field=3, value=int(scan.within[row]))
        metric.properties = PropertySet([WITHIN], [within])
    return metric
