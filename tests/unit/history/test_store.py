"""One folder of history: order of writes, faults of files, two processes."""

import json

import anyio
import duckdb
import numpy as np
import pyarrow as pa
import pytest

from weft.history import Store, compaction
from weft.history.columns import from_table
from weft.model import Batch, Flag, Kind, ValueType
from weft.runtime import Conflict, Invalid, NeedsHuman, Retry

pytestmark = pytest.mark.anyio

T0 = 1_795_000_000_000_000_000
SECOND = 1_000_000_000
DOUBLE, STRING, INT32, UINT64 = ValueType.DOUBLE, ValueType.STRING, ValueType.INT32, ValueType.UINT64


def ramp(first, n=10, signal=1, step=SECOND):
    return Batch.doubles(
        np.full(n, signal), T0 + np.arange(first, first + n) * step, np.arange(first, first + n) / 2
    )


async def values(store, signals=(1,)):
    return from_table(await store.raw(signals, 0, 2**63 - 1)).values()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "history"


async def test_the_last_write_wins_in_a_batch_a_tail_and_across_segments(path):
    with Store(path) as store:
        store.append(Batch.of([(1, T0, 1.0, DOUBLE), (1, T0, 2.0, DOUBLE)]), 1)
        assert await values(store) == [2.0]
        await store.seal()
        store.append(Batch.of([(1, T0, 3.0, DOUBLE)]), 2)
        assert await values(store) == [3.0]
        await store.seal()
        assert await values(store) == [3.0]
        assert [s.late for s in store.segments] == [0, 1]
        count = await store.sql("select number from sample")
        assert count.column("number").to_pylist() == [3.0]
        store.append(Batch.of([(1, T0, 4.0, DOUBLE), (1, T0 - 1, 0.5, DOUBLE)]), 3)
        found = await store.sql("select number from sample order by time")
        assert found.column("number").to_pylist() == [0.5, 4.0]


async def test_a_sequence_taken_before_is_ignored(path):
    with Store(path) as store:
        store.append(ramp(0), 5)
        store.append(ramp(10), 5)
        store.append(ramp(20), 4)
        assert len(await values(store)) == 10
        assert (store.taken, store.sealed, store.waiting) == (5, 0, 10)
        assert await store.seal() == 5
        assert store.waiting == 0


async def test_an_empty_batch_moves_the_sequence_without_a_segment(path):
    with Store(path) as store:
        store.append(Batch.empty(), 7)
        assert await store.seal() == 7
        assert store.segments == ()
    with Store(path) as store:
        assert store.sealed == 7


async def test_original_types_come_back_exactly(path):
    batch = Batch.of(
        [(1, T0, "000123", STRING), (2, T0, -12, INT32), (3, T0, 2**64 - 1, UINT64), (4, T0, -0.0, DOUBLE)]
    )
    with Store(path) as store:
        store.append(batch, 1)
        await store.seal()
        table = await store.raw([1, 2, 3, 4], T0, T0 + 1)
        assert from_table(table).last_wins() == batch
        assert table.column("text").to_pylist() == ["000123", None, None, None]
        assert table.column("integer").to_pylist() == [None, -12, -1, None]
        assert str(table.column("value")[3].as_py()) == "-0.0"


async def test_readers_find_everything_once_while_it_is_sealed_and_merged(path, monkeypatch):
    monkeypatch.setattr(compaction, "_FEWEST", 2)
    with Store(path, grace=0) as store:
        done = anyio.Event()

        async def write():
            for i in range(12):
                store.append(ramp(i * 10), i + 1)
                await store.seal()
                await store.compact()
            done.set()

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            while not done.is_set():
                before = store.taken
                found = await values(store)
                assert len(found) >= before * 10
                assert found == [i / 2 for i in range(len(found))]
        assert len(store.segments) < 12


async def test_a_full_disk_loses_nothing(path, monkeypatch):
    with Store(path) as store:
        store.append(ramp(0), 1)
        with monkeypatch.context() as patch:

            def full(*_args, **_more):
                raise OSError(28, "No space left on device")

            patch.setattr("pyarrow.parquet.write_table", full)
            with pytest.raises(OSError, match="No space"):
                await store.seal()
        store.append(ramp(10), 2)
        assert (store.sealed, len(await values(store))) == (0, 20)
        assert await store.seal() == 2
        assert len(store.segments) == 2
        assert len(await values(store)) == 20
        assert not list(path.rglob("*.partial"))


async def test_a_cancelled_seal_is_finished_by_the_next_one(path):
    with Store(path) as store:
        store.append(ramp(0), 1)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.seal()
        async with anyio.create_task_group() as group:
            group.start_soon(store.seal)
            await anyio.sleep(0)
            store.append(ramp(10), 2)
            group.cancel_scope.cancel()
        assert len(await values(store)) == 20
        assert await store.seal() == 2
        assert len(await values(store)) == 20


