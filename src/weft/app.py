"""The composition root: the only place that knows everybody. One running plant is a :class:`House`.

Floors from the ground: bus, history, edge, lines, web. They start in this order, each once the one below is
ready, and stop from the top, so that nothing is produced that nobody keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec

from weft import catalog, connect, console, edge, history, web
from weft.bus import Bus, NatsBus, NatsServer, Stream, StreamState
from weft.model import Event, Kind, Signal
from weft.runtime import Clock, Invalid, Ready, Service, Supervisor, SystemClock, get_logger, plugins
from weft.runtime.settings import Settings, state_dir

__all__ = ["EVENTS", "SAMPLES", "House", "load"]

log = get_logger(__name__)

SAMPLES: Final = Stream(name="samples", subjects=("uns.v1.>",))
EVENTS: Final = Stream(name="events", subjects=("events.v1.>",), max_age=365 * 86_400.0)


def load(folder: Path) -> catalog.Plant:
    """The plant of a folder. Raises Invalid, naming the first mistake, when there are any."""
    loaded = catalog.load(folder, handles=catalog.Handles(state_dir(folder)))
    if loaded.plant is None:
        first = loaded.findings.errors[0]
        raise Invalid(
            f"{folder} has {len(loaded.findings.errors)} mistake(s), the first: {first}.",
            remedy="`weft check` names them all.",
        )
    return loaded.plant


class House:
    """A plant folder brought to life. What pages and routes ask is answered here."""

    def __init__(self, folder: Path, *, clock: Clock | None = None, **overrides: Any) -> None:
        self.folder = folder
        self.state = state_dir(folder)
        self.clock: Clock = clock or SystemClock()
        self._plant = load(folder)
        self.settings = Settings.of(self._plant.settings, **overrides)
        self._supervisor = Supervisor(self.clock)
        self._lines: dict[str, connect.Line] = {}
        self._applying = anyio.Lock()
        self.access = web.Access(self.state, clock=self.clock)
        self.address = ""
        self.history: history.Store
        self.bus: Bus
        self._edge: edge.Edge
        self._server: NatsServer

    async def run(self, ready: Callable[[str], None]) -> None:
        """Runs until cancelled; ``ready`` is told the page's address."""
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            self._server = NatsServer(self.state / "bus", url=self.settings.bus.url)
            await enter(self._supervisor.running([("bus", [Service("nats-server", self._server.run)])]))
            self.bus = await enter(NatsBus.connect(self._server))
            for stream in (SAMPLES, EVENTS):
                await self.bus.declare(stream)
            self.history = history.Store(self.state / "history", signals=self._signals)
            self._edge = self._make_edge()
            await enter(
                self._supervisor.running(
                    [
                        ("history", [Service("history", self._keep)]),
                        ("edge", [Service("edge", self._edge.run)]),
                        ("lines", [self._line(name) for name in self._plant.connections]),
                        ("web", [Service("web", self._serve), Service("watch", self._watch)]),
                    ]
                )
            )
            ready(self.address)
            await anyio.sleep_forever()

    # --- what pages and routes ask ----------------------------------------------------------------------------

    def plant(self) -> catalog.Plant:
        return self._plant

    def lines(self) -> Sequence[connect.Status]:
        return [line.status for line in self._lines.values()]

    def services(self) -> Sequence[Service]:
        return self._supervisor.services

    async def streams(self) -> Sequence[StreamState]:
        return await self.bus.streams()

    async def apply(self) -> list[str]:
        """Brings what runs to what the folder says; returns the changes in words. Raises Invalid, and then
        nothing has changed."""
        async with self._applying:
            plant = load(self.folder)
            changes = catalog.diff(self._plant, plant)
            lines = list(changes.lines())
            if not lines:
                return []
            self._plant = plant
            self._edge.apply(self._signals())
            await self._change_lines(changes)
            now = self.clock.now()
            data = {"changes": lines[:100], "count": len(lines)}
            self._edge.tell(
                Event(kind=Kind.PLANT_APPLIED, source=plant.name, time=now, recorded=now, data=data)
            )
            log.info("plant applied", changes=len(lines))
            return lines

    # --- services -----------------------------------------------------------------------------------------------

    async def _keep(self, ready: Ready) -> None:
        await history.run(self.bus, self.history, ready, settings=self.settings.history, tell=self._edge.tell)

    async def _serve(self, ready: Ready) -> None:
        def at(address: str) -> None:
            self.address = address
            self.access.serving(address)
            ready()

        try:
            settings = self.settings.web
            await web.serve(self._web(), host=settings.host, port=settings.port, ready=at)
        finally:
            self.access.stopped()

    async def _watch(self, ready: Ready) -> None:
        ready()
        async for _ in catalog.watch(self.folder):
            try:
                await self.apply()
            except Invalid as error:
                log.warning("the folder has mistakes, the plant goes on as it was", reason=str(error))

    # --- parts --------------------------------------------------------------------------------------------------

    def _signals(self) -> list[Signal]:
        return list(self._plant.signals.values())

    def _home(self, connection: str) -> str:
        found = self._plant.connections.get(connection)
        # Samples of a connection that has just been removed, and Weft's own, belong to the site.
        return (found.home if found else "") or next(iter(list(self._plant.assets)[1:]), self._plant.name)

    def _make_edge(self) -> edge.Edge:
        settings = self.settings.edge
        made = edge.Edge(
            self.bus,
            clock=self.clock,
            home=self._home,
            queue_rows=settings.queue_rows,
            flush_seconds=settings.flush_seconds,
        )
        made.apply(self._signals())
        return made

    def _points(self, name: str) -> list[connect.Point]:
        return [
            connect.Point(signal.handle, signal.path, signal.address, signal.type)
            for signal in self._plant.signals_of(name)
        ]

    def _line(self, name: str) -> Service:
        connection = self._plant.connections[name]
        connector = plugins.load("weft.connectors", connection.protocol)(connection.config)
        line = self._lines[name] = connect.Line(
            name,
            connector,
            self._points(name),
            clock=self.clock,
            forward=self._edge.accept,
            tell=self._edge.tell,
            pressure=lambda: self._edge.pressure,
        )

        async def run(ready: Ready) -> None:
            ready()  # a machine that is away must not hold up the start
            await line.run()

        return Service(f"line {name}", run)

    async def _change_lines(self, changes: catalog.Changes) -> None:
        floor = self._supervisor.floors["lines"]
        for name in (*changes.connections_removed, *changes.connections_changed):
            await floor.remove(f"line {name}")
            self._lines.pop(name, None)
        for name in (*changes.connections_added, *changes.connections_changed):
            floor.add(self._line(name))
        for name in changes.points_changed:
            self._lines[name].update(self._points(name))

    def _web(self) -> Any:
        routers = [
            catalog.router(self.plant),
            history.router(self.history, self.plant),
            console.router(self),
            _router(self),
        ]
        return web.create(routers, access=self.access)


def _router(house: House) -> Any:
    """What only the whole house can answer."""
    from litestar import Router, get, post

    @post("/apply", status_code=200)
    async def apply() -> dict[str, list[str]]:
        """Bring the plant to what its folder says."""
        return {"changes": await house.apply()}

    @get("/status")
    async def status() -> dict[str, Any]:
        """Connections, streams and services as they are now."""
        return {
            "plant": house.plant().name,
            "connections": msgspec.to_builtins(house.lines()),
            "streams": msgspec.to_builtins(await house.streams()),
            "services": [
                {"name": s.name, "state": str(s.state), "restarts": s.restarts, "failure": s.failure}
                for s in house.services()
            ],
        }

    return Router("/api/v1", route_handlers=[apply, status], tags=["plant"])
