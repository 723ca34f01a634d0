"""SQL over the history answers SELECTs and nothing else."""

import anyio
import numpy as np
import pytest

from weft.history import SqlLimits, Store
from weft.model import Batch, Limits, Signal, ValueType
from weft.runtime import Invalid

pytestmark = pytest.mark.anyio

T0 = 1_795_000_000_000_000_000


def signals():
    return [
        Signal(
            handle=1, path="p/s/mill/load", connection="mill", address={}, unit="%", limits=Limits(high=90.0)
        ),
        Signal(handle=2, path="p/s/mill/serial", connection="mill", address={}, type=ValueType.STRING),
    ]


@pytest.fixture
async def store(tmp_path):
    limits = SqlLimits(seconds=0.5, memory=128)
    with Store(tmp_path / "history", signals=signals, sql_limits=limits) as store:
        n = 5_000
        store.append(Batch.doubles(np.ones(n), T0 + np.arange(n), np.arange(n)), 1)
        await store.seal()
        store.append(Batch.of([(2, T0, "000123", ValueType.STRING)]), 2)
        yield store


async def test_views_join_by_handle(store):
    found = await store.sql(
        "select path, unit, high, count(*) as n, max(number) as top, max(text) as text "
        "from sample join signal using (signal) group by all order by path"
    )
    assert found.to_pylist() == [
        {"path": "p/s/mill/load", "unit": "%", "high": 90.0, "n": 5_000, "top": 4_999.0, "text": None},
        {"path": "p/s/mill/serial", "unit": "", "high": None, "n": 1, "top": None, "text": "000123"},
    ]


async def test_times_keep_their_nanoseconds(store):
    found = await store.sql("select max(time) as t from sample where signal = 1")
    assert found.column("t").cast("int64").to_pylist() == [T0 + 4_999]


@pytest.mark.parametrize(
    "query",
    [
        "",
        ";",
        "selec 1",
        "select 1; select 2",
        "select nix from sample",
        "select * from nowhere",
        "select 'a'::int",
        "copy sample to '{folder}/x.csv'",
        "copy (select 1) to '{segment}' (format parquet, use_tmp_file false)",
        # DuckDB 2.0 counts these two as a SELECT.
        "with x as (copy (select 1) to '{segment}' (use_tmp_file false)) select 1",
        "with x as (insert into sample values (1) returning *) select * from x",
        "explain analyze copy (select 1) to '{folder}/x.csv'",
        "export database '{folder}'",
        "attach '{folder}/x.db'",
        "install httpfs",
        "load httpfs",
        "create table x (i int)",
        "create view sample as select 1",
        "drop view sample",
        "insert into sample select * from sample",
        "delete from sample",
        "set enable_external_access = true",
        "reset lock_configuration",
        "pragma enable_profiling",
        "call pragma_version()",
        "select * from read_csv('/etc/passwd')",
        "select * from read_parquet('{segment}')",
        "select * from '{segment}'",
        "select * from read_text('{folder}/manifest.json')",
        "select * from read_blob('{segment}')",
        "select * from glob('{folder}/*')",
        "select * from parquet_metadata('{segment}')",
        "select * from sniff_csv('/etc/passwd')",
        "select * from duckdb_secrets()",
        "select getenv('HOME')",
        "select * from signals",  # a Python variable of that name must not be found
        "select * from pandas_scan(1)",
    ],
)
async def test_everything_but_a_select_over_the_views_is_refused(store, tmp_path, query):
    folder = tmp_path / "history"
    segment = folder / "segments" / store.segments[0].file
    before = segment.read_bytes(), sorted(folder.rglob("*"))
    with pytest.raises(Invalid) as caught:
        await store.sql(query.format(folder=folder, segment=segment))
    assert "\n" not in str(caught.value)
    assert (segment.read_bytes(), sorted(folder.rglob("*"))) == before
    assert len(await store.sql("from sample")) == 5_001


async def test_a_query_has_its_limits(store):
    with pytest.raises(Invalid, match=r"stopped after 0\.5 s"):
        await store.sql("select sum(a.range * b.range) from range(10000000) a, range(10000000) b")
    with pytest.raises(Invalid, match="128 MiB"):
        await store.sql("select list(a.range) from range(100000000) a")
    with pytest.raises(Invalid, match="more than 10 rows"):
        await store.sql("from sample", most=10)


async def test_a_caller_who_has_gone_stops_the_query(tmp_path):
    with Store(tmp_path / "history", sql_limits=SqlLimits(seconds=600)) as store, anyio.fail_after(20):
        with anyio.move_on_after(0.1) as scope:
            await store.sql("select sum(a.range * b.range) from range(100000000) a, range(100000000) b")
        assert scope.cancelled_caught


async def test_samples_are_joined_without_holding_them_all(tmp_path):
    limits = SqlLimits(memory=32)
    n = 1_000_000
    with Store(tmp_path / "history", signals=signals, sql_limits=limits) as store:
        store.append(Batch.doubles(np.ones(n), T0 + np.arange(n), np.arange(n)), 1)
        await store.seal()
        store.append(Batch.of([(1, T0, -1.0, ValueType.DOUBLE)]), 2)
        query = "select count(*) as n, min(number) as low from sample join signal using (signal)"
        assert (await store.sql(query)).to_pylist() == [{"n": n, "low": -1.0}]
        with pytest.raises(Invalid, match="name sample first"):
            await store.sql("select count(*) from signal join sample using (signal)")
