"""What exists, over HTTP: read-only, without secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final

import msgspec
from litestar import Router, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter

from weft.catalog.api import Connection, Plant
from weft.catalog.redact import redacted
from weft.model import Asset, Limits, Signal, Writable
from weft.model.units import symbol
from weft.model.values import type_name

__all__ = [
    "AssetView",
    "ConnectionView",
    "PlantView",
    "SignalPage",
    "SignalView",
    "router",
]

MOST: Final = 1000


class PlantView(msgspec.Struct, frozen=True, kw_only=True):
    """The plant and how much there is of everything."""

    name: str
    timezone: str
    description: str
    enterprise: str
    site: str
    assets: int
    signals: int
    connections: int
    types: list[str]


class AssetView(msgspec.Struct, frozen=True, kw_only=True):
    """An asset; ``signals`` counts its own, ``below`` those of it and everything below."""

    path: str
    name: str
    parent: str
    level: str
    type: str
    description: str
    owner: str
    signals: int
    below: int


class SignalView(msgspec.Struct, frozen=True, kw_only=True):
    """A signal. ``unit`` is the UCUM code, ``symbol`` what people read; ``retention`` in days, null for ever."""

    handle: int
    path: str
    asset: str
    name: str
    description: str
    connection: str
    address: Any
    type: str | None
    unit: str
    symbol: str
    scale: float
    offset: float
    limits: Limits
    states: dict[int, str]
    step: bool
    deadband: float
    silence: float | None
    deviation: float
    rate: float | None
    stuck: float | None
    derive: str
    write: Writable | None
    semantic: str
    owner: str
    retention: float | None


class SignalPage(msgspec.Struct, frozen=True, kw_only=True):
    """``total`` counts all that match; the next page begins at ``next``, null on the last one."""

    items: list[SignalView]
    total: int
    next: int | None


class ConnectionView(msgspec.Struct, frozen=True, kw_only=True):
    """A line to the field; secrets in ``config`` read ``***``."""

    name: str
    protocol: str
    home: str
    description: str
    owner: str
    signals: int
    config: Any


def router(plant: Callable[[], Plant]) -> Router:
    """``/api/v1/plant``, ``/assets``, ``/signals`` and ``/connections`` of the plant as it is now."""

    async def provide() -> Plant:
        return plant()

    return Router(
        path="/api/v1",
        route_handlers=[get_plant, get_assets, get_signals, get_connections],
        dependencies={"plant": Provide(provide)},
        tags=["plant"],
    )


@get("/plant", summary="The plant")
async def get_plant(plant: NamedDependency[Plant]) -> PlantView:
    enterprise, site = [*plant.assets, "", ""][:2]
    return PlantView(
        name=plant.name,
        timezone=plant.timezone,
        description=plant.description,
        enterprise=enterprise,
        site=site,
        assets=len(plant.assets),
        signals=len(plant.signals),
        connections=len(plant.connections),
        types=list(plant.types),
    )


@get("/assets", summary="The equipment hierarchy, parents before children")
async def get_assets(
    plant: NamedDependency[Plant],
    below: Annotated[str, QueryParameter(description="Only this asset and everything below it.")] = "",
) -> list[AssetView]:
    own: dict[str, int] = {}
    for signal in plant.signals.values():
        own[signal.asset] = own.get(signal.asset, 0) + 1
    total: dict[str, int] = {}
    for path, count in own.items():
        for above in _line(path):
            total[above] = total.get(above, 0) + count
    return [
        _asset(asset, own.get(path, 0), total.get(path, 0))
        for path, asset in plant.assets.items()
        if _within(path, below)
    ]


@get("/signals", summary="Signals, searched and in pages")
async def get_signals(
    plant: NamedDependency[Plant],
    search: Annotated[
        str,
        QueryParameter(description="Words that all occur in the path, description or unit; case is ignored."),
    ] = "",
    asset: Annotated[str, QueryParameter(description="Only signals of this asset and those below it.")] = "",
    connection: Annotated[str, QueryParameter(description="Only signals of this connection.")] = "",
    start: Annotated[int, QueryParameter(ge=0, description="The first item of the page.")] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST, description="Items per page.")] = 100,
) -> SignalPage:
    words = search.casefold().split()
    found = [
        signal
        for signal in plant.signals.values()
        if _within(signal.path, asset)
        and connection in ("", signal.connection)
        and (not words or _matches(signal, words))
    ]
    end = start + limit
    return SignalPage(
        items=[_signal(signal) for signal in found[start:end]],
        total=len(found),
        next=end if end < len(found) else None,
    )


@get("/connections", summary="The lines to the field")
async def get_connections(plant: NamedDependency[Plant]) -> list[ConnectionView]:
    counts: dict[str, int] = {}
    for signal in plant.signals.values():
        counts[signal.connection] = counts.get(signal.connection, 0) + 1
    return [_connection(line, counts.get(name, 0)) for name, line in plant.connections.items()]


def _line(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition("/")[0]


def _within(path: str, above: str) -> bool:
    return not above or path == above or path.startswith(f"{above}/")


def _matches(signal: Signal, words: list[str]) -> bool:
    text = f"{signal.path}\n{signal.description}\n{signal.unit}\n{symbol(signal.unit)}".casefold()
    return all(word in text for word in words)


def _asset(asset: Asset, own: int, below: int) -> AssetView:
    return AssetView(
        path=asset.path,
        name=asset.name,
        parent=asset.parent,
        level=asset.level.value,
        type=asset.type,
        description=asset.description,
        owner=asset.owner,
        signals=own,
        below=below,
    )


def _signal(signal: Signal) -> SignalView:
    same = {field: getattr(signal, field) for field in _SAME}
    return SignalView(
        **same,
        asset=signal.asset,
        name=signal.name,
        address=msgspec.to_builtins(signal.address),
        type=None if signal.type is None else type_name(signal.type),
        symbol=symbol(signal.unit),
    )


_SAME: Final = tuple(
    field
    for field in SignalView.__struct_fields__
    if field not in {"asset", "name", "address", "type", "symbol"}
)


def _connection(line: Connection, signals: int) -> ConnectionView:
    return ConnectionView(
        name=line.name,
        protocol=line.protocol,
        home=line.home,
        description=line.description,
        owner=line.owner,
        signals=signals,
        config=redacted(line.config),
    )
