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

__all__ = ["run"]

TIMES: Final = 3
PATIENCE: Final = 60.0
_VALUE: Final = re.compile(r"spindle-load.{0,2000}?good", re.DOTALL)


async def run(seconds: float = 0.0) -> dict[str, Any]:
    """Seconds until the page answers and until it shows the mill's spindle load with good quality: medians of
    three starts. ``seconds`` is not used."""
    answers, values = zip(*[await _once() for _ in range(TIMES)], strict=True)
    return {"page_s": round(median(answers), 2), "first_value_s": round(median(values), 2), "starts": TIMES}


async def _once() -> tuple[float, float]:
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
                await anyio.to_thread.run_sync(_until_value, link)
                return answered, time.monotonic() - began
            finally:
                process.send_signal(signal.SIGTERM)


async def _link(log: Path) -> str:
    with anyio.fail_after(PATIENCE):
        while not (found := re.search(r"http://\S+/enter\?key=\S+", log.read_text())):
            await anyio.sleep(0.02)
        return found.group(0)


def _until_value(link: str) -> None:
    """Follows the link as a browser does and reads the page until the value stands in it."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = browser.open(link, timeout=30).read().decode()
    until = time.monotonic() + PATIENCE
    while not _VALUE.search(page):
        if time.monotonic() > until:
            raise TimeoutError("the page shows no value")
        time.sleep(0.05)
        page = browser.open(link.partition("/enter")[0] + "/", timeout=30).read().decode()
