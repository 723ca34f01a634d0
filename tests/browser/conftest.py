"""A real browser (Debian's chromium) on a real server on loopback with a plant of paper."""

import pathlib
import shutil
from contextlib import asynccontextmanager

import anyio
import pytest

from weft import console, web
from weft.console.files import Files
from weft.console.testing import PaperHouse

CHROMIUM = next(
    (p for p in ("/usr/bin/chromium", shutil.which("chromium-browser")) if p and pathlib.Path(p).exists()), ""
)
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture(autouse=True, scope="session")
def _able():
    if not CHROMIUM:
        pytest.skip("chromium is not installed (Debian: apt install chromium)")
    pytest.importorskip("playwright", reason="playwright is not installed")
    if not Files().has("plant.js"):
        pytest.skip("the console's browser parts were not built (npm was not in reach)")


class Site:
    """A served plant that tests can stop and start again."""

    def __init__(self, folder):
        self.house = PaperHouse()
        self.house.fill(1000)
        self.access = web.Access(folder)
        self.port = 0
        self.scope = None

    @property
    def address(self):
        return self.access.address

    async def serve(self, *, task_status=anyio.TASK_STATUS_IGNORED):
        app = web.create([console.router(self.house)], access=self.access, page=console.page())

        def ready(address):
            self.access.serving(address)
            self.port = int(address.rpartition(":")[2])
            task_status.started()

        with anyio.CancelScope() as self.scope:
            await web.serve(app, port=self.port, ready=ready)
        self.stopped.set()

    async def start(self, group):
        self.stopped = anyio.Event()
        await group.start(self.serve)

    async def stop(self):
        self.scope.cancel()
        await self.stopped.wait()


@pytest.fixture
async def group():
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            yield group
            group.cancel_scope.cancel()


@pytest.fixture
async def site(tmp_path, group):
    site = Site(tmp_path)
    group.start_soon(site.house.live)
    await site.start(group)
    return site


class Watch:
    """What a page did that it should not have: complaints and requests to anywhere but here."""

    def __init__(self, page, address):
        self.complaints = []
        self.outside = []
        self.bytes = {}
        page.on("console", lambda m: m.type in ("error", "warning") and self.complaints.append(m.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda r: r.url.startswith(address) or self.outside.append(r.url))

    def clean(self):
        assert self.outside == []
        assert self.complaints == []


@pytest.fixture(scope="session")
def anyio_backend():
    """One loop for all tests here: starting a browser for each of them took most of the time."""
    return "asyncio"


@pytest.fixture(scope="session")
async def chromium():
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


@pytest.fixture
def open_page(chromium, site):
    """``async with open_page(**context) as (page, watch)``: a browser that came in by a link."""

    @asynccontextmanager
    async def opened(**context):
        made = await chromium.new_context(viewport={"width": 1440, "height": 900}, **context)
        page = await made.new_page()
        page.set_default_timeout(10_000)
        watch = Watch(page, site.address)
        await page.goto(site.access.new_link())
        yield page, watch
        await made.close()

    return opened
