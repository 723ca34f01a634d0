"""The history over HTTP, without a socket."""

import json

import pyarrow as pa
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from weft.catalog import Plant
from weft.history import Store, router
from weft.history.ask import duration, moment, selected
from weft.model import Batch, Flag, Signal, ValueType
from weft.runtime import Invalid, NotFound, WeftError
from weft.web.problems import Problems

pytestmark = pytest.mark.anyio

NOW = 1_795_240_800_000_000_000  # 2026-11-21T06:00:00Z
SECOND = 1_000_000_000
ARROW = "application/vnd.apache.arrow.stream"


def plant():
    paths = ["p/s/mill/load", "p/s/mill/serial", "p/s/washer/temperature", "p/s/washer/level"]
    signals = {
        path: Signal(handle=i, path=path, connection="x", address={}, unit="%" if i == 1 else "")
        for i, path in enumerate(paths, 1)
    }
    return Plant(name="p", signals=signals)


class Clock:
    def now(self):
        return NOW

    def monotonic(self):
        return 0.0


@pytest.fixture
async def client(tmp_path):
    with Store(tmp_path / "history", signals=plant().signals.values) as store:
        rows = [(1, NOW - (10 - i) * SECOND, float(i), ValueType.DOUBLE) for i in range(10)]
        rows += [
            (2, NOW - SECOND, "000123", ValueType.STRING),
            (3, NOW - SECOND + 1, None, ValueType.NULL, 0x80310000, Flag.SYNTHETIC),
        ]
        store.append(Batch.of(rows), 1)
        await store.seal()
        app = Litestar(
            [router(store, plant, Clock())],
            exception_handlers={WeftError: Problems().handle},
            logging_config=None,
        )
        async with AsyncTestClient(app) as client:
            yield client


def table(response):
    assert response.headers["content-type"] == ARROW
    return pa.ipc.open_stream(response.content).read_all()


async def test_snapshot(client):
    answer = (await client.get("/api/v1/snapshot", params={"signal": ["**/mill/*", "p/s/washer/*"]})).json()
    assert answer["now"] == "2026-11-21T06:00:00.000000000Z"
    assert [(s["signal"], s["value"], s["quality"], s["unit"]) for s in answer["samples"]] == [
        ("p/s/mill/load", 9.0, "Good", "%"),
        ("p/s/mill/serial", "000123", "Good", ""),
        ("p/s/washer/temperature", None, "BadNoCommunication", ""),
    ]
    assert answer["samples"][2]["time"] == "2026-11-21T05:59:59.000000001Z"
    assert answer["samples"][2]["flags"] == Flag.SYNTHETIC


async def test_raw(client):
    params = {"signal": ["p/s/mill/load", "p/s/washer/level"], "start": "-3s"}
    answer = (await client.get("/api/v1/raw", params=params)).json()
    load, level = answer["signals"]
    assert load["value"] == [7.0, 8.0, 9.0]
    assert load["type"] == ["Double"] * 3
    assert load["time"][0] == "2026-11-21T05:59:57.000000000Z"
    assert (level["signal"], level["value"]) == ("p/s/washer/level", [])


async def test_times_with_a_zone_and_a_plus_that_nobody_encoded(client):
    query = "signal=p/s/mill/load&start=2026-11-21T06:59:58+01:00&end=2026-11-21T06:00:00Z"
    answer = (await client.get(f"/api/v1/raw?{query}")).json()
    assert answer["signals"][0]["value"] == [8.0, 9.0]


async def test_summary(client):
    params = {"signal": "**/load", "interval": "5s", "start": "-10s"}
    (found,) = (await client.get("/api/v1/summary", params=params)).json()["signals"]
    assert found["count"] == [5, 5]
    assert found["average"] == [2.0, 7.0]
    assert found["time"] == ["2026-11-21T05:59:50.000000000Z", "2026-11-21T05:59:55.000000000Z"]