@pytest.mark.parametrize("harm", ["cut", "flip", "gone"])
async def test_a_damaged_segment_is_set_aside_and_the_rest_served(path, harm):
    with Store(path) as store:
        for i in range(3):
            store.append(ramp(i * 1_000, n=1_000), i + 1)
            await store.seal()
        file = path / "segments" / store.segments[1].file
        content = bytearray(file.read_bytes())
        if harm == "cut":
            file.write_bytes(content[:-7])
        elif harm == "flip":
            content[len(content) // 4] ^= 0x55
            file.write_bytes(content)
        else:
            file.unlink()
        assert len(await values(store)) == 2_000
        (event,) = store.take_events()
        assert (event.kind, event.data["rows"]) == (Kind.DATA_GAP, 1_000)
        manifest = json.loads((path / "manifest.json").read_text())
        assert [aside["segment"]["number"] for aside in manifest["aside"]] == [2]
        assert (path / "aside" / file.name).exists() == (harm != "gone")
        assert len(await store.sql("from sample")) == 2_000


async def test_a_segment_damaged_under_sql_is_set_aside(path):
    with Store(path) as store:
        store.append(ramp(0, n=1_000), 1)
        await store.seal()
        store.append(ramp(1_000), 2)
        file = path / "segments" / store.segments[0].file
        content = bytearray(file.read_bytes())
        content[len(content) // 4] ^= 0x55
        file.write_bytes(content)
        assert (await store.sql("select count(value) as n from sample")).to_pylist() == [{"n": 10}]


async def test_too_many_open_files_is_no_damage(path, monkeypatch):
    with Store(path) as store:
        store.append(ramp(0), 1)
        await store.seal()

        def none_left(*_args, **_more):
            raise OSError(24, "Too many open files")

        with monkeypatch.context() as patch:
            patch.setattr("pyarrow.parquet.ParquetFile", none_left)
            patch.setattr("pyarrow.parquet.read_metadata", none_left)
            with pytest.raises(Retry):
                await values(store)
        assert len(await values(store)) == 10


async def test_what_an_interruption_left_is_tidied_at_the_start(path):
    with Store(path) as store:
        store.append(ramp(0), 1)
        await store.seal()
        segment = path / "segments" / store.segments[0].file
    (path / "segments" / "2026-01-01T00-00-00Z-00000002.parquet").write_bytes(segment.read_bytes())
    (path / "segments" / "x.parquet.partial").write_bytes(b"half")
    (path / "manifest.json.partial").write_bytes(b"{")
    (path / "newest-00000009.parquet").write_bytes(b"")
    with Store(path) as store:
        assert len(await values(store)) == 10
    assert [file.name for file in (path / "segments").iterdir()] == [segment.name]
    assert [file.name for file in (path / "aside").iterdir()] == ["2026-01-01T00-00-00Z-00000002.parquet"]
    assert sorted(file.name for file in path.glob("*.p*")) == ["newest-00000001.parquet"]


@pytest.mark.parametrize(
    "harm", ["missing", b'{"sealed": ', b'{"sealed": "\xff"}', b'{"segments": [{"file": "\xff"}]}']
)
async def test_a_lost_manifest_is_made_anew_from_the_segments(path, harm, monkeypatch):
    monkeypatch.setattr(compaction, "_FEWEST", 2)
    with Store(path) as store:
        for i in range(3):
            store.append(ramp(i * 10), i + 1)
            await store.seal()
        await store.compact()  # the three merged files are still there, in grace
        store.append(ramp(25), 4)
        await store.seal()
        before = await values(store)
        assert len(list((path / "segments").iterdir())) == 5
    if harm == "missing":
        (path / "manifest.json").unlink()
    else:
        (path / "manifest.json").write_bytes(harm)
    with Store(path) as store:
        assert (store.sealed, len(store.segments)) == (4, 2)
        assert await values(store) == before
        assert store.snapshot().values() == [before[-1]]


async def test_lost_newest_samples_are_gathered_from_the_segments(path):
    with Store(path) as store:
        store.append(Batch.of([(1, T0 + 5, "x", STRING), (2, T0, 1.5, DOUBLE)]), 1)
        await store.seal()
        store.append(Batch.of([(1, T0, "late", STRING)]), 2)
        await store.seal()
    (path / "newest-00000002.parquet").write_bytes(b"PAR1")
    with Store(path) as store:
        assert store.snapshot().values() == ["x", 1.5]


async def test_a_newer_format_is_left_alone(path):
    Store(path).close()
    (path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(Invalid, match="format 99"):
        Store(path)


async def test_one_writer_and_any_number_of_readers(path, monkeypatch):
    monkeypatch.setattr(compaction, "_FEWEST", 2)
    with Store(path, grace=0) as store:
        with pytest.raises(Conflict):
            Store(path)
        reader = Store(path, read_only=True)
        assert await values(reader) == []
        store.append(ramp(0), 1)
        await store.seal()
        assert len(await values(reader)) == 10
        store.append(ramp(10), 2)
        await store.seal()
        await store.compact()
        assert len(await values(reader)) == 20
        for write in (reader.seal, reader.compact):
            with pytest.raises(Conflict):
                await write()
        with pytest.raises(Conflict):
            reader.append(ramp(0), 9)
    Store(path).close()


def test_reading_a_folder_that_is_not_there_makes_nothing(path):
    assert len(Store(path, read_only=True).snapshot()) == 0
    assert not path.exists()


def test_a_folder_that_is_a_file_needs_a_person(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NeedsHuman):
        Store(tmp_path / "file")


async def test_old_segments_can_be_dropped(path):
    class Clock:
        time = T0

        def now(self):
            return self.time

        def monotonic(self):
            return self.time / SECOND

    clock = Clock()
    with Store(path, clock=clock) as store:
        store.append(ramp(0), 1)
        await store.seal()
        clock.time += 1_000 * SECOND
        store.append(ramp(990), 2)
        await store.seal()
        assert await store.drop_before(T0 + 500 * SECOND) == 10
        assert await store.drop_before(T0 + 500 * SECOND) == 0
        assert len(await values(store)) == 10
        assert len(list((path / "segments").iterdir())) == 2
        clock.time += 1_000 * SECOND
        await store.compact()
        assert len(list((path / "segments").iterdir())) == 1


async def test_bad_questions_are_refused(path):
    with Store(path) as store:
        store.append(ramp(0, n=1_000), 1)
        await store.seal()
        with pytest.raises(Invalid, match="before it starts"):
            await store.raw([1], 10, 5)
        with pytest.raises(Invalid, match="more than 99 rows"):
            await store.raw([1], 0, 2**63 - 1, most=99)
        for interval in (0, -5):
            with pytest.raises(Invalid, match="no length"):
                await store.summary([1], 0, 10, interval)
        with pytest.raises(Invalid, match="more than 10 rows"):
            await store.summary([1], T0, T0 + 1_000 * SECOND, SECOND, most=10)
        assert len(await store.raw([1], 5, 5)) == 0
        assert len(await store.raw([], 0, 2**63 - 1)) == 0
        assert len(await store.raw([1, 2**40, -(2**40)], -(2**80), 2**80)) == 1_000
        whole = await store.summary([1], -(2**80), 2**80, 2**90)
        assert whole.column("count").to_pylist() == [1_000]


async def test_summary_leaves_bad_and_other_values_out_of_the_numbers(path):
    rows = [
        (1, T0, 4.0, DOUBLE),
        (1, T0 + 1, 100.0, DOUBLE, 0x80310000),
        (1, T0 + 2, float("nan"), DOUBLE),
        (1, T0 + 3, "x", STRING),
        (1, T0 + 4, 2, INT32),
        (1, T0 + 3 * SECOND, 7.0, DOUBLE, 0x40000000),
        (2, T0, 2**64 - 1, UINT64),
    ]
    with Store(path) as store:
        store.append(Batch.of(rows), 1)
        found = (await store.summary([1, 2], T0, T0 + 10 * SECOND, SECOND)).drop_columns("time").to_pylist()
    names = ("signal", "count", "good", "minimum", "maximum", "average")
    assert [tuple(row[name] for name in names) for row in found] == [
        (1, 5, 4, 2.0, 4.0, 3.0),
        (1, 1, 0, None, None, None),
        (2, 1, 1, 2.0**64, 2.0**64, 2.0**64),
    ]


async def test_the_files_are_what_their_page_says(path):
    with Store(path) as store:
        store.append(ramp(0), 1)
        await store.seal()
        file = path / "segments" / store.segments[0].file
    table = duckdb.connect().sql(f"from '{file}'").to_arrow_table()
    assert table.column_names == [
        *("signal", "time", "value", "integer", "text", "data", "type", "status", "flags", "late", "segment")
    ]
    assert table.schema.field("time").type == pa.timestamp("ns", table.schema.field("time").type.tz)
    assert table.column("value").to_pylist() == [i / 2 for i in range(10)]


FAR = T0 + 10**9 * SECOND


@pytest.mark.parametrize("restart", [False, True])
async def test_a_time_from_far_ahead_does_not_hide_what_comes_after_it(path, restart):
    store = Store(path)
    store.append(Batch.of([(1, T0, 1.0, DOUBLE), (1, FAR, 9.0, DOUBLE, 0, Flag.CLOCK_SUSPECT)]), 1)
    assert store.snapshot()[0].value == 1.0
    store.append(Batch.of([(1, FAR + 1, 9.5, DOUBLE, 0, Flag.CLOCK_SUSPECT)]), 2)
    assert store.snapshot()[0].value == 9.5  # a broken clock's newest is shown while nothing better comes
    store.append(Batch.of([(1, T0 + 1, 2.0, DOUBLE)]), 3)
    assert store.snapshot()[0].value == 2.0
    await store.seal()
    if restart:
        store.close()
        store = Store(path)
    assert store.snapshot()[0].value == 2.0
    store.append(Batch.of([(1, FAR, 8.0, DOUBLE, 0, Flag.CLOCK_SUSPECT)]), 4)  # the same (signal, time) again
    found = await store.sql("select number from sample order by time")
    assert found.column("number").to_pylist() == [1.0, 2.0, 8.0, 9.5]
    assert await values(store) == [1.0, 2.0, 8.0, 9.5]
    store.close()
