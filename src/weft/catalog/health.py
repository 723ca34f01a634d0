"""Signals of Weft's own, below ``<site>/_weft``: how its connections' clocks and its host's clock stand. They are
kept, shown and queried like any other."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from weft.catalog.api import Plant
from weft.catalog.handles import Handles
from weft.model import Asset, Level, Signal, ValueType
from weft.model.sources import HEALTH

__all__ = ["with_health"]

FOLDER = "_weft"
HOST = "host"


def with_health(plant: Plant, handles: Handles) -> Plant:
    """The plant with those signals. What a person has called so goes first."""
    if not plant.connections:
        return plant  # nothing runs there yet
    site = next(iter(list(plant.assets)[1:]), "")
    added = [signal for signal in _signals(plant, f"{site}/{FOLDER}") if signal.path not in plant.signals]
    numbers = handles.assign([signal.path for signal in added])
    levels = {f"{site}/{FOLDER}": Level.AREA, **{signal.asset: Level.LINE for signal in added}}
    assets = {
        path: Asset(path=path, level=level, description="Weft itself")
        for path, level in levels.items()
        if path not in plant.assets
    }
    numbered = {s.path: msgspec.structs.replace(s, handle=numbers[s.path]) for s in added}
    return msgspec.structs.replace(
        plant, signals={**plant.signals, **numbered}, assets={**plant.assets, **assets}
    )


def _signals(plant: Plant, folder: str) -> Iterator[Signal]:
    for name in plant.connections:
        yield _signal(
            f"{folder}/{name}/clock-drift",
            f"How far the clock of {name} is behind ours: the median of receive time less source time",
        )
    yield _signal(f"{folder}/{HOST}/clock-offset", "What this computer's clock is still to be corrected by")
    yield _signal(
        f"{folder}/{HOST}/clock-error", "How wrong this computer's clock may be, as its kernel estimates"
    )
    yield Signal(
        handle=0,
        path=f"{folder}/{HOST}/clock-synchronized",
        connection=HEALTH,
        address=None,
        description="Whether NTP or PTP keeps this computer's clock",
        type=ValueType.BOOLEAN,
        step=True,
    )


def _signal(path: str, description: str) -> Signal:
    return Signal(
        handle=0,
        path=path,
        connection=HEALTH,
        address=None,
        description=description,
        type=ValueType.DOUBLE,
        unit="ms",
    )
