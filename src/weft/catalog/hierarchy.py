"""The equipment hierarchy: types, assets and what an asset inherits (IEC 62264-1, 5.3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from weft.catalog.findings import Report, nearest
from weft.catalog.folder import Document, Folder, Place, bad_name, bad_path
from weft.catalog.forms import AssetForm, PlantForm, SignalForm, TypeForm
from weft.catalog.header import check_retention
from weft.catalog.mistakes import mistakes
from weft.catalog.shape import Problem, convert
from weft.model import Asset, AssetType, Level

__all__ = ["Described", "Hierarchy", "Template", "read_hierarchy", "read_types"]

ORDER: Final = list(Level)


class Template(msgspec.Struct, frozen=True):
    """A type as its file says it."""

    form: TypeForm
    document: Document

    def model(self, name: str) -> AssetType:
        return AssetType(
            name=name,
            description=self.form.description,
            semantic=self.form.semantic,
            signals=tuple(self.form.signals),
        )


class Described(msgspec.Struct, frozen=True):
    """An asset's table and where it stands."""

    form: AssetForm
    document: Document
    key: str

    def place(self, *path: str | int) -> Place:
        return self.document.place(self.key, *path)


def read_types(folder: Folder) -> dict[str, Template]:
    """Types by name. A type of which a signal is wrong keeps its other signals, so that assets of that type
    are still checked."""
    types: dict[str, Template] = {}
    for document in folder.documents("types"):
        form, problems = convert(document.data, TypeForm, "a type")
        document.report(folder.findings, problems)
        if problems:
            folder.broken.add(f"types/{document.stem}")
        form = form or TypeForm()
        if reason := bad_name(document.stem):
            folder.findings.error((document.file, 0), f"The type's name {document.stem!r} {reason}.")
        check_retention(form.retention, document.place("retention"), folder.findings)
        _check_names(form.signals, document, ("signals",), folder.findings)
        _check_signals(form, document, folder.findings)
        types[document.stem] = Template(form, document)
    return types


def _check_signals(form: TypeForm, document: Document, findings: Report) -> None:
    """Also for a type that no asset has yet."""
    for name, signal in form.signals.items():
        for mistake in mistakes(signal):
            report = findings.warn if mistake.mild else findings.error
            report(document.place("signals", name, mistake.key), mistake.message, mistake.remedy)


def _check_names(
    signals: dict[str, SignalForm], document: Document, above: tuple[str, ...], findings: Report
) -> None:
    for name in signals:
        if reason := bad_name(name):
            findings.error(document.place(*above, name), f"The signal's name {name!r} {reason}.")


class Hierarchy:
    """All assets by full path, parents before children, and what stands on them."""

    def __init__(self, plant: PlantForm) -> None:
        self.plant = plant
        self.site = f"{plant.enterprise}/{plant.site}"
        self.described: dict[str, Described] = {}
        self._paths: dict[str, None] = {plant.enterprise: None, self.site: None}

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __contains__(self, path: str) -> bool:
        return path in self._paths

    def full(self, below: str) -> str:
        return f"{self.site}/{below}"

    def add(self, path: str) -> None:
        """The asset and its parents, each once."""
        parts = path.split("/")
        for depth in range(3, len(parts) + 1):
            self._paths.setdefault("/".join(parts[:depth]))

    def line(self, path: str) -> Iterator[Described]:
        """The asset's own table, then those of its parents, the nearest first."""
        while path:
            if path in self.described:
                yield self.described[path]
            path = path.rpartition("/")[0]

    def owner(self, path: str) -> str:
        return next((d.form.owner for d in self.line(path) if d.form.owner is not None), self.plant.owner)

    def retention(self, path: str) -> float | None:
        return next(
            (d.form.retention for d in self.line(path) if d.form.retention is not None), self.plant.retention
        )

    def formerly(self, path: str) -> str:
        """The path that the asset had before it or a parent of it was renamed by ``was``, or the present one."""
        head, tail = path, ""
        while head:
            described = self.described.get(head)
            if described is not None and described.form.was:
                return self.full(described.form.was) + tail
            head, _, last = head.rpartition("/")
            tail = f"/{last}{tail}"
        return path

    def level(self, path: str) -> Level:
        described = self.described.get(path)
        if described is not None and described.form.level is not None:
            return described.form.level
        return ORDER[min(path.count("/"), len(ORDER) - 1)]

    def report_lookalikes(self, findings: Report) -> None:
        """Parents and the assets of lists need no table, so a slip would quietly make a second machine."""
        first: dict[str, str] = {}
        for path in self._paths:
            other = first.setdefault(_plain(path), path)
            if other != path and first[_plain(parent := path.rpartition("/")[0])] == parent:
                below = (d.place() for p, d in self.described.items() if f"{p}/".startswith(f"{path}/"))
                message = f"The assets {other!r} and {path!r} look alike."
                findings.warn(next(below, ("signals/", 0)), message, "Are they one?")

    def model(self) -> dict[str, Asset]:
        assets = {}
        for path in self._paths:
            described = self.described.get(path)
            form = described.form if described else AssetForm()
            site = path == self.site
            assets[path] = Asset(
                path=path,
                level=self.level(path),
                type=form.type,
                description=form.description or (self.plant.description if site else ""),
                owner=self.owner(path),
            )
        return assets


