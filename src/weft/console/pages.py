"""Pages as HTML: one template environment, the same pieces for the first view and for live updates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from weft.bus.api import StreamState
from weft.console import condition, words
from weft.console.api import House
from weft.console.files import Files
from weft.console.live import Pulse
from weft.console.view import ASSET_WORDS, PlantView, worst
from weft.runtime import WeftError
from weft.web import Problem

__all__ = ["Board", "Pages", "error_page"]


class Pages:
    """Templates and what all of them use."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self._environment = Environment(
            loader=PackageLoader("weft.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            static=files.url, built=files.has, age=words.age_text, due=words.due_text
        )
        self._environment.filters["compact"] = lambda value: msgspec.json.encode(value).decode()

    def render(self, name: str, **context: Any) -> str:
        return self._environment.get_template(name).render(**context)


class Board:
    """The condition of Weft as pieces of the page, looked up at most once a second for all who watch."""

    def __init__(self, house: House, pages: Pages) -> None:
        self._house = house
        self._pages = pages
        self._pieces: dict[str, str] = {}
        self._looked = float("-inf")

    async def pieces(self) -> Mapping[str, str]:
        """HTML by element id: ``summary``, ``connections``, ``destinations``, ``streams``, ``services``."""
        now = self._house.clock.monotonic()
        if now - self._looked >= 0.9:
            self._looked = now
            self._pieces = await self._draw()
        return self._pieces

    async def parts(self) -> AsyncIterator[tuple[str, str]]:
        for name, html in (await self.pieces()).items():
            yield name, html

    async def summary(self) -> AsyncIterator[tuple[str, str]]:
        """The header's sentence alone, for pages that show no more of it."""
        yield "summary", (await self.pieces())["summary"]

    async def _draw(self) -> dict[str, str]:
        house = self._house
        plant = house.plant()
        streams: list[StreamState] = []
        trouble = ""
        try:
            streams = list(await house.streams())
        except WeftError as error:
            trouble = str(error)
        lines = condition.line_views(plant, house.lines())
        destinations = condition.destination_views(plant, house.destinations())
        services = house.services()
        context = {
            "lines": lines,
            "destinations": destinations,
            "streams": condition.stream_views(streams),
            "trouble": trouble,
            "services": condition.service_views(services),
            "summary": condition.summary(lines, services, destinations),
            "now": house.clock.now(),
            "where": words.zone(plant.timezone),
            "clock": words.clock_text,
        }
        names = ("summary", "connections", "destinations", "streams", "services")
        return {name: self._pages.render(f"part-{name}.html", **context) for name in names}


def frame(house: House, theme: str) -> dict[str, Any]:
    """What every page's frame shows."""
    plant, now = house.plant(), house.clock.now()
    where: ZoneInfo = words.zone(plant.timezone)
    return {
        "plant": plant,
        "theme": theme if theme in {"light", "dark"} else "",
        "now": now,
        "now_ms": now // 1_000_000,
        "now_text": words.clock_text(now, where),
        "where": where,
    }


async def plant_page(
    house: House,
    pages: Pages,
    board: Board,
    pulse: Pulse,
    view: PlantView,
    sparks: Mapping[int, str],
    theme: str,
) -> str:
    pulse.look()
    rows = {
        handle: pulse.line(handle)
        if handle in pulse.rows
        else (handle, words.NOTHING, "none", "waiting", 0, None)
        for handle in view.handles
    }
    marks = {asset.key: worst(asset.handles, pulse.marks) for asset in view.tree}
    return pages.render(
        "plant.html",
        **frame(house, theme),
        view=view,
        rows=rows,
        marks=marks,
        mark_words=ASSET_WORDS,
        sparks=sparks,
        pieces=await board.pieces(),
        last_id=f"{pulse.boot}-{pulse.revision}",
    )


def error_page(pages: Pages, problem: Problem) -> str:
    return pages.render("problem.html", problem=problem, theme="")
