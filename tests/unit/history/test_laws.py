"""Batches of every kind, and a slow, obvious history to compare the fast one with."""

import math
import tempfile
from pathlib import Path

import anyio
import anyio.lowlevel
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.history import Store, compaction
from weft.history.columns import from_table, to_table
from weft.history.newest import Newest
from weft.history.order import is_sorted, last_wins, pick, pick_unsorted
from weft.history.segment import SegmentFile, write_segment
from weft.model import ARRAY, Batch, ValueType, instant
from weft.model.values import FLOATS, is_in

T0 = 1_795_000_000_000_000_000
SECOND = 1_000_000_000

INTEGERS = {
    ValueType.BOOLEAN: (0, 1),
    ValueType.SBYTE: (-128, 127),
    ValueType.INT32: (-(2**31), 2**31 - 1),
    ValueType.INT64: (-(2**63), 2**63 - 1),
    ValueType.UINT64: (0, 2**64 - 1),
    ValueType.DATETIME: (-(2**63), 2**63 - 1),
    ValueType.STATUSCODE: (0, 2**32 - 1),
}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.one_of(
    st.tuples(st.floats(allow_nan=True), st.just(ValueType.DOUBLE)),
    st.tuples(st.floats(width=32), st.just(ValueType.FLOAT)),
    *(st.tuples(st.integers(*limits), st.just(type)) for type, limits in INTEGERS.items()),
    st.tuples(st.sampled_from(["000123", "", "é€😀"]) | texts | st.none(), st.just(ValueType.STRING)),
    st.tuples(texts, st.sampled_from([ValueType.GUID, ValueType.LOCALIZEDTEXT])),
    st.tuples(st.binary(max_size=8) | st.none(), st.just(ValueType.BYTESTRING)),
    st.tuples(st.none(), st.just(ValueType.NULL)),
    st.tuples(
        st.lists(st.integers(-(2**63), 2**64 - 1) | texts | st.none(), max_size=4),
        st.just(ValueType.INT32 | ARRAY),
    ),
    st.tuples(st.dictionaries(texts, st.integers(0, 9), max_size=3), st.just(ValueType.EXTENSIONOBJECT)),
)
times = st.one_of(
    st.integers(0, 12).map(lambda s: T0 + s * SECOND),
    st.sampled_from([instant.MIN_NS, -1, 0, T0 + 1, instant.MAX_NS - 1]),
)
statuses = st.sampled_from([0, 0, 0, 0x40000000, 0x80310000, 0x00000400])
rows = st.builds(
    lambda signal, time, value, status, flags: (signal, time, value[0], value[1], status, flags),
    st.sampled_from([1, 2, 3, 70_000, 2**31 - 1, -5]),
    times,
    values,
    statuses,
    st.sampled_from([0, 1, 256, 0xFFEF]),  # an impossible time has a law of its own, in test_store.py
)
batches = st.lists(rows, max_size=20).map(Batch.of)


def bits(row):
    """A row that compares equal only when every bit is."""
    value = row.value
    if isinstance(value, float):
        value = ("float", "nan") if math.isnan(value) else ("float", value.hex())
    return (row.signal, row.time, type(row.value).__name__, repr(value), row.type, row.status, row.flags)


