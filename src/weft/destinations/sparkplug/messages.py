"""Births, deaths and data of our node as payloads. Times are ns UTC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from weft.destinations.sparkplug import plan as plans
from weft.model import ARRAY, Batch, Flag, Row, ValueType
from weft.model.values import HEAPED, type_name
from weft.sparkplug.columns import HISTORICAL, IS_NULL, Columns, encode_columns
from weft.sparkplug.datatype import FIELD_OF, WIDTH, DataType, Field
from weft.sparkplug.encode import encode, encode_metric, framed
from weft.sparkplug.kinds import EPOCH, type_of
from weft.sparkplug.payload import Metric, Payload, PropertySet, PropertyValue
from weft.sparkplug.sample import DECLARED, Sample, metric_of
from weft.sparkplug.value import TYPE, add_text
from weft.sparkplug.wire import block

__all__ = ["BDSEQ", "REBIRTH", "DataEncoder", "birth", "death", "node_birth"]

BDSEQ: Final = "bdSeq"
REBIRTH: Final = "Node Control/Rebirth"
_MS: Final = 1_000_000
_PLAIN: Final = np.zeros(256, dtype=np.bool_)
_PLAIN[[*WIDTH, DataType.FLOAT, DataType.DOUBLE, DataType.BOOLEAN]] = True
_FIELD: Final = np.zeros(256, dtype=np.uint8)
for _datatype, _field in FIELD_OF.items():
    _FIELD[_datatype] = _field
_NARROW: Final = _FIELD == Field.INT
_NULLABLE: Final = np.array([code >= ARRAY or code in HEAPED for code in range(256)])


def death(bdseq: int, now: int) -> bytes:
    """An NDEATH: the bdSeq and nothing else (Sparkplug 3.0, 6.4.24)."""
    return encode(Payload(timestamp=now // _MS, metrics=[_bdseq(bdseq, now)]))


def _bdseq(bdseq: int, now: int) -> Metric:
    return Metric(name=BDSEQ, timestamp=now // _MS, datatype=DataType.INT64, field=Field.LONG, value=bdseq)


def node_birth(bdseq: int, seq: int, now: int) -> bytes:
    """An NBIRTH; all signals are on devices."""
    control = Metric(
        name=REBIRTH, timestamp=now // _MS, datatype=DataType.BOOLEAN, field=Field.BOOLEAN, value=False
    )
    return encode(Payload(timestamp=now // _MS, seq=seq, metrics=[_bdseq(bdseq, now), control]))


def birth(
    metrics: Iterable[plans.Metric], newest: dict[int, Row], seq: int, now: int, *, exact_time: bool
) -> bytes:
    """A DBIRTH with the newest sample of each signal, in the order of their times (5.9)."""
    born = [_born(metric, newest.get(metric.signal.handle), now, exact_time=exact_time) for metric in metrics]
    born.sort(key=lambda metric: metric.timestamp or 0)
    return encode(Payload(timestamp=now // _MS, seq=seq, metrics=born))


def _born(metric: plans.Metric, row: Row | None, now: int, *, exact_time: bool) -> Metric:
    sample = Sample(ValueType.NULL, None, 0, now, 0)
    if row is not None:
        sample = Sample(row.type, row.value, row.status, row.time, 0)
    found = metric_of(sample, metric.datatype, metric.kind, exact_time=exact_time)
    found.name, found.alias, found.datatype = metric.name, metric.alias, int(metric.datatype)
    told = None if found.properties is None else found.properties.get(TYPE)
    if told is not None:  # the present value's, which says nothing of those to come
        add_text(found, DECLARED, type_name(metric.kind))
    elif metric.kind != type_of(metric.datatype):
        add_text(found, TYPE, type_name(metric.kind))
    _describe(found, metric)
    return found


def _describe(found: Metric, metric: plans.Metric) -> None:
    """What other hosts know how to show: unit, range, description."""
    signal = metric.signal
    if signal.unit:
        add_text(found, "engUnit", signal.unit)
    for key, limit in (("engLow", signal.limits.minimum), ("engHigh", signal.limits.maximum)):
        if limit is not None:
            _property(found, key, PropertyValue(type=DataType.DOUBLE, field=6, value=limit))
    if signal.description:
        add_text(found, "documentation", signal.description)
    _property(found, "readOnly", PropertyValue(type=DataType.BOOLEAN, field=7, value=signal.write is None))


def _property(found: Metric, key: str, value: PropertyValue) -> None:
    properties = found.properties = found.properties or PropertySet()
    properties.keys.append(key)
    properties.values.append(value)


class DataEncoder:
    """Deliveries to metrics by device, at most ``most`` in a message. What is older than what was sent of a signal
    before (a birth told the newest) is historical, too."""

    def __init__(self, plan: plans.Plan, most: int, *, exact_time: bool, datatypes: bool = False) -> None:
        self._plan = plan
        self._most = most
        self._exact_time = exact_time
        self._datatypes = datatypes
        self._sent: npt.NDArray[np.int64] = np.zeros(0, np.int64)

    def born(self, newest: Iterable[Row]) -> None:
        """These are told by births."""
        for row in newest:
            self._reach(row.signal)
            self._sent[row.signal] = max(int(self._sent[row.signal]), row.time)

    def encode(self, batch: Batch, *, live: bool) -> Iterator[tuple[str, bytes]]:
        """Device and metrics (to be framed) of each message, in order."""
        plan = self._plan
        known = (batch.signal >= 0) & (batch.signal < len(plan.device))
        known[known] = plan.device[batch.signal[known]] >= 0
        batch = batch if known.all() else batch.take(known)
        if not len(batch):
            return
        self._reach(int(batch.signal.max()))
        batch = batch.take(np.argsort(batch.time, kind="stable"))
        old = (batch.flags & np.uint16(Flag.HISTORY)) != 0 if live else np.ones(len(batch), np.bool_)
        old |= batch.time < self._sent[batch.signal]
        np.maximum.at(self._sent, batch.signal[~old], batch.time[~old])
        devices = plan.device[batch.signal]
        for place in np.unique(devices).tolist():
            rows = np.flatnonzero(devices == place)
            for start in range(0, len(rows), self._most):
                some = rows[start : start + self._most]
                yield plan.devices[place], self._metrics(batch.take(some), old[some])

    def _reach(self, handle: int) -> None:
        missing = handle + 1 - len(self._sent)
        if missing > 0:
            self._sent = np.append(self._sent, np.full(missing, np.iinfo(np.int64).min))

    def _metrics(self, batch: Batch, old: npt.NDArray[np.bool_]) -> bytes:
        plain = self._plain(batch)
        if plain.all():
            return encode_columns(self._columns(batch, old))[0]
        data, starts = b"", np.zeros(1, np.int64)
        if plain.any():
            data, starts = encode_columns(self._columns(batch.take(plain), old[plain]))
        parts: list[bytes] = []
        done = 0  # of the plain ones
        before = np.cumsum(plain)
        for i in np.flatnonzero(~plain).tolist():
            upto = int(before[i])
            parts.append(data[int(starts[done]) : int(starts[upto])])
            parts.append(block(2, encode_metric(self._metric(batch, i, historical=bool(old[i])))))
            done = upto
        parts.append(data[int(starts[done]) :])
        return b"".join(parts)

    def _plain(self, batch: Batch) -> npt.NDArray[np.bool_]:
        """Which samples are a number and a time, nothing else."""
        plan = self._plan
        kind, datatype = plan.kind[batch.signal], plan.datatype[batch.signal]
        null = batch.type == ValueType.NULL
        fits = (batch.type == kind) | null & ~_NULLABLE[kind]
        dates = (datatype == DataType.DATETIME) & ~null
        if dates.any():
            ticks = batch.bits[dates] - EPOCH
            fits[dates] &= (batch.bits[dates] >= EPOCH) & (ticks % 10_000 == 0)
        return np.asarray(fits & _PLAIN[datatype] & (batch.status == 0) & (batch.time >= 0))

    def _columns(self, batch: Batch, old: npt.NDArray[np.bool_]) -> Columns:
        plan = self._plan
        datatype = plan.datatype[batch.signal]
        null = batch.type == ValueType.NULL
        bits = batch.bits
        dates = datatype == DataType.DATETIME
        if dates.any():
            bits = np.where(dates, (bits - EPOCH) // 10_000, bits)
        raw = bits.view(np.uint64)
        raw = np.where(_NARROW[datatype], raw & np.uint64(0xFFFFFFFF), raw)
        ms = batch.time // _MS
        within = (
            (batch.time - ms * _MS).astype(np.uint32) if self._exact_time else np.zeros(len(batch), np.uint32)
        )
        flags = np.where(old, HISTORICAL, 0) | np.where(null, IS_NULL, 0)
        return Columns(
            plan.alias[batch.signal],
            ms.view(np.uint64),
            within,
            datatype if self._datatypes else np.zeros(len(batch), np.uint8),
            np.where(null, 0, _FIELD[datatype]).astype(np.uint8),
            np.where(null, np.uint64(0), raw),
            flags.astype(np.uint8),
        )

    def _metric(self, batch: Batch, i: int, *, historical: bool) -> Metric:
        handle = int(batch.signal[i])
        flags = int(Flag.HISTORY) if historical else 0
        sample = Sample(int(batch.type[i]), batch.value(i), int(batch.status[i]), int(batch.time[i]), flags)
        metric = metric_of(
            sample,
            int(self._plan.datatype[handle]),
            int(self._plan.kind[handle]),
            exact_time=self._exact_time,
        )
        metric.alias = int(self._plan.alias[handle])
        metric.datatype = int(self._plan.datatype[handle]) if self._datatypes else None
        return metric


def message(metrics: bytes, seq: int, now: int) -> bytes:
    return framed([metrics], now // _MS, seq)