def _plain(path: str) -> str:
    return "".join(character for character in path.casefold() if character.isalnum() or character == "/")


def read_hierarchy(folder: Folder, plant: PlantForm, types: dict[str, Template]) -> Hierarchy:
    hierarchy = Hierarchy(plant)
    for document in folder.documents("assets"):
        for key, table in document.data.items():
            if isinstance(table, dict):
                _read_asset(hierarchy, folder, document, key, table)
            else:
                folder.findings.error(
                    document.place(key),
                    f"{key!r} stands outside of an asset.",
                    f'Assets are tables: ["{key}"].',
                )
    for path, described in hierarchy.described.items():
        _check_asset(hierarchy, folder, types, path, described)
    return hierarchy


def _read_asset(
    hierarchy: Hierarchy, folder: Folder, document: Document, key: str, table: dict[str, object]
) -> None:
    findings = folder.findings
    place = document.place(key)
    if reason := bad_path(key):
        findings.error(place, f"The asset's path {key!r} is wrong: {reason}.")
        return
    path = hierarchy.full(key)
    if path in hierarchy.described:
        file, line = hierarchy.described[path].place()
        findings.error(place, f"The asset {key!r} is described in {file}:{line} already.", "Join the two.")
        return
    form, problems = convert(table, AssetForm, "an asset")
    document.report(findings, [_dotted(problem, table) for problem in problems], key)
    hierarchy.add(path)
    hierarchy.described[path] = Described(form or AssetForm(), document, key)


def _dotted(problem: Problem, table: dict[str, object]) -> Problem:
    """``[machining.line1]`` makes tables within tables where a path in quotes was meant."""
    nested = len(problem.path) == 1 and isinstance(table.get(str(problem.path[0])), dict)
    if nested and problem.remedy.startswith("Known"):
        return problem._replace(remedy='An asset is one table with its path in quotes: ["area/line/cell"].')
    return problem


def _check_asset(
    hierarchy: Hierarchy, folder: Folder, types: dict[str, Template], path: str, described: Described
) -> None:
    form, findings = described.form, folder.findings
    if form.type and form.type not in types and f"types/{form.type}" not in folder.broken:
        remedy = nearest(form.type, types, label="Types are") or f"Describe it in types/{form.type}.toml."
        findings.error(described.place("type"), f"There is no type {form.type!r}.", remedy)
    if form.level is not None:
        above = hierarchy.level(path.rpartition("/")[0])
        if ORDER.index(form.level) < ORDER.index(above) or form.level in ORDER[:2]:
            lower = ", ".join(ORDER[max(2, ORDER.index(above)) :])
            findings.error(
                described.place("level"),
                f"The level {form.level.value!r} cannot stand below {above.value!r}.",
                f"One of: {lower}.",
            )
    check_retention(form.retention, described.place("retention"), findings)
    _check_names(form.signals, described.document, (described.key, "signals"), findings)
    if form.was is not None and hierarchy.full(form.was) in hierarchy:
        findings.error(described.place("was"), f"'was' names {form.was!r}, which is an asset of today.")
