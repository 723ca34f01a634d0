"""From one payload to samples: what each signal that reads it finds there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from weft.connect.api import Point
from weft.connect.payload.document import ABSENT, NOT_JSON, Steps, look, parse, steps
from weft.connect.payload.moment import TimeUnit, moment
from weft.connect.payload.values import MALFORMED, MISSING, Value, check_type, plain, typed
from weft.model import BatchBuilder, Flag, ValueType

__all__ = ["Payload", "Reading", "Selects", "Target", "target_of"]


class Selects(Protocol):
    """What the address of such a signal says."""

    @property
    def path(self) -> str: ...
    @property
    def time(self) -> str: ...
    @property
    def time_unit(self) -> TimeUnit: ...
    @property
    def where(self) -> dict[str, str]: ...
    @property
    def optional(self) -> bool: ...


class Target(NamedTuple):
    """One signal's way into a payload."""

    handle: int
    path: Steps
    time: Steps
    time_unit: TimeUnit
    where: Sequence[tuple[Steps, str]]
    optional: bool
    type: ValueType | None


def target_of(point: Point) -> Target:
    """Raises Invalid for a type that a payload cannot carry."""
    address: Selects = point.address
    check_type(point.type)
    return Target(
        point.handle,
        steps(address.path),
        steps(address.time),
        address.time_unit,
        [(steps(path), text) for path, text in address.where.items()],
        address.optional,
        point.type,
    )


class Payload:
    """A payload, decoded as JSON when it is first asked for, and once; its times likewise. ``document`` is one
    that is decoded already."""

    __slots__ = ("_document", "_given", "_times", "bytes")

    def __init__(self, data: bytes, document: Any = ABSENT) -> None:
        self.bytes = data
        self._document: Any = document
        self._given = document is not ABSENT
        self._times: dict[tuple[Steps, TimeUnit], int | None] = {}

    def time(self, path: Steps, unit: TimeUnit) -> int | None:
        """ns UTC, None when there is no time."""
        key = path, unit
        if key not in self._times:
            self._times[key] = moment(self.at(path), unit)
        return self._times[key]

    def at(self, path: Steps) -> Any:
        """NOT_JSON, ABSENT or what is there."""
        if self._document is ABSENT:
            self._document = parse(self.bytes)
        return NOT_JSON if self._document is NOT_JSON else look(self._document, path)

    def whole(self, wanted: ValueType | None) -> Value:
        """The payload itself as a value."""
        return typed(self._document, wanted) if self._given else plain(self.bytes, wanted)


class Reading:
    """Reads payloads for targets; ``tally`` is told what cannot be read."""

    def __init__(self, tally: Callable[[str], None]) -> None:
        self._tally = tally
        self._seen: set[int] = set()

    def read(
        self,
        payload: Payload | None,
        targets: Iterable[Target],
        now: int,
        batch: BatchBuilder,
        *,
        flags: int = 0,
    ) -> None:
        """Adds the samples of a payload; None is one that is too large to be looked into. ``now`` (ns UTC) is the
        time of what has none, ``flags`` are those that all of its samples get."""
        for target in targets:
            if payload is None:
                self._add(target, now, MALFORMED, flags | Flag.RECEIVE_TIME, batch)
            elif not target.where or selected(payload, target.where):
                value = self._value(payload, target)
                if value is not None:
                    time, mark = self._time(payload, target, now)
                    self._add(target, time, value, flags | mark, batch)

    def _add(self, target: Target, time: int, value: Value, flags: int, batch: BatchBuilder) -> None:
        if target.handle not in self._seen:
            self._seen.add(target.handle)
            flags |= Flag.FIRST
        batch.add(target.handle, time, value[0], value[1], value[2], flags)

    def _value(self, payload: Payload, target: Target) -> Value | None:
        """None when the value is optional and absent."""
        if not target.path:
            return payload.whole(target.type)
        found = payload.at(target.path)
        if found is NOT_JSON:
            self._tally("not JSON")
            return MALFORMED
        if found is ABSENT:
            return None if target.optional else MISSING
        return typed(found, target.type)

    def _time(self, payload: Payload, target: Target, now: int) -> tuple[int, int]:
        if target.time:
            time = payload.time(target.time, target.time_unit)
            if time is not None:
                return time, 0
            self._tally("time not readable")
        return now, Flag.RECEIVE_TIME


def selected(payload: Payload, where: Sequence[tuple[Steps, str]]) -> bool:
    """Whether the payload has all these values."""
    return all(_same(payload.at(path), text) for path, text in where)


def _same(found: Any, text: str) -> bool:
    if isinstance(found, bool):
        return text == str(found).lower()
    return found not in (ABSENT, NOT_JSON) and str(found) == text
