"""From the command to the first value on the page: ``weft demo`` in an empty folder."""

from __future__ import annotations

import re
import signal
import sys
import tempfile
import time
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from statistics import median
from typing import Any, Final

import anyio

from weft import demo

__all__ = ["run"]

TIMES: Final = 3
UP: Final = (sys.executable, "-m", "weft.cli", "up", "--port", "0")
PATIENCE: Final = 60.0
_GOOD: Final = '<td class="quality"><i aria-hidden="true"></i><span>good</span>'
_MILL: Final = re.compile(r">spindle-load</a>.{0,1500}?<span>good</span>", re.DOTALL)


async def run(seconds: float = 0.0) -> dict[str, Any]:
    """Seconds until the page answers, until it shows a first value of good quality, and until it shows the
    mill's spindle load: the mill's own server is the slowest to start. ``restart_s``: from
    starting again after a SIGKILL until the page answers. Medians of three; ``seconds`` is not used."""
    moments = zip(*[await _once() for _ in range(TIMES)], strict=True)
    names = ("page_s", "first_value_s", "mill_s")
    found = {name: round(median(each), 2) for name, each in zip(names, moments, strict=True)}
    return found | {"restart_s": round(await _restart(), 2), "starts": TIMES}


async def _once() -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        log = Path(folder) / "weft.log"
        command = [sys.executable, "-m", "weft.cli", "demo", "--no-browser", "--port", "0"]
        began = time.monotonic()
        with log.open("wb") as out:
            process = await anyio.open_process(
                [*command, "--folder", f"{folder}/plant"], stdout=out, stderr=out
            )
        async with process:
            try:
                link = await _link(log)
                answered = time.monotonic() - began
                first, mill = await anyio.to_thread.run_sync(_watch, link)
                return answered, first - began, mill - began
            finally:
                process.send_signal(signal.SIGTERM)


async def _restart() -> float:
    """Median seconds from starting ``weft up`` after a SIGKILL until its page answers; no machine answers."""
    taken = []
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        demo.plant.write(Path(folder) / "plant", demo.Ports(mill=1, washer=2, meters=3, broker=4))
        for i in range(TIMES + 1):
            log = Path(folder) / f"weft-{i}.log"
            began = time.monotonic()
            with log.open("wb") as out:
                process = await anyio.open_process(
                    [*UP, "--plant", f"{folder}/plant"], stdout=out, stderr=out
                )
            async with process:
                await _link(log)
                taken.append(time.monotonic() - began)
                process.send_signal(signal.SIGKILL)
    return median(taken[1:])


async def _link(log: Path) -> str:
    with anyio.fail_after(PATIENCE):
        while not (found := re.search(r"http://\S+/enter\?key=\S+", log.read_text())):
            await anyio.sleep(0.02)
        return found.group(0)


def _watch(link: str) -> tuple[float, float]:
    """Follows the link as a browser does and reads the page until the values stand in it; when they did."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    until, first, address = time.monotonic() + PATIENCE, 0.0, link
    while time.monotonic() < until:
        page = browser.open(address, timeout=30).read().decode()
        address = link.partition("/enter")[0] + "/"
        now = time.monotonic()
        first = first or (now if _GOOD in page else 0.0)
        if _MILL.search(page):
            return first, now
        time.sleep(0.05)
    raise TimeoutError("the page shows no value")
