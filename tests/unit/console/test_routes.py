"""The pages and their routes, without a browser."""

import gzip
import html
import re
from html.parser import HTMLParser

import httpx
import msgspec
import pytest

from weft import console, web
from weft.bus.api import Promise
from weft.catalog.api import Connection
from weft.connect import LineState, Status
from weft.console.files import Files
from weft.console.testing import ROOT, PaperHouse
from weft.history import Store
from weft.model import Asset, Batch, Level, Signal, ValueType
from weft.runtime import Retry

pytestmark = pytest.mark.anyio

OPEN = ("/enter", "/healthz", "/static/")


@pytest.fixture
def house():
    house = PaperHouse()
    house.fill(120)
    return house


@pytest.fixture
def stored(house, tmp_path):
    """The same house with its samples in Parquet."""
    paper, house.history = house.history, Store(tmp_path / "history")
    for sequence, batch in enumerate(zip(*paper.rows.values(), strict=True), 1):
        house.history.append(Batch.of(batch), sequence)
    yield house
    house.history.close()


@pytest.fixture
def access(tmp_path):
    access = web.Access(tmp_path)
    access.serving("http://127.0.0.1:8080")
    return access


@pytest.fixture
def app(house, access):
    return web.create([console.router(house)], access=access, page=console.page())


@pytest.fixture
async def stranger(app):
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8080", headers={"accept": "text/html"}
    ) as client:
        yield client


@pytest.fixture
async def browser(stranger, access):
    await stranger.get(access.new_link())
    return stranger


