"""The composition root: the only place that knows everybody. One running plant is a :class:`House`.

Floors from the ground: bus, history, edge, destinations, lines, web. They start in this order, each once the one below is
ready, and stop from the top, so that nothing is produced that nobody keeps.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
import msgspec
from litestar import Router, get, post
from litestar.params import FromQuery

from weft import catalog, connect, console, destinations, history, web
from weft.app import commands
from weft.app.edges import Edges, gate_of, names
from weft.app.folder import bus_address, bus_server, history_folder, load, state_of
from weft.app.gateway import Gateway
from weft.app.lines import Lines
from weft.app.outlets import Outlets
from weft.bus import NatsBus, Stream, StreamState
from weft.catalog import routes as catalog_routes
from weft.destinations import EdgeStatus
from weft.history import routes as history_routes
from weft.model import Event, Kind, Signal
from weft.runtime import (
    Clock,
    Conflict,
    Invalid,
    NeedsHuman,
    Ready,
    Service,
    Supervisor,
    SystemClock,
    WeftError,
    get_logger,
)

__all__ = ["EVENTS", "SAMPLES", "House"]

log = get_logger(__name__)

SAMPLES: Final = Stream(name="samples", subjects=("uns.v1.>",))
EVENTS: Final = Stream(name="events", subjects=("events.v1.>",), max_age=365 * 86_400.0)


class House:
    """A plant folder brought to life. What pages and routes ask is answered here."""

    def __init__(self, folder: Path, *, clock: Clock | None = None, **overrides: dict[str, Any]) -> None:
        self.folder = folder
        self._plant = load(folder)
        self.state = state_of(folder)
        self.clock: Clock = clock or SystemClock()
        self.settings = {
            name: msgspec.structs.replace(table, **overrides.get(name, {}))
            for name, table in self._plant.settings.items()
        }
        self._supervisor = Supervisor(self.clock)
        self._working = not self.settings["edge"].pair  # of a pair only the active one does
        self._applying = anyio.Lock()
        self._started = False
        self._obstacle: WeftError | None = None
        self._hopeless = anyio.Event()
        self.access = web.Access(self.state, clock=self.clock)
        self.address = ""
        self._server = bus_server(self.settings, self.state, gate_of(self.settings, self._site))
        self.bus = NatsBus(partial(bus_address, self.settings, self._server), clock=self.clock)
        running: dict[str, connect.Line] = {}
        self._gateway = Gateway(
            self.bus,
            clock=self.clock,
            settings=self.settings,
            plant=self.plant,
            lines=running,
            home=self._home,
            runs=self._runs,
            diary=self.state / "diary",
            away=lambda: not self.bus.is_up,
        )
        self._edge, self.commands = self._gateway.edge, self._gateway.commands
        self._lines = self._make_lines(running)
        self._outlets = self._make_outlets()
        self._edges = self._make_edges()
        self.history: history.Store

    async def run(self, ready: Callable[[str], None]) -> None:
        """Runs until cancelled; ``ready`` is told the page's address. Raises, in a group, what forbids to start:
        Conflict when Weft runs on this plant already, NeedsHuman for a port that cannot be had."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._give_up)
            await self._live(ready)

    async def _live(self, ready: Callable[[str], None]) -> None:
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            self.history = await enter(self._open_history())
            self._gateway.apply(self.history.snapshot)
            await enter(
                self._supervisor.running(
                    [
                        ("server", [self._vital(self._server.service())]),
                        ("bus", [self._vital(Service("bus", self.bus.run))]),
                    ]
                )
            )
            for stream in (SAMPLES, EVENTS):
                await self.bus.declare(stream)
            await enter(
                self._supervisor.running(
                    [
                        ("history", [Service("history", self._keep)]),
                        ("edge", self._gateway.services()),
                        ("destinations", self._outlets.services(self._plant) if self._working else []),
                        ("lines", self._lines.services(self._plant)),
                        ("edges", self._edges.services()),
                        # Who is active is asked last, when all that it starts can be started.
                        ("lease", self._edges.lease()),
                        ("web", [self._vital(Service("web", self._serve)), Service("watch", self._watch)]),
                    ]
                )
            )
            self._started = True
            ready(self.address)
            await anyio.sleep_forever()

    # --- what pages and routes ask ----------------------------------------------------------------------------

    def plant(self) -> catalog.Plant:
        return self._plant

    def lines(self) -> Sequence[connect.Status]:
        return self._lines.statuses()

    def destinations(self) -> Sequence[destinations.Status]:
        return [*self._outlets.statuses(), *self._edges.destinations()]

    def edges(self) -> Sequence[EdgeStatus]:
        return self._edges.statuses()

    def role(self) -> dict[str, str]:
        return self._edges.role()

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
                connectors = self._lines.prepare(plant, changes)
                self._outlets.prepare(plant, changes)
                self._plant = plant
                self._gateway.apply(self.history.snapshot)
                floors = self._supervisor.floors
                await self._lines.follow(plant, changes, connectors, floors["lines"])
                if self._working:
                    await self._outlets.follow(plant, changes, floors["destinations"])
                self._tell_applied(changes)
            return list(changes.lines())

    # --- services -----------------------------------------------------------------------------------------------

    def _vital(self, service: Service) -> Service:
        """The service; what a person must mend first ends the start, instead of being tried for ever. Once
        Weft has been up, it goes on trying."""
        run = service.run

        async def first(ready: Ready) -> None:
            try:
                await run(ready)
            except (NeedsHuman, Conflict, Invalid) as error:
                if not self._started:
                    self._obstacle = error
                    self._hopeless.set()
                raise

        service.run = first
        return service

    async def _give_up(self) -> None:
        await self._hopeless.wait()
        if self._obstacle is not None:
            raise self._obstacle

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

    async def _work(self, active: bool) -> None:
        """Begins or ends what only the active gateway of a pair does: destinations, lines, local logic."""
        async with self._applying:
            if active == self._working:
                return
            self._working = active
            floors = self._supervisor.floors
            if active:
                for service in self._outlets.services(self._plant):
                    floors["destinations"].add(service)
                for service in self._lines.services(self._plant):
                    floors["lines"].add(service)
            else:
                for floor in (floors["lines"], floors["destinations"]):
                    for name in list(floor.services):
                        await floor.remove(name)
                self._lines.clear()
                self._outlets.clear()
            self._gateway.apply(self.history.snapshot)

    # --- parts --------------------------------------------------------------------------------------------------

    def _signals(self) -> list[Signal]:
        return list(self._plant.signals.values())

    def _home(self, connection: str) -> str:
        found = self._plant.connections.get(connection)
        # Samples of a connection that has just been removed, and Weft's own, belong to the site.
        return (found.home if found else "") or self._site

    @property
    def _site(self) -> str:
        return next(iter(list(self._plant.assets)[1:]), self._plant.name)

    @asynccontextmanager
    async def _open_history(self) -> AsyncIterator[history.Store]:
        path = history_folder(self.settings, self.state)
        try:
            store = history.Store(path, signals=self._signals, clock=self.clock)
        except Conflict as error:
            raise Conflict(
                f"Weft runs on this plant already ({self.folder.resolve()}).",
                remedy="`weft link` gives a link to it; stop it there (Ctrl-C) before you start it again.",
            ) from error
        try:
            yield store
        finally:
            store.close()

    def _make_outlets(self) -> Outlets:
        return Outlets(
            bus=self.bus,
            stream=SAMPLES,
            clock=self.clock,
            folder=self.state / "destinations",
            tell=self._edge.tell,
            newest=lambda handles: self.history.snapshot(handles),  # noqa: PLW0108  # opened later
            names=names(self.settings),
            execute=self.commands.execute,
            invoke=self.commands.call,
        )

    def _make_lines(self, running: dict[str, connect.Line]) -> Lines:
        return Lines(
            running,
            edge=self._edge,
            clock=self.clock,
            folder=self.state / "connections",
            runs=self._runs,
            measured=lambda: self.history.measured(),  # noqa: PLW0108  # opened later
            kept=lambda handles: self.history.snapshot(handles),  # noqa: PLW0108  # as above
        )

    def _make_edges(self) -> Edges:
        return Edges(
            self.settings,
            bus=self.bus,
            site=self._site,
            state=self.state,
            streams=(SAMPLES, EVENTS),
            clock=self.clock,
            tell=self._edge.tell,
            work=self._work,
        )

    def _runs(self, connection: catalog.Connection) -> bool:
        """Whether it is this Weft's now, of those that share the plant's folder."""
        return self._working and connection.edge in names(self.settings)

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
            commands.router(self.commands, self.clock),
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
        """Connections, destinations, edges, streams and services as they are now."""
        return {
            "plant": house.plant().name,
            "connections": msgspec.to_builtins(house.lines()),
            "destinations": msgspec.to_builtins(house.destinations()),
            "edges": msgspec.to_builtins(house.edges()),
            "role": house.role(),
            "streams": msgspec.to_builtins(await house.streams()),
            "services": [
                {"name": s.name, "state": str(s.state), "restarts": s.restarts, "failure": s.failure}
                for s in house.services()
            ],
        }

    return Router("/api/v1", route_handlers=[apply, status], tags=["plant"])
