"""The plant over HTTP: pages, search, and no secret in any answer."""

from __future__ import annotations

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from weft import catalog

pytestmark = pytest.mark.anyio

SIGNALS = "asset,name,connection,unit,description,type,address.node\n" + "".join(
    f"area/line{i % 2}/m,s{i:03},line,{'Cel' if i % 3 else 'm3/h'},{'Cooling water' if i == 7 else ''},Double,n{i}\n"
    for i in range(250)
)
SECRET = '[fake]\nendpoint = "opc.tcp://user:hunter2@host:1"\npassword = "hunter2"\n'


@pytest.fixture
def client(plant):
    folder = plant({"signals/m.csv": SIGNALS, "connections/secret.toml": SECRET})
    loaded = catalog.load(folder, environ={})
    assert not loaded.findings
    return AsyncTestClient(Litestar([catalog.router(lambda: loaded.plant)], openapi_config=None))


async def get(client, path, **query):
    async with client:
        answer = await client.get(f"/api/v1{path}", params=query)
    return answer.status_code, answer.json()


async def test_plant(client):
    status, found = await get(client, "/plant")
    assert status == 200
    assert (found["enterprise"], found["site"], found["signals"], found["connections"]) == (
        "weft",
        "weft/hall",
        250,
        2,
    )


async def test_assets(client):
    _, found = await get(client, "/assets", below="weft/hall/area/line1")
    assert [(asset["path"], asset["level"], asset["signals"], asset["below"]) for asset in found] == [
        ("weft/hall/area/line1", "line", 0, 125),
        ("weft/hall/area/line1/m", "cell", 125, 125),
    ]
    _, everything = await get(client, "/assets")
    assert everything[0]["below"] == 250


async def test_signals_in_pages(client):
    async with client:
        seen, start = [], 0
        while start is not None:
            page = (await client.get("/api/v1/signals", params={"start": start, "limit": 99})).json()
            assert page["total"] == 250
            seen += [item["path"] for item in page["items"]]
            start = page["next"]
    assert len(seen) == len(set(seen)) == 250


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ({"search": "COOLING line1"}, 1),
        ({"search": "m³/h"}, 84),
        ({"asset": "weft/hall/area/line0"}, 125),
        ({"asset": "weft/hall/area/line"}, 0),
        ({"connection": "line", "search": "s00"}, 10),
        ({"connection": "secret"}, 0),
        ({"start": 1000}, 250),
    ],
)
async def test_search(client, query, total):
    status, page = await get(client, "/signals", **query)
    assert (status, page["total"]) == (200, total)


async def test_a_signal_in_full(client):
    _, page = await get(client, "/signals", search="s007")
    signal = page["items"][0]
    assert (signal["type"], signal["unit"], signal["symbol"]) == ("Double", "Cel", "°C")
    assert (signal["asset"], signal["name"]) == ("weft/hall/area/line1/m", "s007")
    assert signal["address"] == {"node": "n7", "register": 0}
    assert signal["retention"] is None


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1001}, {"start": -1}, {"limit": "x"}])
async def test_impossible_pages_are_refused(client, query):
    status, _ = await get(client, "/signals", **query)
    assert status == 400


async def test_no_secret_leaves(client):
    async with client:
        text = (await client.get("/api/v1/connections")).text
    assert "hunter2" not in text
    assert "***" in text
    assert "opc.tcp://user:***@host:1" in text
    assert '"password":""' in text  # of the other line: that none is set is worth knowing
