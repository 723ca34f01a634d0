"""Several Wefts of one plant: a hub that edges come to, edges that forward to it, and pairs of edges of which one
is active."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from weft import catalog
from weft.bus import Address, Bus, Edge, Gate, Lease, NatsBus, Stream, inbox_of
from weft.destinations import EdgeStatus, Forwarder, Reception, Status
from weft.model import Event, Kind
from weft.runtime import Clock, Invalid, Ready, Service
from weft.runtime.secret import resolve

__all__ = ["Edges", "gate_of", "names"]

_NEAR: Final = ("nats://127.0.0.1", "nats://localhost", "nats://[::1]")


def gate_of(settings: Mapping[str, Any], site: str) -> Gate | None:
    """Where edges may come; None when none can. Raises Invalid for what would be unsafe, NeedsHuman for a secret
    that is missing."""
    bus = settings["bus"]
    if not bus.listen:
        if bus.edges:
            raise Invalid("Edges have a login, but the bus does not listen.", remedy="Set listen in [bus].")
        return None
    edges = tuple(
        Edge(
            name=name,
            password=resolve(login.password, f"password of the edge {name}"),
            home=_below(site, login.home),
            pair=login.pair,
        )
        for name, login in bus.edges.items()
    )
    return Gate(listen=bus.listen, certificate=bus.certificate, key=bus.key, edges=edges)


def names(settings: Mapping[str, Any]) -> frozenset[str]:
    """What an ``edge`` key says that means this Weft."""
    own = settings["edge"]
    return frozenset({own.pair or own.name, own.name})


class Edges:
    """The part of a house that knows other Wefts. ``work`` begins (True) and ends (False) what only the active one
    of a pair does: lines and destinations. ``streams`` are samples and events."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        bus: Bus,
        site: str,
        state: Path,
        streams: tuple[Stream, Stream],
        clock: Clock,
        tell: Callable[[Event], None],
        work: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._edge, self._settings = settings["edge"], settings["bus"]
        self._bus, self._site, self._state, self._clock = bus, site, state, clock
        self._tell, self._work = tell, work
        self._forwarder: Forwarder | None = None
        self._reception: Reception | None = None
        self._lease: Lease | None = None
        self._handles = catalog.Handles(state)
        if self._edge.pair and not (self._edge.hub and self._edge.name):
            raise Invalid(
                "A gateway of a pair needs a name and a hub.", remedy="Set name and hub in [edge] as well."
            )
        if self._edge.hub:
            self._join(streams)
        if self._settings.edges:
            self._receive()

    def services(self) -> list[Service]:
        parts: dict[str, Any] = {
            "reception of edges": self._reception and self._reception.run,
            "forwarder": self._forwarder and self._forwarder.run,
        }
        return [Service(name, run) for name, run in parts.items() if run]

    def lease(self) -> list[Service]:
        """Above all others: it is given back while the way to the hub is still open."""
        return [Service("lease", self._hold)] if self._lease else []

    def destinations(self) -> list[Status]:
        return [self._forwarder.status] if self._forwarder else []

    def statuses(self) -> list[EdgeStatus]:
        return self._reception.statuses() if self._reception else []

    def role(self) -> dict[str, str]:
        """Of a gateway of a pair; empty for any other."""
        if self._lease is None:
            return {}
        return {
            "pair": self._edge.pair,
            "role": "active" if self._lease.active else "standby",
            "active": self._lease.holder,
        }

    # --- inside ---------------------------------------------------------------------------------------------

    def _join(self, streams: tuple[Stream, Stream]) -> None:
        edge = self._edge
        if not edge.name:
            raise Invalid("An edge that forwards to a hub needs a name.", remedy="Set name in [edge].")
        if not edge.hub.startswith(("tls://", *_NEAR)):
            raise Invalid(
                f"The hub {edge.hub!r} would be reached without encryption.", remedy="Write it as tls://…"
            )
        hub = NatsBus(self._hub_address, clock=self._clock)
        if edge.pair:
            self._lease = Lease(hub, self._bus, edge.pair, edge.name, clock=self._clock, turned=self._turned)
        self._forwarder = Forwarder(
            edge.name,
            self._bus,
            hub,
            samples=streams[0],
            events=streams[1],
            path_of=self._path,
            clock=self._clock,
            tell=self._tell,
            may_send=self._lease.confirms if self._lease else _always,
        )

    def _path(self, handle: int) -> str | None:
        """Of one of our own handles, those given since included."""
        path = self._handles.path(handle)
        if path is None:
            self._handles = catalog.Handles(self._state)
            path = self._handles.path(handle)
        return path

    def _hub_address(self) -> Address:
        edge = self._edge
        return Address(
            url=edge.hub,
            user=edge.name,
            password=resolve(edge.password, "password at the hub"),
            ca=edge.ca,
            inbox=inbox_of(edge.name),
            handshake_first=edge.hub.startswith("tls://"),
        )

    def _receive(self) -> None:
        homes = {name: _below(self._site, login.home) for name, login in self._settings.edges.items()}

        def assign(paths: Sequence[str]) -> dict[str, int]:
            return catalog.Handles(self._state).assign(paths)

        self._reception = Reception(self._bus, homes, assign=assign, clock=self._clock, tell=self._tell)

    async def _hold(self, ready: Ready) -> None:
        ready()  # who is active may take a while to be known
        if self._lease is not None:
            await self._lease.run()

    async def _turned(self, active: bool, reason: str) -> None:
        now = self._clock.now()
        role = {"pair": self._edge.pair, "role": "active" if active else "standby", "reason": reason}
        self._tell(Event(kind=Kind.ROLE, source=self._edge.name, time=now, recorded=now, data=role))
        await self._work(active)
        vacant = self._lease.vacant if self._lease else 0
        if active and vacant:
            self._tell(self._vacancy(vacant, f"{self._edge.name} took over: {reason}"))

    def _vacancy(self, since: int, cause: str) -> Event:
        """Between the last renewal of the one before and our start nobody measured."""
        now = self._clock.now()
        data = {"first": since, "last": now, "cause": cause}
        return Event(kind=Kind.DATA_GAP, source=self._edge.pair, time=now, recorded=now, data=data)


def _always(_time: int) -> bool:
    return True


def _below(site: str, home: str) -> str:
    """The path below the site, unless it is a full one."""
    return home if home.startswith(f"{site}/") or home == site else f"{site}/{home}".rstrip("/")
