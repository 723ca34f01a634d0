"""The difference between two plants, by what must follow it: a line that reconnects, a line that only reads
other points, and what is no more than a better description."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from weft.catalog.api import Connection, Destination, Plant
from weft.catalog.redact import HIDDEN, redacted
from weft.model import Signal
from weft.model.values import type_name

__all__ = ["Changes", "diff"]

HEADER: Final = ("name", "timezone", "description")
LONGEST: Final = 12  # lines per kind before the rest is only counted


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Names of what differs, in the plants' order. ``connections_changed`` must reconnect; ``points_changed``
    are connections of which only the signals to read differ; ``connections_described`` need nothing. The same holds
    of destinations; ``destinations_signals`` are those that go on with others.
    ``settings`` names tables, ``header`` fields of the plant. :meth:`lines` are for people."""

    connections_added: tuple[str, ...] = ()
    connections_removed: tuple[str, ...] = ()
    connections_changed: tuple[str, ...] = ()
    points_changed: tuple[str, ...] = ()
    connections_described: tuple[str, ...] = ()
    signals_added: tuple[str, ...] = ()
    signals_removed: tuple[str, ...] = ()
    signals_changed: tuple[str, ...] = ()
    assets_added: tuple[str, ...] = ()
    assets_removed: tuple[str, ...] = ()
    assets_changed: tuple[str, ...] = ()
    types_added: tuple[str, ...] = ()
    types_removed: tuple[str, ...] = ()
    types_changed: tuple[str, ...] = ()
    logic_added: tuple[str, ...] = ()
    logic_removed: tuple[str, ...] = ()
    logic_changed: tuple[str, ...] = ()
    destinations_added: tuple[str, ...] = ()
    destinations_removed: tuple[str, ...] = ()
    destinations_changed: tuple[str, ...] = ()
    destinations_signals: tuple[str, ...] = ()
    destinations_described: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, field) for field in self.__struct_fields__)

    def lines(self) -> tuple[str, ...]:
        """One line per difference, long lists cut with their count; secrets are not shown."""
        return self.told


def diff(old: Plant, new: Plant) -> Changes:
    """What differs in ``new``. A signal that kept its handle under another path is removed and added."""
    lines = _names(old.connections, new.connections)
    reconnecting = tuple(
        name for name in lines["changed"] if _reconnects(old.connections[name], new.connections[name])
    )
    before, after = _points(old), _points(new)
    kept = [name for name in new.connections if name in old.connections and name not in reconnecting]
    points = tuple(name for name in kept if before.get(name) != after.get(name))
    changes = Changes(
        connections_added=lines["added"],
        connections_removed=lines["removed"],
        connections_changed=reconnecting,
        points_changed=points,
        connections_described=tuple(
            name for name in lines["changed"] if name not in reconnecting and name not in points
        ),
        **_of("signals", old.signals, new.signals),
        **_of("assets", old.assets, new.assets),
        **_of("types", old.types, new.types),
        **_of("logic", old.logic, new.logic),
        **_of_outlets(old.destinations, new.destinations),
        settings=_differing(old.settings, new.settings),
        header=tuple(field for field in HEADER if getattr(old, field) != getattr(new, field)),
    )
    return msgspec.structs.replace(changes, told=tuple(_lines(old, new, changes)))


def _names(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {
        "added": tuple(name for name in new if name not in old),
        "removed": tuple(name for name in old if name not in new),
        "changed": tuple(name for name in new if name in old and old[name] != new[name]),
    }


def _of(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {f"{kind}_{how}": names for how, names in _names(old, new).items()}


def _differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name))


def _reconnects(old: Connection, new: Connection) -> bool:
    return (old.protocol, old.config, old.edge) != (new.protocol, new.config, new.edge)


