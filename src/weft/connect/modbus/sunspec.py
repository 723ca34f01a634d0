"""SunSpec information models, read from the JSON files that the SunSpec Alliance publishes (sunspec/models).

The files are not part of Weft: a connection's ``sunspec_models`` names the folder. A point is written as in
``103.W``; one of a repeating group as in ``160.module[2].DCA``, counted from 1; of a second model with the same number
as in ``203#2.W``; one bit of a bit field as in ``103.Evt1.GROUND_FAULT``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from weft.connect.modbus.place import Place
from weft.runtime import NeedsHuman, NotFound

__all__ = ["Found", "Model", "Models", "expand"]

MOST_BYTES: Final = 4 * 1024 * 1024
HEADER: Final = 2  # registers of number and length, which the length does not count

# type of the models -> kind and the value that says "not implemented" (SunSpec Device Information Model
# Specification 1.1, 6.3). An accumulator's is 0, which is also where it starts: it stays a value.
_KINDS: Final[dict[str, tuple[str, int | None]]] = {
    "int16": ("int16", 0x8000),
    "int32": ("int32", 0x80000000),
    "int64": ("int64", 0x8000000000000000),
    "uint16": ("uint16", 0xFFFF),
    "uint32": ("uint32", 0xFFFFFFFF),
    "uint64": ("uint64", 0xFFFFFFFFFFFFFFFF),
    "acc16": ("uint16", None),
    "acc32": ("uint32", None),
    "acc64": ("uint64", None),
    "raw16": ("uint16", None),
    "count": ("uint16", 0xFFFF),
    "enum16": ("uint16", 0xFFFF),
    "enum32": ("uint32", 0xFFFFFFFF),
    "bitfield16": ("uint16", 0xFFFF),
    "bitfield32": ("uint32", 0xFFFFFFFF),
    "bitfield64": ("uint64", 0xFFFFFFFFFFFFFFFF),
    "sunssf": ("int16", 0x8000),
    "float32": ("float32", 0x7FC00000),
    "float64": ("float64", 0x7FF8000000000000),
    "string": ("string", None),
    "ipaddr": ("ipaddr", None),
    "ipv6addr": ("ipv6addr", None),
    "eui48": ("eui48", None),
}
_UNITS: Final = {
    "pct": "%",
    "c": "Cel",
    "secs": "s",
    "va": "V.A",
    "vah": "V.A.h",
    "wh": "W.h",
    "kwh": "kW.h",
    "ah": "A.h",
    "kah": "kA.h",
    "var": "V.A{reactive}",
    "varh": "V.A{reactive}.h",
    "degrees": "deg",
    "deg": "deg",
    "hpa": "hPa",
    "mps": "m/s",
    "meters": "m",
    "ohms": "Ohm",
    "ko": "kOhm",
    "pf": "1",
    "cos()": "1",
    "%whrtg": "%{WHRtg}",
}
_PLAIN: Final = frozenset("V A W Hz % mm S W/m2".split())


class Symbol(Struct, frozen=True):
    name: str
    value: int
    label: str = ""


class Point(Struct, frozen=True):
    name: str
    type: str
    size: int
    sf: int | str | None = None
    units: str = ""
    access: str = "R"
    label: str = ""
    desc: str = ""
    symbols: tuple[Symbol, ...] = ()


class Group(Struct, frozen=True):
    name: str
    count: int | str = 1
    points: tuple[Point, ...] = ()
    groups: tuple[Group, ...] = ()
    label: str = ""
    desc: str = ""


class Model(Struct, frozen=True):
    id: int
    group: Group


class Found(Struct, frozen=True):
    """A point of a model as a device has it: its name below the model, and where it lies."""

    name: str
    point: Point
    place: Place

    @property
    def unit(self) -> str:
        """The unit's UCUM code; none for those that SunSpec only describes."""
        text = self.point.units.strip()
        return text if text in _PLAIN else _UNITS.get(text.lower(), "")

    @property
    def states(self) -> dict[int, str]:
        """The names of an enumeration's numbers."""
        return {s.value: s.name for s in self.point.symbols} if self.point.type.startswith("enum") else {}

    @property
    def bits(self) -> dict[str, int]:
        """The bits of a bit field by their names."""
        return {s.name: s.value for s in self.point.symbols} if self.point.type.startswith("bit") else {}


