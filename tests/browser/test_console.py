"""The pages in a browser: values come and move, stale ones say so, nothing is fetched from outside."""

import itertools

import anyio
import pytest

from weft.console.testing import ROOT, paper_plant
from weft.model import Batch, ValueType, quality

pytestmark = pytest.mark.anyio

MILL = f"{ROOT}/machining/line1/mill"
TREND = f"/trend?signal={MILL}/state&signal={MILL}/spindle-load&signal={MILL}/vibration&range=15m"
READING = "() => /[a-z0-9]/.test(document.querySelector('.reading')?.textContent)"


async def contrast(page, selector):
    """WCAG 2 contrast of an element's text to what is behind it."""
    return await page.evaluate(
        """selector => {
          const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
          const rgb = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data]; };
          const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
            .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
          return [...document.querySelectorAll(selector)].filter(e => e.offsetParent && e.textContent.trim()).map(e => {
            let behind = e;
            while (behind.parentElement && rgb(getComputedStyle(behind).backgroundColor)[3] < 255) behind = behind.parentElement;
            const [a, b] = [light(rgb(getComputedStyle(e).color)), light(rgb(getComputedStyle(behind).backgroundColor))];
            return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.textContent.trim().slice(0, 30)];
          });
        }""",
        selector,
    )


async def test_first_value_is_there_and_moves(open_page):
    async with open_page() as (page, watch):
        # The vibration: it moves also while the mill stands.
        value = page.locator("#s4 .value")
        first = await value.inner_text()
        assert float(first) > 0, "the server wrote it into the page"
        await page.wait_for_function(
            "text => document.querySelector('#s4 .value').textContent !== text", arg=first
        )
        await page.wait_for_selector("#live[data-state=live]")
        assert await page.locator("#s1 .value").inner_text() in ("running", "starved", "stopped", "fault")
        watch.clean()


async def test_states_follow(open_page, site):
    async with open_page() as (page, watch):
        await page.wait_for_selector("#live[data-state=live]")
        assert "all 5 connections up" in await page.inner_text("#summary")
        site.house.trouble = True
        await page.wait_for_selector("#s16[data-mark=bad]")
        assert await page.inner_text("#s16 .quality") == "no communication"
        assert await page.inner_text("#s16 .value") == "—"
        await page.wait_for_function(
            "() => document.querySelector('#summary').textContent.includes('compressor')"
        )
        await page.wait_for_selector(".tree [data-mark=bad]")
        assert "some values bad" in await page.inner_text(".cards")
        site.house.trouble = False
        await page.wait_for_selector("#s16[data-mark=ok]")
        watch.clean()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_both_themes_are_readable(open_page, site, scheme, tmp_path):
    site.house.trouble = True
    async with open_page(color_scheme=scheme) as (page, watch):
        await page.wait_for_selector("#s16[data-mark=bad]")
        await page.screenshot(path=tmp_path / f"plant-{scheme}.png", full_page=True)
        texts = "th, td, .value, .quality span, .mark span, small, p, time, h2, .tree b"
        for ratio, text in await contrast(page, texts):
            assert ratio >= 4.5, (round(ratio, 2), text)
        await page.goto(site.address + TREND)
        await page.wait_for_selector(".uplot canvas")
        for ratio, text in await contrast(page, ".legend *, .ranges a, .hint, .between"):
            assert ratio >= 4.5, (round(ratio, 2), text)
        await page.screenshot(path=tmp_path / f"trend-{scheme}.png")
        watch.clean()


async def test_the_switch_of_light_and_dark_is_kept(open_page, site):
    async with open_page(color_scheme="light") as (page, watch):
        paper = "getComputedStyle(document.body).backgroundColor"
        before = await page.evaluate(paper)
        await page.click("#theme")
        dark = await page.evaluate(paper)
        assert dark != before
        await page.reload()
        assert await page.evaluate(paper) == dark
        assert await page.get_attribute("html", "data-theme") == "dark"
        watch.clean()


async def test_without_javascript(open_page, site):
    async with open_page(java_script_enabled=False) as (page, watch):
        assert float(await page.inner_text("#s2 .value")) > 0
        assert "Without JavaScript" in await page.inner_text("main")
        assert await page.inner_text("#live") == "as of"
        await page.click("text=spindle-load")
        assert "/trend?" in page.url
        await page.click("summary:has-text('The same as tables')")
        assert await page.locator(".twin tbody tr").count() > 20
        watch.clean()


