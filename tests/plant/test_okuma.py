"""Real input, the main job: the recorded lathe goes over a socket through Weft into history and onto a trend."""

import json

import httpx
import pytest
from plant.houses import living, measured, until
from servers.connect.shdr import okuma
from servers.connect.shdr.replay import Adapter, serving

pytestmark = pytest.mark.anyio


def plain(item, value):
    """A kept value in the form in which the independent parser has it."""
    if item.category != "condition" or value is None:
        return value
    filled = json.loads(value)
    return tuple(filled.get(name, "") for name in okuma.CONDITION_NAMES)


async def kept_rows(house):
    """Weft's own signals, such as the adapter's clock, are not the lathe's."""
    query = "select count(*) from sample join signal using (signal) where flags & 256 = 0 and path not like '%/_weft/%'"
    return (await house.history.sql(query)).column(0)[0].as_py()


async def test_all_of_the_lathe_is_in_history_and_on_a_trend(reference, tmp_path):
    expected = okuma.expected(reference)
    log = okuma.log_path(reference).read_bytes()
    adapter = Adapter(log)
    async with serving(adapter):
        items = okuma.plant_folder(reference, tmp_path / "plant", adapter.port)
        async with living(tmp_path / "plant") as house:

            async def all_there():
                return await kept_rows(house) == 25_612

            await until(all_there, 60, every=0.3)
            await _compare(house, items, expected)
            await _look_at_the_trend(house)
        # The same again after a restart: from the files, and nothing is doubled by what the adapter repeats.
        async with living(tmp_path / "plant") as house:
            await until(all_there_again(house), 30, every=0.3)
            await _compare(house, items, expected)


def all_there_again(house):
    async def check():
        return await kept_rows(house) == 25_612 and house.lines()[0].samples >= 25_659

    return check


async def _compare(house, items, expected):
    signals = house.plant().signals
    for path, item in items.items():
        rows = await measured(house.history, signals[path].handle)
        wanted = {sample.time: sample.value for sample in expected[item]}
        assert {time: plain(item, value) for time, value in rows} == wanted, path
        assert len(rows) == len(wanted), path


async def _look_at_the_trend(house):
    signal = next(path for path in house.plant().signals if path.endswith("/S1speed"))
    async with httpx.AsyncClient(base_url=house.address) as client:
        await client.get(house.access.new_link(), follow_redirects=True)
        span = {"signal": signal, "start": "2022-08-08T13:30:00Z", "end": "2022-08-08T14:31:00Z"}
        page = await client.get("/trend", params=span)
        assert page.status_code == 200
        assert "S1speed" in page.text
        raw = await client.get("/api/v1/raw", params=span)
        assert raw.status_code == 200, raw.text
        (series,) = raw.json()["signals"]
        assert len(series["value"]) == len(series["time"]) == 251
