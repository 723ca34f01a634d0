"""The destinations of a house: one supervised outlet each, changed while the plant runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from weft import catalog, destinations
from weft.bus import Bus, Stream, escape
from weft.model import Batch, Event
from weft.runtime import Clock, Floor, Ready, Service, plugins

__all__ = ["Outlets"]


class Outlets:
    """``names`` are those of this Weft among all that share the plant's folder: it runs their destinations.
    ``ways`` are what an outlet is made with besides, see :class:`weft.destinations.Outlet`."""

    def __init__(
        self,
        *,
        bus: Bus,
        stream: Stream,
        clock: Clock,
        folder: Path,
        tell: Callable[[Event], None],
        newest: Callable[[Sequence[int]], Batch],
        names: frozenset[str] = frozenset({""}),
        **ways: Callable[[Any], Awaitable[Any]],
    ) -> None:
        self._outlets: dict[str, destinations.Outlet] = {}
        self._names = names
        self._folder = folder
        self._parts: dict[str, Any] = {
            "bus": bus,
            "stream": stream,
            "clock": clock,
            "tell": tell,
            "newest": newest,
            **ways,
        }

    def statuses(self) -> list[destinations.Status]:
        return [outlet.status for outlet in self._outlets.values()]

    def services(self, plant: catalog.Plant) -> list[Service]:
        """Of all destinations that this Weft runs."""
        return [self._service(plant, name) for name in _mine(plant, self._names)]

    def clear(self) -> None:
        """Forgets all of them; their services have ended."""
        self._outlets.clear()

    def prepare(self, plant: catalog.Plant, changes: catalog.Changes) -> None:
        """Raises what forbids a destination to be made, before anything has changed."""
        for name in (*changes.destinations_added, *changes.destinations_changed):
            _make(plant.destinations[name])

    async def follow(self, plant: catalog.Plant, changes: catalog.Changes, floor: Floor) -> None:
        """Only what differs: the others go on."""
        for name in (*changes.destinations_removed, *changes.destinations_changed):
            await floor.remove(_title(name))
            self._outlets.pop(name, None)
        for name in _mine(plant, self._names):
            if name in self._outlets:
                self._outlets[name].update(plant.signals_for(name), plant.assets)
            else:
                floor.add(self._service(plant, name))

    def _service(self, plant: catalog.Plant, name: str) -> Service:
        found = plant.destinations[name]
        pace = destinations.Pace(
            backlog_rate=found.backlog_rate,
            batch_rows=found.batch_rows,
            batch_seconds=found.batch_seconds,
            begin=found.begin,
        )
        outlet = self._outlets[name] = destinations.Outlet(
            name,
            _make(found),
            plant.signals_for(name),
            plant.assets,
            folder=self._folder / escape(name),
            pace=pace,
            **self._parts,
        )

        async def run(ready: Ready) -> None:
            await outlet.run(ready)

        return Service(_title(name), run)


def _title(name: str) -> str:
    return f"destination {name}"


def _mine(plant: catalog.Plant, names: frozenset[str]) -> Mapping[str, catalog.Destination]:
    return {name: found for name, found in plant.destinations.items() if found.edge in names}


def _make(found: catalog.Destination) -> destinations.Destination:
    made: destinations.Destination = plugins.load("weft.destinations", found.protocol)(found.config)
    return made
