"""The plant as its folder describes it, checked once and then trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from weft.model import Asset, AssetType, Rule, Signal

__all__ = ["Connection", "Destination", "Plant"]


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One line to the field. ``config`` is the protocol's own ``Config`` Struct, already converted; ``home``
    is the path of the deepest asset that holds all of its signals. ``methods`` are those that may be called, as
    ``target/method``; ``target/*`` are all of a target. ``edge`` names the Weft that runs it, when several share
    this folder."""

    name: str
    protocol: str
    config: Any
    home: str = ""
    description: str = ""
    owner: str = ""
    methods: tuple[str, ...] = ()
    edge: str = ""


class Destination(msgspec.Struct, frozen=True, kw_only=True):
    """One place that samples go to. ``config`` is the protocol's own ``Config`` Struct, ``signals`` the paths of
    what is sent, in the plant's order. ``edge`` names the Weft that runs it, when several share this folder. The
    rest is the pace, see :class:`weft.destinations.Pace`."""

    name: str
    protocol: str
    config: Any
    signals: tuple[str, ...] = ()
    edge: str = ""
    description: str = ""
    owner: str = ""
    backlog_rate: float = 50_000.0
    batch_rows: int = 5_000
    batch_seconds: float = 0.05
    begin: str = "now"


class Plant(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that exists. ``assets`` and ``signals`` go by path, ``signals`` carry stable handles;
    the first asset is the enterprise, the second the site."""

    name: str
    timezone: str = "UTC"
    description: str = ""
    assets: Mapping[str, Asset] = {}
    types: Mapping[str, AssetType] = {}
    signals: Mapping[str, Signal] = {}
    connections: Mapping[str, Connection] = {}
    settings: Mapping[str, Any] = {}
    logic: Mapping[str, Rule] = {}
    destinations: Mapping[str, Destination] = {}

    def signals_of(self, connection: str) -> list[Signal]:
        return [signal for signal in self.signals.values() if signal.connection == connection]

    def signals_for(self, destination: str) -> list[Signal]:
        """What a destination is to send."""
        return [self.signals[path] for path in self.destinations[destination].signals]

    def by_handle(self) -> dict[int, Signal]:
        return {signal.handle: signal for signal in self.signals.values()}