async def test_values_are_stale_when_the_server_stops_and_fresh_when_it_is_back(open_page, site, group):
    async with open_page() as (page, watch):
        await page.wait_for_selector("#live[data-state=live]")
        await site.stop()
        begun = anyio.current_time()
        await page.wait_for_selector("#lost:visible")
        await page.wait_for_selector("#s2.stale")
        assert anyio.current_time() - begun < 3
        assert await page.inner_text("#s2 .quality") == "stale"
        assert "lost, retrying" in await page.inner_text("#lost")
        await site.start(group)
        await page.wait_for_selector("#live[data-state=live]")
        await page.wait_for_selector("#s2:not(.stale)")
        assert await page.inner_text("#s2 .quality") == "good"
        assert await page.is_hidden("#lost")
        assert watch.outside == []


async def test_the_end_of_a_session_is_said(open_page, site, group):
    async with open_page() as (page, watch):
        await page.wait_for_selector("#live[data-state=live]")
        await site.stop()
        for session in (site.access._sessions).iterdir():
            session.unlink()
        await site.start(group)
        await page.wait_for_selector("code:has-text('weft link')")
        assert watch.outside == []


async def test_a_signal_that_breaks_its_promise_is_stale(open_page, site):
    """It said it would speak every five seconds."""
    async with open_page() as (page, watch):
        await page.wait_for_selector("#live[data-state=live]")
        old = site.house.clock.now() - 60 * 10**9
        site.house.history.rows[9][:] = []
        site.house.history.append(Batch.of([(9, old, 7.0, ValueType.DOUBLE)]))
        kept = site.house.history.append
        site.house.history.append = lambda batch, sequence=0: kept(batch.take(batch.signal != 9))
        await page.wait_for_selector("#s9.stale")
        assert await page.inner_text("#s9 .quality") == "stale"
        await page.wait_for_function(
            "() => document.querySelector('#s9 .age').textContent.trim() === '1 min'"
        )
        assert await page.locator("tr.stale").count() == 1
        watch.clean()


async def test_a_changed_plant_comes_by_itself(open_page, site):
    async with open_page() as (page, watch):
        await page.wait_for_selector("#live[data-state=live]")
        site.house.described = paper_plant()
        async with page.expect_navigation():
            pass
        await page.wait_for_selector("#live[data-state=live]")
        watch.clean()


async def drawn(page):
    """How many pixels of the chart are not empty."""
    return await page.evaluate(
        """() => { const c = document.querySelector('.uplot canvas');
          const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
          let n = 0; for (let i = 3; i < d.length; i += 4) if (d[i]) n++; return n; }"""
    )


async def test_trend_draws_and_moves(open_page, site):
    async with open_page() as (page, watch):
        await page.goto(site.address + TREND)
        await page.wait_for_selector(".uplot canvas")
        await page.wait_for_function(READING)
        assert await drawn(page) > 5_000
        assert await page.locator(".legend .reading").first.inner_text() in (
            "running",
            "starved",
            "stopped",
            "fault",
        )
        before = await page.locator(".legend .reading").nth(1).inner_text()
        await page.wait_for_function(
            "text => document.querySelectorAll('.legend .reading')[1].textContent !== text", arg=before
        )
        watch.clean()


async def test_looking_closer_and_back(open_page, site):
    async with open_page() as (page, watch):
        await page.goto(site.address + TREND)
        await page.wait_for_function(READING)
        box = await page.locator(".uplot .u-over").bounding_box()
        await page.mouse.move(box["x"] + 200, box["y"] + 100)
        await page.mouse.down()
        await page.mouse.move(box["x"] + 500, box["y"] + 120, steps=5)
        async with page.expect_request(lambda r: "/console/series" in r.url and "start=" in r.url):
            await page.mouse.up()
        assert "start=20" in page.url
        assert await page.locator(".ranges [aria-current]").count() == 0
        await page.reload()
        await page.wait_for_selector(".uplot canvas")
        assert "start=20" in page.url, "the address holds the state"
        await page.go_back()
        await page.wait_for_selector(".ranges [data-range='15m'][aria-current]")
        watch.clean()