async def test_sql(client):
    query = (
        "select path, max(time) as newest, count(*) as n from sample join signal using (signal) group by 1"
    )
    response = await client.post("/api/v1/sql", json={"query": f"{query} order by 1 limit 1"})
    answer = response.json()
    assert answer["columns"] == ["path", "newest", "n"]
    assert [type.partition("[")[0] for type in answer["types"]] == ["string", "timestamp", "int64"]
    assert answer["rows"] == [["p/s/mill/load", "2026-11-21T05:59:59.000000000Z", 10]]


async def test_arrow_streams(client):
    headers = {"accept": ARROW}
    for path, params, count in (
        ("snapshot", {"signal": "**"}, 3),
        ("raw", {"signal": "**"}, 12),
        ("summary", {"signal": "**", "interval": "1h"}, 3),
    ):
        found = table(await client.get(f"/api/v1/{path}", params=params, headers=headers))
        assert len(found) == count
        assert set(found.column("path").to_pylist()) == {
            *("p/s/mill/load", "p/s/mill/serial", "p/s/washer/temperature")
        }
    found = table(await client.post("/api/v1/sql", json={"query": "from sample"}, headers=headers))
    assert len(found) == 12


@pytest.mark.parametrize(
    ("path", "params", "status", "words"),
    [
        ("raw", {"signal": "p/s/mill/laod"}, 404, "p/s/mill/load"),
        ("raw", {"signal": "**/nothing"}, 404, "no signal"),
        ("raw", {"signal": "**", "start": "yesterday"}, 400, "yesterday"),
        ("raw", {"signal": "**", "start": "now", "end": "-1h"}, 400, "before it starts"),
        ("raw", {"signal": "**", "limit": "5"}, 400, "more than 5 rows"),
        ("raw", {"signal": "**", "limit": "100000000"}, 400, "limit"),
        ("summary", {"signal": "**", "interval": "0s"}, 400, "no length"),
        ("summary", {"signal": "**", "interval": "soon"}, 400, "soon"),
    ],
)
async def test_bad_questions(client, path, params, status, words):
    response = await client.get(f"/api/v1/{path}", params=params)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert words in json.dumps(response.json())


async def test_bad_sql(client):
    for body in ({"query": "copy sample to 'x'"}, {"query": "select nix"}, {"query": "select 1", "limit": 0}):
        response = await client.post("/api/v1/sql", json=body)
        assert response.status_code == 400
    assert (await client.post("/api/v1/sql", json={"query": 5})).status_code == 400
    assert (await client.get("/api/v1/raw")).status_code == 400


def test_durations_and_moments():
    assert [duration(text) for text in ("500ms", "10s", "1.5h", "7d", "1w")] == [
        500_000_000, 10 * SECOND, 5_400 * SECOND, 604_800 * SECOND, 604_800 * SECOND,
    ]  # fmt: skip
    assert moment("now", NOW) == NOW
    assert moment("-1h", NOW) == NOW - 3_600 * SECOND
    for wrong in ("", "-", "-5", "1h", "2026-11-21", "-99999999999999999999d"):
        with pytest.raises(Invalid):
            moment(wrong, NOW)


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("**", 4), ("p/s/*/l*", 2), ("p/**", 4), ("**/s/**/l?ad", 1), ("p/s/mill/load", 1), ("mill/*", 2),
        ("p/*/load", 0), ("p/s/mill/[l]oad*", 0), ("", 0),
    ],
)  # fmt: skip
def test_patterns(pattern, count):
    if count:
        assert len(selected(plant(), [pattern])) == count
    else:
        with pytest.raises(NotFound):
            selected(plant(), [pattern])


def test_a_pattern_of_very_many_stars_is_refused():
    with pytest.raises(Invalid, match="wildcards"):
        selected(plant(), ["**/" * 100 + "x"])


@pytest.mark.parametrize("start", ["-999999999999w", "-300000d"])
async def test_a_start_before_all_time_is_refused(client, start):
    response = await client.get("/api/v1/raw", params={"signal": "**", "start": start})
    assert response.status_code == 400
    assert "1678" in response.json()["detail"]
