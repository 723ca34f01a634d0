"""What a node and its devices were born with: which metric is which signal, and what was last known of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from weft.connect.sparkplug.convert import is_plain
from weft.model import ValueType
from weft.sparkplug.datatype import Field
from weft.sparkplug.payload import Metric, Template
from weft.sparkplug.sample import declared_type

__all__ = ["Declaration", "Directory", "Wanted", "members"]

# By device ("" is the node itself) and metric: the handles of the signals that read it.
Wanted: TypeAlias = Mapping[tuple[str, str], Sequence[int]]

DEEPEST: Final = 8  # templates within templates that are opened


class Declaration(Struct, eq=False):
    """One metric of a birth. ``last`` is ``(type, value)`` of the newest value that was not historical."""

    device: str
    name: str
    alias: int | None
    datatype: int
    kind: int
    handles: tuple[int, ...] = ()
    last: tuple[int, Any] | None = None
    last_time: int = 0
    place: int = -1  # among the columns of the directory


class Directory:
    """All metrics of one edge node. By alias they are found a column at a time."""

    def __init__(self, wanted: Wanted) -> None:
        self.births: dict[str, dict[str, Declaration]] = {}
        self._wanted = wanted
        self._aliases: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._by_alias: list[Declaration] = []
        self.last_type: npt.NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._build()

    def want(self, wanted: Wanted) -> None:
        """Other signals from now on."""
        self._wanted = wanted
        for device, metrics in self.births.items():
            for name, declaration in metrics.items():
                declaration.handles = tuple(wanted.get((device, name), ()))
        self._build()

    def born(self, device: str, metrics: Iterable[Metric]) -> None:
        """A birth of the device, or of the node when ``device`` is empty. What was last known is kept."""
        self._gather()
        before = self.births.get(device, {})
        found: dict[str, Declaration] = {}
        for metric in metrics:
            for name, one in members(metric):
                kept = before.get(name)
                found[name] = Declaration(
                    device, name, one.alias, one.datatype or 0, declared_type(one),
                    tuple(self._wanted.get((device, name), ())),
                )  # fmt: skip
                if kept is not None and kept.kind == found[name].kind:
                    found[name].last, found[name].last_time = kept.last, kept.last_time
        self.births[device] = found
        self._build()

    def handles(self, device: str | None = None) -> list[Declaration]:
        """The declarations that signals read: of one device, or of all for None."""
        births = self.births.values() if device is None else [self.births.get(device, {})]
        return [declaration for metrics in births for declaration in metrics.values() if declaration.handles]

    def of(self, device: str, metric: Metric) -> Declaration | None:
        """The declaration of a metric in a message, by its alias or its name; None when no birth told of it."""
        if metric.name:
            return self.births.get(device, {}).get(metric.name)
        if metric.alias is None:
            return None
        at = int(np.searchsorted(self._aliases, np.uint64(metric.alias)))
        if at < len(self._aliases) and int(self._aliases[at]) == metric.alias:
            return self._by_alias[at]
        return None

    def places(self, alias: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp]:
        """The rows of the columns below for aliases (n), -1 for those that no birth told of."""
        if not len(self._aliases):
            return np.full(len(alias), -1, dtype=np.intp)
        at = np.minimum(np.searchsorted(self._aliases, alias), len(self._aliases) - 1)
        return np.where(self._aliases[at] == alias, at, -1)

    def at(self, place: int) -> Declaration:
        return self._by_alias[place]

    def _build(self) -> None:
        self._gather()
        aliased = [
            declaration
            for metrics in self.births.values()
            for declaration in metrics.values()
            if declaration.alias is not None
        ]
        aliased.sort(key=lambda declaration: declaration.alias or 0)
        for place, declaration in enumerate(aliased):
            declaration.place = place
        n = len(aliased)
        self._by_alias = aliased
        self._aliases = np.array([d.alias for d in aliased], dtype=np.uint64)
        # Columns by place: the first signal's handle (-1: none), datatype, type, and whether its numbers are plain
        # and read by one signal.
        self.handle = np.array([d.handles[0] if d.handles else -1 for d in aliased], dtype=np.int32)
        self.datatype = np.fromiter((min(d.datatype, 255) for d in aliased), np.uint8, n)
        self.kind = np.fromiter((d.kind for d in aliased), np.uint8, n)
        self.plain = np.fromiter(
            (is_plain(d.datatype, d.kind) and len(d.handles) < 2 for d in aliased), np.bool_, n
        )
        # What was last known, while it is known in columns: bits, type (0: not known so), time.
        self.last_bits = np.zeros(n, np.int64)
        self.last_type = np.zeros(n, np.uint8)
        self.last_time = np.zeros(n, np.int64)

    def _gather(self) -> None:
        """What the columns know last goes back to their declarations."""
        for place in np.flatnonzero(self.last_type).tolist():
            declaration = self._by_alias[place]
            declaration.last = int(self.last_type[place]), _plain_value(self, place)
            declaration.last_time = int(self.last_time[place])

    def note(self, declaration: Declaration, code: int, value: Any, time: int) -> None:
        """The newest value of a metric that was read by itself."""
        declaration.last, declaration.last_time = (code, value), time
        if declaration.place >= 0:
            self.last_type[declaration.place] = 0

    def last_of(self, declaration: Declaration) -> tuple[int, Any] | None:
        """``(type, value)`` that was last known."""
        place = declaration.place
        if place >= 0 and self.last_type[place]:
            return int(self.last_type[place]), _plain_value(self, place)
        return declaration.last


def _plain_value(directory: Directory, place: int) -> Any:
    bits, code = directory.last_bits[place : place + 1], int(directory.last_type[place])
    if code in (ValueType.FLOAT, ValueType.DOUBLE):
        return float(bits.view(np.float64)[0])
    if code == ValueType.BOOLEAN:
        return bool(bits[0])
    return int(bits.view(np.uint64)[0]) if code == ValueType.UINT64 else int(bits[0])


def members(metric: Metric, depth: int = 0) -> Iterable[tuple[str, Metric]]:
    """The metric under its name, and below a template's instance its members as ``name/member``."""
    if metric.name is not None:
        yield metric.name, metric
    template = metric.value
    if metric.field == Field.TEMPLATE and isinstance(template, Template) and depth < DEEPEST:
        for member in template.metrics:
            for name, one in members(member, depth + 1):
                yield f"{metric.name}/{name}" if metric.name is not None else name, one