class Reference:
    """A dict by (signal, time): the last write wins."""

    def __init__(self):
        self.rows = {}

    def append(self, batch):
        for row in batch:
            self.rows[row.signal, row.time] = row

    def raw(self, signals, start, end):
        return [
            bits(row) for key, row in sorted(self.rows.items()) if key[0] in signals and start <= key[1] < end
        ]

    def snapshot(self):
        newest = {}
        for (signal, _), row in sorted(self.rows.items()):
            newest[signal] = row
        return [bits(row) for row in newest.values()]

    def summary(self, signals, start, end, interval):
        groups = {}
        for (signal, time), row in sorted(self.rows.items()):
            if signal in signals and start <= time < end:
                groups.setdefault((signal, start + (time - start) // interval * interval), []).append(row)
        return [(*key, *_figures(found)) for key, found in groups.items()]


def _figures(found):
    good = [row for row in found if row.status < 0x40000000]
    numeric = {*range(ValueType.BOOLEAN, ValueType.DOUBLE + 1)}
    numbers = [float(row.value) for row in good if row.type in numeric]
    numbers = [number for number in numbers if not math.isnan(number)]
    if not numbers:
        return len(found), len(good), None, None, None
    return len(found), len(good), min(numbers), max(numbers), _mean(numbers)


def _mean(numbers):
    try:
        return math.fsum(numbers) / len(numbers)
    except (OverflowError, ValueError):  # beyond a double, or inf - inf
        return None


# --- columns, order, newest ---------------------------------------------------------------------------------


@given(batches)
def test_a_batch_survives_its_columns_bit_for_bit(batch):
    back = from_table(to_table(batch))
    assert [bits(row) for row in back] == [bits(row) for row in batch]
    floats = is_in(batch.type, FLOATS)
    assert np.array_equal(back.bits[floats], batch.bits[floats])


def test_every_kind_of_nan_and_both_zeros_survive_the_file(tmp_path):
    patterns = np.array([0x7FF8000000000001, 0x7FF0000000000001, -0x7FFFFFFFFFFFFFFF, 0, -(2**63)] * 100)
    batch = Batch.doubles(np.zeros(500), np.arange(500), patterns.view(np.float64))
    segment = write_segment(tmp_path, batch, np.zeros(500, bool), (1, 1), (0, 1), T0)
    assert np.array_equal(SegmentFile(tmp_path, segment).read(None, 0, 1_000).bits, patterns)


def test_a_text_without_utf8_does_not_stop_the_others():
    batch = Batch.of([(1, 1, "a\ud800", ValueType.STRING), (1, 2, "b", ValueType.STRING)])
    assert from_table(to_table(batch)).values() == ["a?", "b"]


@given(batches)
def test_last_wins_is_the_slow_one(batch):
    assert last_wins(batch) == batch.last_wins()
    assert is_sorted(last_wins(batch))


@given(batches, st.sets(st.sampled_from([1, 2, 3, 70_000, 9])), times, times)
def test_picking_from_sorted_rows_is_masking(batch, signals, start, end):
    ordered = last_wins(batch)
    handles = np.array(sorted(signals), dtype=np.int32)
    expected = [bits(r) for r in ordered if r.signal in signals and start <= r.time < end]
    assert [bits(row) for row in pick(ordered, handles, start, end)] == expected
    assert [bits(row) for row in pick_unsorted(ordered, handles, start, end)] == expected


@given(st.lists(batches, max_size=5))
def test_newest_is_the_last_write_at_the_latest_time(parts):
    newest, reference = Newest(), Reference()
    for part in parts:
        before = newest.copy()
        newest.update(part)
        reference.append(part)
        assert len(before) <= len(newest)
    assert [bits(row) for row in newest.batch()] == reference.snapshot()
    assert [bits(r) for r in newest.batch([3, 4, 1, 2**40])] == [
        b for b in reference.snapshot() if b[0] in {1, 3}
    ]


# --- the whole store ----------------------------------------------------------------------------------------

steps = st.lists(
    st.one_of(batches, st.sampled_from(["seal", "seal", "compact", "restart", "appends while sealing"])),
    max_size=14,
)
ALL = [1, 2, 3, 70_000, 2**31 - 1, -5]


@settings(max_examples=50, deadline=None)
@given(
    steps,
    st.sets(st.sampled_from(ALL), max_size=3),
    st.sampled_from([1, SECOND // 3, SECOND, 5 * SECOND, 2**62]),
)
def test_any_order_of_appends_seals_merges_and_restarts_gives_the_reference(plan, some, interval):
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr("os.fsync", lambda _: None)  # power cuts are no subject here, and it is slow
        patch.setattr(compaction, "_FEWEST", 2)
        patch.setattr("weft.history.view._BLOCK", 30)
        patch.setattr("weft.history.tail.RUN_ROWS", 25)
        anyio.run(_live, Path(folder), plan, sorted(some), interval)


async def _live(folder, plan, some, interval):
    store, reference, stream = Store(folder, grace=0), Reference(), []
    for step in plan:
        if isinstance(step, Batch):
            stream.append(step)
            reference.append(step)
            store.append(step, len(stream))
        elif step == "restart":
            store.close()
            store = Store(folder, grace=0)
            for sequence, batch in enumerate(stream, 1):
                store.append(batch, sequence)
        elif step == "appends while sealing":
            await _seal_and_append(store, stream, reference)
        else:
            await getattr(store, step)()
    await _compare(store, reference, some, interval)
    await _compare_sql(store, reference)
    await store.seal()
    await store.compact()
    await _compare(store, reference, some, interval)
    store.close()
    store = Store(folder)
    assert store.sealed == len(stream)
    await _compare(store, reference, some, interval)
    await _compare_sql(store, reference)
    store.close()


async def _seal_and_append(store, stream, reference):
    async with anyio.create_task_group() as group:
        group.start_soon(store.seal)
        await anyio.lowlevel.checkpoint()
        batch = Batch.of([(1, T0 + SECOND, len(stream), ValueType.INT32), (2, T0, "late", ValueType.STRING)])
        stream.append(batch)
        reference.append(batch)
        store.append(batch, len(stream))


async def _compare(store, reference, some, interval):
    assert [bits(row) for row in store.snapshot()] == reference.snapshot()
    for signals, start, end in ((ALL, instant.MIN_NS, instant.MAX_NS), (some, T0, T0 + 9 * SECOND)):
        table = await store.raw(signals, start, end)
        assert [bits(row) for row in from_table(table)] == reference.raw(signals, start, end)
    table = await store.summary(ALL, T0 + 3, T0 + 11 * SECOND, interval)
    expected = reference.summary(ALL, T0 + 3, T0 + 11 * SECOND, interval)
    table = table.set_column(1, "time", table.column("time").cast(pa.int64()))
    assert len(table) == len(expected)
    for found, wanted in zip(table.to_pylist(), expected, strict=True):
        *exact, mean = found.values()
        assert tuple(exact) == wanted[:-1]
        assert wanted[-1] is None or mean == pytest.approx(wanted[-1], rel=1e-9, abs=1e-300) or _wild(wanted)


def _wild(wanted):
    """Numbers whose sum a double cannot follow."""
    return max(abs(wanted[4]), abs(wanted[5])) > 1e15


async def _compare_sql(store, reference):
    query = "select * exclude (number, good) from sample order by signal, time"
    table = await store.sql(query)
    assert [bits(row) for row in from_table(table)] == reference.raw(ALL, instant.MIN_NS, instant.MAX_NS)
