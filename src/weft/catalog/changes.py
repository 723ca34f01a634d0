"""The difference between two plants, by what must follow it: a line that reconnects, a line that only reads
other points, and what is no more than a better description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec

from weft.catalog.api import Connection, Plant
from weft.catalog.redact import HIDDEN, redacted
from weft.model import Signal
from weft.model.values import type_name

__all__ = ["Changes", "Names", "diff"]

T = TypeVar("T")

LONGEST: Final = 12  # lines per kind before the rest is only counted


class Names(msgspec.Struct, frozen=True):
    """What is new, gone or different; each sorted as the plants order it."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """``connections.changed`` must reconnect; ``points`` are connections of which only the signals to read
    changed; ``described`` those that need nothing. A signal in ``points`` alone is in ``signals`` too.
    ``settings`` names tables, and ``header`` fields of the plant; ``lines`` are for people."""

    connections: Names = Names()
    points: tuple[str, ...] = ()
    described: tuple[str, ...] = ()
    signals: Names = Names()
    assets: Names = Names()
    types: Names = Names()
    settings: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(
            self.connections
            or self.points
            or self.described
            or self.signals
            or self.assets
            or self.types
            or self.settings
            or self.header
        )


def diff(old: Plant, new: Plant) -> Changes:
    """What differs in ``new``. A signal with the same handle and another path is removed and added."""
    lines = _names(old.connections, new.connections)
    config = tuple(
        name for name in lines.changed if _reconnects(old.connections[name], new.connections[name])
    )
    before, after = _points(old), _points(new)
    kept = [name for name in new.connections if name in old.connections and name not in config]
    points = tuple(name for name in kept if before.get(name) != after.get(name))
    changes = Changes(
        connections=Names(lines.added, lines.removed, config),
        points=points,
        described=tuple(name for name in lines.changed if name not in config and name not in points),
        signals=_names(old.signals, new.signals),
        assets=_names(old.assets, new.assets),
        types=_names(old.types, new.types),
        settings=_differing(old.settings, new.settings),
        header=tuple(
            field
            for field in ("name", "timezone", "description")
            if getattr(old, field) != getattr(new, field)
        ),
    )
    return msgspec.structs.replace(changes, lines=tuple(_lines(old, new, changes)))


def _names(old: Mapping[str, T], new: Mapping[str, T]) -> Names:
    return Names(
        tuple(name for name in new if name not in old),
        tuple(name for name in old if name not in new),
        tuple(name for name in new if name in old and old[name] != new[name]),
    )


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name))


def _reconnects(old: Connection, new: Connection) -> bool:
    return (old.protocol, old.config) != (new.protocol, new.config)


def _points(plant: Plant) -> dict[str, list[tuple[Any, ...]]]:
    """What each connector is given, in its order."""
    points: dict[str, list[tuple[Any, ...]]] = {}
    for signal in plant.signals.values():
        points.setdefault(signal.connection, []).append(
            (signal.handle, signal.path, signal.address, signal.type)
        )
    return points


def _lines(old: Plant, new: Plant, changes: Changes) -> Iterator[str]:
    for field in changes.header:
        yield f"~ plant {field}: {_say(getattr(old, field))} → {_say(getattr(new, field))}"
    for table in changes.settings:
        yield f"~ [{table}] {_fields(old.settings.get(table), new.settings.get(table))} (from the next start)"
    yield from _of_connections(old, new, changes)
    for kind, names in (("type", changes.types), ("asset", changes.assets)):
        before: Mapping[str, Any] = old.types if kind == "type" else old.assets
        after: Mapping[str, Any] = new.types if kind == "type" else new.assets
        yield from _kind(kind, names, before, after)
    yield from _kind("signal", changes.signals, old.signals, new.signals)


def _of_connections(old: Plant, new: Plant, changes: Changes) -> Iterator[str]:
    for name in changes.connections.added:
        yield f"+ connection {name} ({new.connections[name].protocol}, {_count(new, name)})"
    for name in changes.connections.removed:
        yield f"- connection {name} ({old.connections[name].protocol}, {_count(old, name)})"
    for name in changes.connections.changed:
        a, b = old.connections[name], new.connections[name]
        what = (
            f"protocol: {a.protocol} → {b.protocol}"
            if a.protocol != b.protocol
            else _fields(a.config, b.config)
        )
        yield f"~ connection {name} reconnects: {what}"
    for name in changes.points:
        yield f"~ connection {name} goes on, reading other points ({_count(old, name)} → {_count(new, name)})"
    for name in changes.described:
        yield f"~ connection {name} {_fields(old.connections[name], new.connections[name])}"


def _count(plant: Plant, connection: str) -> str:
    number = sum(signal.connection == connection for signal in plant.signals.values())
    return "1 signal" if number == 1 else f"{number:,} signals"


def _kind(kind: str, names: Names, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    told = [f"+ {kind} {name}" for name in names.added]
    yield from _cut(told, f"+ {{}} more {kind}s")
    yield from _cut([f"- {kind} {name}" for name in names.removed], f"- {{}} more {kind}s")
    yield from _cut(
        [f"~ {kind} {name} {_fields(old[name], new[name])}" for name in names.changed], f"~ {{}} more {kind}s"
    )


def _cut(lines: list[str], rest: str) -> list[str]:
    if len(lines) <= LONGEST:
        return lines
    return [*lines[: LONGEST - 1], rest.format(f"{len(lines) - LONGEST + 1:,}")]


def _fields(old: Any, new: Any) -> str:
    """``unit: % → 1; limits.high: 90 → 95``, secrets only as changed."""
    before, after = _flat(old), _flat(new)
    told = []
    for key in dict.fromkeys([*before, *after]):
        if key in {"config", "handle"} or before.get(key) == after.get(key):
            continue
        told.append(f"{key}: {_say(before.get(key))} → {_say(after.get(key))}")
    return "; ".join(told) or "a secret changed"


def _flat(value: Any) -> dict[str, Any]:
    data = redacted(value) if value is not None else {}
    if isinstance(value, Signal):
        data["type"] = None if value.type is None else type_name(value.type)
    return dict(_leaves("", data))


def _leaves(above: str, data: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from _leaves(f"{above}.{key}" if above else str(key), value)
    else:
        yield above, data


def _say(value: Any) -> str:
    if value is None or value in ("", {}, []):
        return "none"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) if value != HIDDEN else "(secret)"
