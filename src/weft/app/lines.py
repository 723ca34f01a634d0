"""The lines of a house: one supervised connection each, changed while the plant runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from weft import catalog, connect
from weft.edge import Edge
from weft.model import Batch
from weft.runtime import Clock, Floor, Ready, Service, plugins

__all__ = ["Lines"]


class Lines:
    """``running`` holds the lines by connection, for whoever writes over them; ``runs`` says whether a connection
    is this Weft's now; ``measured`` is history's newest good source time by handle, ``kept`` its newest
    samples."""

    def __init__(
        self,
        running: dict[str, connect.Line],
        *,
        edge: Edge,
        clock: Clock,
        folder: Path,
        runs: Callable[[catalog.Connection], bool],
        measured: Callable[[], Mapping[int, int]],
        kept: Callable[[Sequence[int]], Batch],
    ) -> None:
        self._running = running
        self._edge = edge
        self._clock = clock
        self._folder = folder
        self._runs = runs
        self._measured = measured
        self._kept = kept

    def statuses(self) -> list[connect.Status]:
        return [line.status for line in self._running.values()]

    def services(self, plant: catalog.Plant) -> list[Service]:
        """Of all connections that this Weft runs now."""
        mine = [found for found in plant.connections.values() if self._runs(found)]
        return [self._service(plant, found.name, _connector(found)) for found in mine]

    def prepare(self, plant: catalog.Plant, changes: catalog.Changes) -> dict[str, connect.Connector]:
        """The connectors that changes need. Raises what forbids to make one, before anything has changed."""
        names = (*changes.connections_added, *changes.connections_changed)
        return {name: _connector(found) for name in names if self._runs(found := plant.connections[name])}

    async def follow(
        self,
        plant: catalog.Plant,
        changes: catalog.Changes,
        connectors: Mapping[str, connect.Connector],
        floor: Floor,
    ) -> None:
        """Only what differs: the others go on."""
        for name in (*changes.connections_removed, *changes.connections_changed):
            await floor.remove(_title(name))
            self._running.pop(name, None)
        for name, connector in connectors.items():
            floor.add(self._service(plant, name, connector))
        for name in changes.points_changed:
            if name in self._running:
                self._running[name].update(_points(plant, name))

    def clear(self) -> None:
        """Forgets all of them; their services have ended."""
        self._running.clear()

    def _service(self, plant: catalog.Plant, name: str, connector: connect.Connector) -> Service:
        line = self._running[name] = connect.Line(
            name,
            connector,
            _points(plant, name),
            clock=self._clock,
            forward=self._edge.accept,
            tell=self._edge.tell,
            pressure=lambda: self._edge.pressure,
            measured=self._measured,
            kept=self._kept,
            memory=self._folder / f"{name}.msgpack",
        )

        async def run(ready: Ready) -> None:
            ready()  # a machine that is away must not hold up the start
            await line.run()

        return Service(_title(name), run)


def _title(name: str) -> str:
    return f"line {name}"


def _points(plant: catalog.Plant, name: str) -> list[connect.Point]:
    return [
        connect.Point(signal.handle, signal.path, signal.address, signal.type)
        for signal in plant.signals_of(name)
    ]


def _connector(connection: catalog.Connection) -> connect.Connector:
    made: connect.Connector = plugins.load("weft.connectors", connection.protocol)(connection.config)
    return made
