"""The composition root: the only place that knows everybody. One running plant is a :class:`House`.

Floors from the ground: bus, history, edge, lines, web. They start in this order, each once the one below is
ready, and stop from the top, so that nothing is produced that nobody keeps.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
from litestar import Router, get, post
from litestar.params import FromQuery

from weft import catalog, connect, console, edge, history, web
from weft.bus import Address, NatsBus, NatsServer, Stream, StreamState
from weft.catalog import routes as catalog_routes
from weft.history import routes as history_routes
from weft.model import Event, Kind, Signal
from weft.runtime import Clock, Invalid, Ready, Service, Supervisor, SystemClock, get_logger, plugins
from weft.runtime.settings import state_dir

__all__ = ["EVENTS", "SAMPLES", "House", "load"]

log = get_logger(__name__)

SAMPLES: Final = Stream(name="samples", subjects=("uns.v1.>",))
EVENTS: Final = Stream(name="events", subjects=("events.v1.>",), max_age=365 * 86_400.0)


def load(folder: Path) -> catalog.Plant:
    """The plant of a folder. Raises Invalid, naming the first mistake, when there are any."""
    loaded = catalog.load(folder, handles=catalog.Handles(state_dir(folder)))
    if loaded.plant is None:
        raise Invalid(
            f"{folder} describes no plant that can run. {len(loaded.findings)} finding(s), the first: "
            f"{loaded.findings[0]}",
            remedy="`weft check` names them all.",
        )
    return loaded.plant


class House:
    """A plant folder brought to life. What pages and routes ask is answered here."""

    def __init__(self, folder: Path, *, clock: Clock | None = None, **overrides: dict[str, Any]) -> None:
        self.folder = folder
        self.state = state_dir(folder)
        self.clock: Clock = clock or SystemClock()
        self._plant = load(folder)
        self.settings = {
            name: msgspec.structs.replace(table, **overrides.get(name, {}))
            for name, table in self._plant.settings.items()
        }
        self._supervisor = Supervisor(self.clock)
        self._lines: dict[str, connect.Line] = {}
        self._applying = anyio.Lock()
        self.access = web.Access(self.state, clock=self.clock)
        self.address = ""
        self._server = self._make_server()
        self.bus = NatsBus(self._bus_address, clock=self.clock)
        self._edge = self._make_edge()
        self.history: history.Store

    async def run(self, ready: Callable[[str], None]) -> None:
        """Runs until cancelled; ``ready`` is told the page's address."""
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            self.history = await enter(self._open_history())
            await enter(
                self._supervisor.running(
                    [
                        ("server", [self._server.service()]),
                        ("bus", [Service("bus", self.bus.run)]),
                    ]
                )
            )
            for stream in (SAMPLES, EVENTS):
                await self.bus.declare(stream)
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

    async def apply(self, *, dry_run: bool = False) -> list[str]:
        """Brings what runs to what the folder says; returns the changes in words. Raises Invalid, and then
        nothing has changed."""
        async with self._applying:
            plant = await anyio.to_thread.run_sync(load, self.folder)
            changes = catalog.diff(self._plant, plant)
            if changes and not dry_run:
                self._plant = plant
                self._edge.apply(self._signals())
                await self._change_lines(changes)
                self._tell_applied(changes)
            return list(changes.lines())

    # --- services -----------------------------------------------------------------------------------------------

    async def _keep(self, ready: Ready) -> None:
        await history.run(
            self.bus, self.history, ready, settings=self.settings["history"], tell=self._edge.tell
        )

    async def _serve(self, ready: Ready) -> None:
        def at(address: str) -> None:
            self.address = address
            self.access.serving(address)
            ready()

        try:
            settings = self.settings["web"]
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

    def _make_server(self) -> NatsServer:
        settings = self.settings["bus"]
        folder = Path(settings.store) if settings.store else self.state / "bus"
        return NatsServer(folder, url=settings.url)

    def _bus_address(self) -> Address:
        address = self._server.address
        credentials = self.settings["bus"].credentials
        return msgspec.structs.replace(address, credentials=credentials) if credentials else address

    @asynccontextmanager
    async def _open_history(self) -> AsyncIterator[history.Store]:
        folder = self.settings["history"].folder
        path = Path(folder) if folder else self.state / "history"
        store = history.Store(path, signals=self._signals, clock=self.clock)
        try:
            yield store
        finally:
            store.close()

    def _make_edge(self) -> edge.Edge:
        settings = self.settings["edge"]
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
            del self._lines[name]
        for name in (*changes.connections_added, *changes.connections_changed):
            floor.add(self._line(name))
        for name in changes.points_changed:
            self._lines[name].update(self._points(name))

    def _tell_applied(self, changes: catalog.Changes) -> None:
        now = self.clock.now()
        data = {"changes": list(changes.lines())}
        self._edge.tell(
            Event(kind=Kind.PLANT_APPLIED, source=self._plant.name, time=now, recorded=now, data=data)
        )
        log.info("plant applied", changes=len(data["changes"]))

    def _web(self) -> Any:
        routers = [
            catalog_routes.router(self.plant),
            history_routes.router(self.history, self.plant),
            console.router(self),
            _router(self),
        ]
        settings = self.settings["web"]
        # Behind loopback a foreign name is a rebinding attack; an address opened on purpose has many names.
        hosts = settings.hosts or (web.LOOPBACK if settings.host in web.LOOPBACK else ())
        return web.create(routers, access=self.access, page=console.page(), hosts=hosts)


def _router(house: House) -> Router:
    """What only the whole house can answer."""

    @post("/apply", status_code=200)
    async def apply(dry_run: FromQuery[bool] = False) -> dict[str, list[str]]:
        """Bring the plant to what its folder says; with ``dry_run`` only say what differs."""
        return {"changes": await house.apply(dry_run=dry_run)}

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
