"""The console's routes: two pages, their event stream, curves, and the files they load."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, get
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from weft.console import live, pages, series, trend, words
from weft.console.api import House
from weft.console.files import Files
from weft.console.pages import Board, Pages
from weft.console.view import PlantView
from weft.web import Problem

__all__ = ["page", "router"]

Asked = Request[Any, Any, Any]
Paths = FromQuery[list[str] | None]


def page() -> Callable[[Problem], str]:
    """Draws errors in the console's look: for ``weft.web.create(page=…)``."""
    drawn = Pages(Files())
    return lambda problem: pages.error_page(drawn, problem)


class Curves(msgspec.Struct, frozen=True, kw_only=True):
    """Curves of a span; times in seconds since 1970 UTC."""

    start: float
    end: float
    now: float
    series: list[series.Curve]


class _Console:
    """What the routes share: one pulse and one board for all who watch."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.files = Files()
        self.pages = Pages(self.files)
        self.pulse = live.Pulse(house)
        self.board = Board(house, self.pages)
        self._views: dict[str, PlantView] = {}

    def view(self, asset: str) -> PlantView:
        """The plant arranged; kept until its folder changes."""
        plant = self.house.plant()
        known = self._views.get(asset)
        if known is None or known.plant is not plant:
            if len(self._views) > 64:
                self._views.clear()
            known = self._views[asset] = PlantView.of(plant, asset)
        return known

    def html(self, request: Asked, text: str) -> Response[bytes]:
        body, headers = text.encode(), {"Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["Content-Encoding"] = gzip.compress(body, 5), "gzip"
        return Response(body, media_type="text/html", headers=headers)


def router(house: House) -> Router:
    """Pages at ``/`` and ``/trend``; ``/console/…`` is theirs alone and may change with them."""
    console = _Console(house)
    handlers = [*_plant_routes(console), *_trend_routes(console), _static(console)]
    return Router("/", route_handlers=handlers, include_in_schema=False)


def _plant_routes(console: _Console) -> list[Any]:
    house = console.house

    async def curves_of(view: PlantView) -> dict[int, str]:
        signals = [view.signals[handle] for handle in view.handles]
        return await series.sparks(house.history, signals, house.clock.now())

    @get("/")
    async def plant(request: Asked, asset: FromQuery[str] = "") -> Response[bytes]:
        view = console.view(asset)
        theme = request.cookies.get("weft-theme", "")
        sparks = await curves_of(view)
        text = await pages.plant_page(house, console.pages, console.board, console.pulse, view, sparks, theme)
        return console.html(request, text)

    @get("/console/sparks")
    async def sparks(asset: FromQuery[str] = "") -> dict[int, str]:
        return await curves_of(console.view(asset))

    @get("/console/live")
    async def follow(
        request: Asked, asset: FromQuery[str] = "", signal: Paths = None, after: FromQuery[str] = ""
    ) -> Stream:
        view = console.view(asset)
        handles = [one.handle for one in trend.chosen(view.plant, signal)] if signal else view.handles
        # The browser's own word wins: it is from after the page was made.
        last_id = request.headers.get("last-event-id", after)
        parts = console.board.summary if signal else console.board.parts
        events = live.stream(console.pulse, view, handles, last_id=last_id, parts=parts)
        return Stream(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    return [plant, sparks, follow]


def _trend_routes(console: _Console) -> list[Any]:
    house = console.house

    @get("/trend")
    async def show(
        request: Asked,
        signal: Paths = None,
        range: FromQuery[str] = "",
        start: FromQuery[str] = "",
        end: FromQuery[str] = "",
    ) -> Response[bytes]:
        plant = house.plant()
        between = trend.span(house.clock.now(), range, start, end)
        signals = trend.chosen(plant, [path for path in signal or [] if path])
        where = words.zone(plant.timezone)
        paths = [one.path for one in signals]
        text = console.pages.render(
            "trend.html",
            **pages.frame(house, request.cookies.get("weft-theme", "")),
            pieces=await console.board.pieces(),
            chips=trend.chips(signals, between),
            span=between,
            begins=words.clock_text(between.start, where),
            ends=words.clock_text(between.end, where),
            ranges=[
                (name, label, trend.link(paths, trend.span(0, name, "", "")))
                for name, (label, _) in trend.RANGES.items()
            ],
            others=[path for path in plant.signals if path not in paths],
            means=await trend.means(house.history, signals, between, where) if signals else [],
            latest=await trend.latest(house.history, signals, between, where) if signals else [],
        )
        return console.html(request, text)

    @get("/console/series")
    async def curves(
        signal: Paths = None,
        range: FromQuery[str] = "",
        start: FromQuery[str] = "",
        end: FromQuery[str] = "",
        pixels: Annotated[int, QueryParameter(ge=50, le=4000)] = 1000,
    ) -> Curves:
        now = house.clock.now()
        between = trend.span(now, range, start, end)
        signals = trend.chosen(house.plant(), signal or [])
        drawn = [
            await series.curve(house.history, one, between.start, between.end, pixels, now) for one in signals
        ]
        return Curves(start=between.start / 1e9, end=between.end / 1e9, now=now / 1e9, series=drawn)

    return [show, curves]


def _static(console: _Console) -> Any:
    @get("/static/{name:str}", sync_to_thread=False)
    def static(request: Asked, name: FromPath[str]) -> Response[bytes]:
        file = console.files.get(name)
        packed = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(file.packed if packed else file.body, media_type=file.media_type, headers=headers)

    return static
