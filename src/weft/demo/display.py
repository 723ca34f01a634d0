"""What a machine's control shows: the present values of its sensors, each change in the truth before anybody sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from weft.demo.factory import Factory
from weft.demo.machine import steps
from weft.demo.sensor import Sensor, Value
from weft.demo.timeline import Timeline
from weft.demo.truth import Shown, Truth

__all__ = ["Display"]


class Display:
    """Of the machine ``name`` of ``factory``; ``path`` is where the ground truth says it is."""

    def __init__(
        self,
        factory: Factory,
        timeline: Timeline,
        truth: Truth,
        *,
        name: str,
        path: str,
        sensors: Sequence[Sensor[Any]],
    ) -> None:
        self.factory = factory
        self.timeline = timeline
        self.machine: Any = getattr(factory, name)
        self.sensors = sensors
        self._truth = truth
        self._path = path
        self._shown: dict[str, Value] = {}
        self._held: dict[str, int] = {}  # what somebody wrote stands until the machine obeys at that step
        self._written = 0  # ns UTC of the last write whose protocol has no time

    @property
    def time(self) -> int:
        """The simulated time now, ns UTC."""
        return self.timeline.time_of(self.factory.clock)

    def values(self) -> list[tuple[Sensor[Any], Value]]:
        """All of them as they are shown."""
        return [(sensor, self._shown[sensor.name]) for sensor in self.sensors if sensor.name in self._shown]

    def changes(self) -> list[tuple[Sensor[Any], Value]]:
        """What is shown from now on and was not before. Also takes note of what happened."""
        step = self.factory.clock
        self._truth.happened(self.factory.happenings(), self.timeline)
        found = [
            (sensor, raw)
            for sensor in self.sensors
            if sensor.name not in self._shown or step % steps(sensor.every) == 0
            if step >= self._held.get(sensor.name, 0)
            if self._shown.get(sensor.name) != (raw := sensor.raw(self.machine))
        ]
        self._shown.update((sensor.name, raw) for sensor, raw in found)
        self.tell(found, self.time)
        return found

    def tell(self, shown: Sequence[tuple[Sensor[Any], Value]], time: int) -> None:
        """Writes into the truth what is shown with ``time``."""
        self._truth.show(Shown(f"{self._path}/{s.name}", time, s.true_type, s.true(raw)) for s, raw in shown)

    def wrote(self, sensor: Sensor[Any], value: Value, time: int | None = None) -> None:
        """Somebody outside wrote what ``sensor`` shows; ``time`` in ns UTC, where the protocol has one. The machine
        obeys a moment later."""
        if time is None:  # between this step and the next one
            time = self._written = max(self._written, self.time) + 1
        self._held[sensor.name] = self.command(sensor.command, value)
        self._shown[sensor.name] = value
        self.tell([(sensor, value)], time)

    def command(self, name: str, value: Any) -> int:
        """Passes a command on to the machine, which obeys at the step returned, in all processes at once."""
        step = self.timeline.soon(self.factory.clock)
        self.factory.commands.give(step, self.machine.name, name, value)
        return step