async def test_adding_and_removing_a_signal(open_page, site):
    async with open_page() as (page, watch):
        await page.goto(site.address + TREND)
        await page.wait_for_selector(".uplot canvas")
        async with page.expect_navigation():
            await page.select_option("#more", f"{ROOT}/energy/main-meter/power")
        assert await page.locator(".legend li").count() == 4
        await page.click("[aria-label='Remove vibration']")
        await page.wait_for_function("() => document.querySelectorAll('.legend li').length === 3")
        assert "vibration" not in page.url
        watch.clean()


async def test_bad_quality_leaves_a_gap(open_page, site):
    history = site.house.history
    now = site.house.clock.now()
    history.rows[2] = []
    bad = quality.BAD_NO_COMMUNICATION
    history.append(
        Batch.of(
            (2, now - s * 10**9, 50.0, ValueType.DOUBLE, bad if 300 < s < 600 else 0)
            for s in range(900, 0, -1)
        )
    )
    async with open_page() as (page, watch):
        await page.goto(site.address + f"/trend?signal={MILL}/spindle-load&range=15m")
        await page.wait_for_function(READING)
        columns = await page.evaluate(
            """() => { const c = document.querySelector('.uplot canvas'), p = c.getContext('2d');
              const probe = document.createElement('i'); probe.style.color = 'var(--c1)'; document.body.append(probe);
              const want = getComputedStyle(probe).color.match(/\\d+/g).map(Number).slice(0, 3);
              const d = p.getImageData(0, 0, c.width, c.height).data, at = [];
              for (let x = 0; x < c.width; x++) for (let y = 0; y < c.height; y++) {
                const i = (y * c.width + x) * 4;
                if (d[i + 3] > 200 && want.every((v, k) => Math.abs(v - d[i + k]) < 12)) { at.push(x / c.width); break; } }
              return at; }"""
        )
        inside = [x for x in columns if x > 0.1]
        widest = max(b - a for a, b in itertools.pairwise(inside))
        assert 0.2 < widest < 0.45, "a third of the width is empty"
        watch.clean()


async def test_keyboard_reaches_everything(open_page):
    async with open_page() as (page, watch):
        await page.wait_for_selector("#live[data-state=live]")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to the values"
        seen = set()
        for _ in range(50):
            await page.keyboard.press("Tab")
            seen.add(
                await page.evaluate(
                    "document.activeElement.getAttribute('href') || document.activeElement.id"
                )
            )
        assert {"theme", "/"} <= seen
        assert sum("/trend?" in str(one) for one in seen) >= 10
        watch.clean()


@pytest.mark.parametrize("width", [390, 768, 1920])
async def test_no_page_is_wider_than_its_window(open_page, site, width, tmp_path):
    async with open_page() as (page, watch):
        await page.set_viewport_size({"width": width, "height": 900})
        for address in ("/", TREND):
            await page.goto(site.address + address)
            await page.wait_for_timeout(300)
            await page.screenshot(path=tmp_path / f"{width}-{'trend' if 'trend' in address else 'plant'}.png")
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        watch.clean()


async def test_weight_over_the_wire(open_page, site):
    """Everything a first visit loads, as it goes over the wire."""
    async with open_page() as (page, watch):
        done = []
        page.on("requestfinished", lambda request: done.append(request))  # noqa: PLW0108  # it marks its listeners
        for address in ("/", TREND):
            done.clear()
            await page.goto(site.address + address, wait_until="load")
            parts = [request for request in done if "/console/" not in request.url]
            weight = sum([(await request.sizes())["responseBodySize"] for request in parts])
            assert 0 < weight < 100 * 1024
        watch.clean()


async def test_ages_read_the_same_as_the_servers(open_page, site):
    from weft.console import words

    async with open_page() as (page, watch):
        await page.wait_for_selector("#live[data-state=live]")
        pairs = await page.evaluate(
            """ages => new Promise(done => {
              const times = ages.map(ms => { const t = document.createElement('time');
                t.dataset.at = String(Date.now() - ms); document.body.append(t); return t; });
              setTimeout(() => done(times.map(t => [t.textContent, Date.now() - Number(t.dataset.at)])), 450); })""",
            [500, 9_000, 12_000, 61_000, 3_700_000, 40_000_000, 200_000_000],
        )
        for text, ms in pairs:
            assert text in {words.age_text((ms - back) * 1_000_000) for back in range(0, 1000, 25)}
        watch.clean()