class Models:
    """The folder of models; a file is read when a device has its model."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder).expanduser()
        self._read: dict[int, Model] = {}
        if not self._folder.is_dir():
            raise NeedsHuman(
                f"The folder of SunSpec models {folder} is not there.",
                remedy="Get the JSON files of github.com/sunspec/models and name their folder in sunspec_models.",
            )

    def __getitem__(self, number: int) -> Model:
        """Raises NotFound when the folder has no such model, NeedsHuman when its file cannot be used."""
        if number not in self._read:
            self._read[number] = self._load(self._folder / f"model_{number}.json")
        return self._read[number]

    def _load(self, path: Path) -> Model:
        try:
            if path.stat().st_size > MOST_BYTES:
                raise NeedsHuman(f"The SunSpec model {path} has more than {MOST_BYTES >> 20} MiB.")
            return msgspec.json.decode(path.read_bytes(), type=Model)
        except FileNotFoundError:
            raise NotFound(f"The folder of SunSpec models has no {path.name}.") from None
        except (OSError, msgspec.MsgspecError, RecursionError) as error:
            raise NeedsHuman(f"The SunSpec model {path} cannot be read: {error}.") from error


class _Walk:
    """Through a model's groups over the registers of a device, which say how often groups repeat."""

    def __init__(self, unit: int, start: int, data: bytes) -> None:
        self.at = 0
        self._unit, self._start, self._data = unit, start, data
        self.end = len(data) // 2

    def group(self, group: Group, prefix: str, scopes: Sequence[dict[str, int]]) -> Iterator[Found]:
        """The points of one occurrence. ``scopes`` are the registers of the points around it, outermost first."""
        own: dict[str, int] = {}
        inner = [*scopes, own]
        begin = self.at
        for point in group.points:
            own[point.name] = self.at
            self.at += point.size
        at = begin
        for point in group.points:
            if point.type in _KINDS and at + point.size <= self.end:
                yield Found(prefix + point.name, point, self._place(point, at, inner))
            at += point.size
        for sub in group.groups:
            yield from self._repeat(sub, prefix, inner)

    def _repeat(self, group: Group, prefix: str, scopes: Sequence[dict[str, int]]) -> Iterator[Found]:
        many = group.count != 1
        for i in range(self._times(group, scopes)):
            before = self.at
            if before >= self.end:
                return
            name = f"{group.name}[{i + 1}]" if many else group.name
            yield from self.group(group, f"{prefix}{name}.", scopes)
            if self.at == before:
                return

    def _times(self, group: Group, scopes: Sequence[dict[str, int]]) -> int:
        """As often as the point says that counts it; 0 in the model means until the model's end."""
        if isinstance(group.count, int):
            return group.count or self.end
        at = _look_up(group.count, scopes)
        number = self._number(at) if at is not None else 0
        return 0 if number == 0xFFFF else number

    def _number(self, at: int) -> int:
        return int.from_bytes(self._data[at * 2 : at * 2 + 2], "big")

    def _place(self, point: Point, at: int, scopes: Sequence[dict[str, int]]) -> Place:
        kind, null = _KINDS[point.type]
        factor: dict[str, Any] = {}
        if isinstance(point.sf, int):
            factor = {"exponent": point.sf}
        elif point.sf and (where := _look_up(point.sf, scopes)) is not None:
            factor = {"factor": self._start + where}
        return Place(
            unit=self._unit,
            register=self._start + at,
            kind=kind,
            count=point.size,
            null=null,
            read_only=point.access != "RW",
            **factor,
        )


def expand(model: Model, unit: int, start: int, data: bytes) -> list[Found]:
    """All points of a model that begins at register ``start`` and holds ``data``, its header included."""
    return list(_Walk(unit, start, data).group(model.group, "", []))


def _look_up(name: str, scopes: Sequence[dict[str, int]]) -> int | None:
    return next((scope[name] for scope in reversed(scopes) if name in scope), None)
