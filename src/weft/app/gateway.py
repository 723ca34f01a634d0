"""The edge of a house, and what belongs to it: commands, local logic, clocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from weft.app import commands
from weft.bus import Bus
from weft.catalog import Connection, Plant
from weft.connect import Line
from weft.edge import Clocks, Diary, Edge, Logic
from weft.model import Batch, Rule
from weft.model.sources import HEALTH
from weft.runtime import Clock, Service

__all__ = ["Gateway"]


class Gateway:
    """``plant`` and ``lines`` are those of now; ``home`` gives the asset path under which a connection publishes,
    ``runs`` says whether a connection is this Weft's now. ``diary`` is a file for what local logic does while the
    bus is ``away``."""

    def __init__(
        self,
        bus: Bus,
        *,
        clock: Clock,
        settings: Mapping[str, Any],
        plant: Callable[[], Plant],
        lines: Mapping[str, Line],
        home: Callable[[str], str],
        runs: Callable[[Connection], bool],
        diary: Path,
        away: Callable[[], bool],
    ) -> None:
        own = settings["edge"]
        self._plant = plant
        self._runs = runs
        self.edge = Edge(
            bus,
            clock=clock,
            home=home,
            queue_rows=own.queue_rows,
            queue_bytes=own.queue_bytes,
            flush_seconds=own.flush_seconds,
        )
        self._diary = Diary(diary, away=away)
        self._keep_diary = partial(self._diary.run, bus, clock)
        self.commands = commands.make(
            bus, self.edge, settings["commands"], clock, plant=plant, lines=lines, diary=self._diary
        )
        latest, tell = self.edge.treatment.latest, self.edge.tell
        self.logic = Logic(clock=clock, latest=latest, execute=self.commands.execute, tell=tell)
        self.clocks = Clocks(
            clock=clock, limit=own.drift_seconds, handles=self._health, publish=self.edge.accept, tell=tell
        )
        self.edge.treatment.notice = self.logic.notice
        self.edge.arrived = self.clocks.note
        door = commands.BusDoor(bus, self.commands, plant)
        self._door = [Service("bus door", door.run)] if commands.BUS in settings["commands"].doors else []
        self.apply()

    def apply(self, snapshot: Callable[[list[int]], Batch] | None = None) -> None:
        """Follows the plant as it is now. ``snapshot`` is history's: what nobody has heard of yet is asked there."""
        plant = self._plant()
        rules = {name: rule for name, rule in plant.logic.items() if self._writes_here(rule)}
        self.logic.apply(rules, plant.signals)
        self.edge.apply(list(plant.signals.values()), self.logic.watched)
        if snapshot is not None:
            self.edge.seed(snapshot)

    def services(self) -> list[Service]:
        return [
            Service("edge", self.edge.run),
            Service("logic", self.logic.run),
            Service("diary", self._keep_diary),
            Service("clocks", self.clocks.run),
            *self._door,
        ]

    def _writes_here(self, rule: Rule) -> bool:
        """Of several Wefts that share a plant's folder, the one that has the connection carries a rule out."""
        plant = self._plant()
        targets = {
            plant.signals[path].connection
            for table in (rule.set, rule.otherwise, rule.safe)
            for path in table
        }
        return all(name in plant.connections and self._runs(plant.connections[name]) for name in targets)

    def _health(self) -> dict[str, int]:
        """``<connection>/clock-drift`` and the like -> handle."""
        return {
            "/".join(signal.path.split("/")[-2:]): signal.handle
            for signal in self._plant().signals_of(HEALTH)
        }
