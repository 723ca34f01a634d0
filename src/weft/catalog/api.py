"""The plant as its folder describes it, checked once and then trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from weft.model import Asset, AssetType, Rule, Signal

__all__ = ["Connection", "Plant"]


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One line to the field. ``config`` is the protocol's own ``Config`` Struct, already converted; ``home``
    is the path of the deepest asset that holds all of its signals. ``methods`` are those that may be called, as
    ``target/method``; ``target/*`` are all of a target."""

    name: str
    protocol: str
    config: Any
    home: str = ""
    description: str = ""
    owner: str = ""
    methods: tuple[str, ...] = ()


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

    def signals_of(self, connection: str) -> list[Signal]:
        return [signal for signal in self.signals.values() if signal.connection == connection]

    def by_handle(self) -> dict[int, Signal]:
        return {signal.handle: signal for signal in self.signals.values()}