class Page(HTMLParser):
    """Tags and text of a page; knows what a strict policy and a reader without script would stumble over."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def check(answer):
    """A page that the policy lets through and that fetches nothing from elsewhere."""
    assert answer.status_code == 200, answer.text
    page = Page(answer.text)
    for tag, attrs in page.tags:
        assert "style" not in attrs
        assert not [name for name in attrs if name.startswith("on")]
        for name in ("src", "href", "action"):
            value = attrs.get(name)
            assert value is None or value == "" or (value[0] in "/#" and not value.startswith("//")), (
                tag,
                value,
            )
    assert not page.all("style")
    assert all(attrs.get("src") for attrs in page.all("script"))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert "None" not in page.text
    assert "Undefined" not in page.text
    return page


def paths(app):
    for route in app._app.routes:
        yield "/" + "/".join(part if isinstance(part, str) else "x" for part in route.path_components)


async def test_every_page_asks_who_is_there(app, stranger):
    seen = list(paths(app))
    assert {"/", "/trend", "/console/live", "/console/series", "/console/sparks"} <= set(seen)
    for path in seen:
        answer = await stranger.get(path)
        assert (answer.status_code == 401) != path.startswith(OPEN), path
        assert "default-src 'self'" in answer.headers["content-security-policy"]


async def test_the_way_in_looks_like_the_rest(stranger):
    answer = await stranger.get("/")
    assert answer.status_code == 401
    assert "<code>weft link</code>" in answer.text
    assert "weft-" in answer.text
    for attrs in Page(answer.text).all("link"):
        assert (await stranger.get(attrs["href"])).status_code == 200


async def test_the_plants_page_shows_everything_without_script(browser, house):
    house.trouble = True
    house.step()
    page = check(await browser.get("/"))
    for signal in house.plant().signals.values():
        assert signal.name in page.text
    for text in ("Model factory", "°C", "µm", "no communication", "some values bad", "survives power",
                 "down, retrying", "refused. Is the meter switched on?", "1 of 5 connections down: compressor",
                 "Europe/Berlin"):  # fmt: skip
        assert text in page.text or text in str(page.tags), text
    assert re.search(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d CES?T", page.text)
    assert len(page.all("path")) > 12, "the small curves are there"
    for attrs in page.all("th"):
        assert attrs["scope"] in ("col", "row")


async def test_one_asset(browser):
    page = check(await browser.get("/", params={"asset": f"{ROOT}/energy"}))
    assert "main-meter" in page.text
    assert "spindle-load" not in page.text
    assert any(f"asset={ROOT}/energy" in str(attrs) for attrs in page.all("body"))
    missing = await browser.get("/", params={"asset": "no/such"})
    assert missing.status_code == 404
    assert "no/such" in missing.text


async def test_names_and_values_are_only_text(browser, house):
    evil = "<script>alert(1)</script>\"'&"
    asset = Asset(path=f"{ROOT}/<b>", level=Level.AREA, description=evil)
    signal = Signal(
        handle=500, path=f"{ROOT}/<b>/<i>", connection=evil, address=None, unit="{<u>}", description=evil
    )
    plant = house.described
    house.described = msgspec.structs.replace(
        plant,
        name=evil,
        assets={**plant.assets, asset.path: asset},
        signals={**plant.signals, signal.path: signal},
        connections={evil: Connection(name=evil, protocol=evil, config=None)},
    )
    house.lines = lambda: [
        Status(name=evil, state=LineState.DOWN, reason=evil, next_retry=1, refused={evil: evil})
    ]
    house.history.append(Batch.of([(500, 1, evil, ValueType.STRING)]))
    for address in ("/", f"/trend?signal={ROOT}/%3Cb%3E/%3Ci%3E"):
        answer = await browser.get(address)
        check(answer)
        assert "<script>alert" not in answer.text
        assert html.escape("<script>alert(1)") in answer.text
    assert "<script>alert" not in (await browser.get("/", params={"asset": evil})).text
    stream = await browser.get("/trend", params={"signal": evil})
    assert stream.status_code == 404
    assert "<script>alert" not in stream.text


async def test_the_bus_may_be_away(browser, house):
    async def away():
        raise Retry("The bus does not answer.", remedy="It is being restarted.")

    house.streams = away
    page = check(await browser.get("/"))
    assert "The bus does not answer. It is being restarted." in page.text


async def test_a_plant_without_anything(browser, house):
    house.described = msgspec.structs.replace(house.described, assets={}, signals={}, connections={})
    house.lines = house.services = list
    page = check(await browser.get("/"))
    assert "no connections" in page.text
    check(await browser.get("/trend"))


async def test_a_plant_of_thousands_stays_light(browser, house):
    assets = {f"{ROOT}/a{i}": Asset(path=f"{ROOT}/a{i}", level=Level.AREA) for i in range(40)}
    signals = {
        f"{ROOT}/a{i}/x{j}": Signal(
            handle=1000 + 100 * i + j, path=f"{ROOT}/a{i}/x{j}", connection="c", address=None
        )
        for i in range(40)
        for j in range(100)
    }
    house.described = msgspec.structs.replace(house.described, assets=assets, signals=signals)
    answer = await browser.get("/")
    assert "3400 more signals" in check(answer).text
    assert len(gzip.compress(answer.content)) < 60_000


async def test_first_byte_to_last_is_small(browser):
    """What a browser loads for each page, packed: the budget is 100 KiB."""
    for address in ("/", f"/trend?signal={ROOT}/machining/line1/mill/state"):
        page = check(answer := await browser.get(address, headers={"accept-encoding": "gzip"}))
        assert answer.headers["content-encoding"] == "gzip"
        weight = len(gzip.compress(answer.content, 5))
        for attrs in page.all("link") + page.all("script"):
            part = await browser.get(attrs.get("href") or attrs["src"], headers={"accept-encoding": "gzip"})
            assert part.status_code == 200
            weight += len(gzip.compress(part.content, 9))
        assert weight < 100 * 1024, address


async def test_the_theme_is_the_readers(browser):
    assert (
        'data-theme="dark"' in (await browser.get("/", headers={"cookie": ""} | _with(browser, "dark"))).text
    )
    assert "data-theme" not in (await browser.get("/", headers=_with(browser, '"><script>'))).text


def _with(browser, theme):
    session = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return {"cookie": f"{session}; weft-theme={theme}"}


async def test_trend_holds_the_numbers_as_tables(browser, house):
    signals = [f"{ROOT}/machining/line1/mill/{name}" for name in ("state", "spindle-load", "programme")]
    page = check(await browser.get("/trend", params={"signal": signals, "range": "5m"}))
    assert "O4711 HOUSING" in page.text
    assert re.search(r"\d+\.\d+ \(\d+\.?\d* to \d+\.\d+\)", page.text)
    (chart,) = [attrs for attrs in page.all("div") if attrs.get("id") == "chart"]
    described = msgspec.json.decode(chart["data-signals"])
    assert [one["path"] for one in described] == signals
    assert described[0]["states"]["1"] == "running"
    assert described[0]["step"] is True
    without = next(attrs["href"] for attrs in page.all("a") if attrs.get("class") == "drop")
    assert "state" not in without
    assert "range=5m" in without
    check(await browser.get(without))
    current = [
        attrs["data-range"] for attrs in page.all("a") if attrs.get("aria-current") and "data-range" in attrs
    ]
    assert current == ["5m"]


async def test_pages_over_the_real_history(browser, stored):
    page = check(await browser.get("/"))
    assert len(page.all("path")) > 12
    assert "O4711 HOUSING" in page.text
    for sealed in (False, True):
        if sealed:
            await stored.history.seal()
        signals = [f"{ROOT}/machining/line1/mill/{name}" for name in ("state", "spindle-load", "programme")]
        page = check(await browser.get("/trend", params={"signal": signals, "range": "5m"}))
        assert "O4711 HOUSING" in page.text
        assert re.search(r"\d+\.\d+ \(\d+\.?\d* to \d+\.\d+\)", page.text)
        for pixels, kind in ((1000, "raw"), (50, "summary")):
            answer = await browser.get(
                "/console/series", params={"signal": signals[1], "range": "5m", "pixels": pixels}
            )
            (curve,) = answer.json()["series"]
            assert curve["kind"] == kind
            assert len(curve["time"]) > 30
            assert all(0 <= value < 100 for value in curve["value"])


async def test_trend_without_signals_and_with_wrong_ones(browser):
    assert "Choose a signal" in check(await browser.get("/trend")).text
    check(await browser.get("/trend?signal="))
    assert (await browser.get("/trend?signal=a/b")).status_code == 404
    assert (await browser.get("/trend?range=forever")).status_code == 400
    assert (
        await browser.get("/trend?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z")
    ).status_code == 400


async def test_series(browser, house):
    path = f"{ROOT}/machining/line1/mill/spindle-load"
    answer = await browser.get("/console/series", params={"signal": path, "range": "5m"})
    data = answer.json()
    assert data["end"] - data["start"] == pytest.approx(300)
    (curve,) = data["series"]
    assert (curve["signal"], curve["kind"]) == (path, "raw")
    assert len(curve["time"]) == len(curve["value"]) == 120
    few = await browser.get("/console/series", params={"signal": path, "range": "5m", "pixels": 50})
    assert few.json()["series"][0]["kind"] == "summary"
    for wrong in ({"pixels": 10}, {"pixels": 99_999}, {"pixels": "x"}, {"start": "x", "end": "y"}):
        assert (await browser.get("/console/series", params={"signal": path} | wrong)).status_code == 400


async def test_sparks(browser):
    paths = (await browser.get("/console/sparks", params={"asset": f"{ROOT}/packing"})).json()
    assert set(paths) == {"11", "13"}


async def test_live_refuses_before_it_streams(browser):
    assert (await browser.get("/console/live?signal=a/b")).status_code == 404
    assert (await browser.get("/console/live?asset=a/b")).status_code == 404


async def test_static_files_are_kept_for_ever_and_only_by_their_name(browser):
    files = Files()
    answer = await browser.get(files.url("weft.css"))
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.content == files.get(files.url("weft.css").rpartition("/")[2]).body
    for name in ("weft.css", "stamp", "..%2fapi.py", "%2e%2e/api.py", "weft-000000000000.css", "testing.py"):
        assert (await browser.get(f"/static/{name}")).status_code == 404, name


def test_own_style_stays_small():
    css = Files().get(Files().url("weft.css").rpartition("/")[2])
    assert len(css.body) <= 10 * 1024
    assert len(css.packed) <= 4 * 1024
    assert b"http" not in css.body
    assert b"/*" not in css.body


def test_streams_say_what_they_promise():
    assert {str(p) for p in Promise} == {"none", "survives process", "survives power"}