def _of_outlets(old: Mapping[str, Destination], new: Mapping[str, Destination]) -> dict[str, tuple[str, ...]]:
    names = _names(old, new)
    kept = {name: (old[name], new[name]) for name in names["changed"]}
    anew = [name for name, (a, b) in kept.items() if _is_other(a, b)]
    others = [name for name, (a, b) in kept.items() if name not in anew and a.signals != b.signals]
    return {
        "destinations_added": names["added"],
        "destinations_removed": names["removed"],
        "destinations_changed": tuple(anew),
        "destinations_signals": tuple(others),
        "destinations_described": tuple(name for name in kept if name not in anew and name not in others),
    }


def _is_other(old: Destination, new: Destination) -> bool:
    described = {"signals": new.signals, "description": new.description, "owner": new.owner}
    return msgspec.structs.replace(old, **described) != new


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
    yield from _of_destinations(old.destinations, new.destinations, changes)
    for kind in ("type", "asset", "signal"):
        yield from _kind(kind, changes, getattr(old, f"{kind}s"), getattr(new, f"{kind}s"))
    yield from _kind("logic", changes, old.logic, new.logic)


def _of_connections(old: Plant, new: Plant, changes: Changes) -> Iterator[str]:
    for name in changes.connections_added:
        yield f"+ connection {name} ({new.connections[name].protocol}, {_count(new, name)})"
    for name in changes.connections_removed:
        yield f"- connection {name} ({old.connections[name].protocol}, {_count(old, name)})"
    for name in changes.connections_changed:
        a, b = old.connections[name], new.connections[name]
        what = (
            f"protocol: {a.protocol} → {b.protocol}"
            if a.protocol != b.protocol
            else _fields(a.config, b.config)
        )
        yield f"~ connection {name} reconnects: {what}"
    for name in changes.points_changed:
        yield f"~ connection {name} goes on, reading other points ({_count(old, name)} → {_count(new, name)})"
    for name in changes.connections_described:
        yield f"~ connection {name} {_fields(old.connections[name], new.connections[name])}"


def _of_destinations(
    old: Mapping[str, Destination], new: Mapping[str, Destination], changes: Changes
) -> Iterator[str]:
    for name in changes.destinations_added:
        yield f"+ destination {name} ({new[name].protocol}, {_many(len(new[name].signals))})"
    for name in changes.destinations_removed:
        yield f"- destination {name} ({old[name].protocol}, {_many(len(old[name].signals))})"
    for name in changes.destinations_changed:
        a, b = old[name], new[name]
        same = a.protocol == b.protocol and a.config != b.config
        yield f"~ destination {name} begins anew: {_fields(a.config, b.config) if same else _fields(a, b)}"
    for name in changes.destinations_signals:
        before, after = (_many(len(plant[name].signals)) for plant in (old, new))
        yield f"~ destination {name} goes on, sending other signals ({before} → {after})"
    for name in changes.destinations_described:
        yield f"~ destination {name} {_fields(old[name], new[name])}"


def _count(plant: Plant, connection: str) -> str:
    return _many(sum(signal.connection == connection for signal in plant.signals.values()))


def _many(number: int) -> str:
    return "1 signal" if number == 1 else f"{number:,} signals"


def _kind(kind: str, changes: Changes, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    many = kind if kind == "logic" else f"{kind}s"
    added, removed, changed = (getattr(changes, f"{many}_{how}") for how in ("added", "removed", "changed"))
    yield from _cut([f"+ {kind} {name}" for name in added], f"+ {{}} more {many}")
    yield from _cut([f"- {kind} {name}" for name in removed], f"- {{}} more {many}")
    told = [f"~ {kind} {name} {_fields(old[name], new[name])}" for name in changed]
    yield from _cut(told, f"~ {{}} more {many}")


def _cut(lines: list[str], rest: str) -> list[str]:
    if len(lines) <= LONGEST:
        return lines
    return [*lines[: LONGEST - 1], rest.format(f"{len(lines) - LONGEST + 1:,}")]


def _fields(old: Any, new: Any) -> str:
    """``unit: % → 1; limits.high: 90 → 95``, secrets only as changed."""
    before, after = _flat(old), _flat(new)
    told = []
    for key in dict.fromkeys([*before, *after]):
        if key in {"config", "handle", "signals"} or before.get(key) == after.get(key):
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
