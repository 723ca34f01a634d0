"""Loads a plant's folder: everything that is wrong with it at once, or the plant."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path

import msgspec

from weft.catalog.api import Connection, Plant
from weft.catalog.connections import Line, Lines, read_connections
from weft.catalog.destinations import read_destinations
from weft.catalog.findings import Findings, Report
from weft.catalog.folder import Folder
from weft.catalog.formulas import Formulas
from weft.catalog.handles import Handles
from weft.catalog.header import Header, read_header
from weft.catalog.hierarchy import Hierarchy, Template, read_hierarchy, read_types
from weft.catalog.logic import read_rules
from weft.catalog.rows import read_rows
from weft.catalog.signals import Signals
from weft.model import Signal

__all__ = ["Loaded", "check", "load"]


class Loaded(msgspec.Struct, frozen=True):
    """``plant`` is None when any finding is an error. ``findings`` go by file and line."""

    plant: Plant | None
    findings: Findings


def check(folder: Path, *, environ: Mapping[str, str] | None = None) -> Loaded:
    """Like :func:`load`, and writes nothing: handles are good for looking only."""
    return load(folder, environ=environ)


def load(folder: Path, *, handles: Handles | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """The plant of a folder, or what is wrong with it. With ``handles`` every signal has its durable number;
    without, numbers count from 1 and are good for looking only. ``environ`` replaces the process's own.
    Raises NeedsHuman when handles cannot be written."""
    findings = Report()
    files = Folder(folder, findings)
    header = read_header(files, environ)
    if folder.is_dir():
        files.strangers()
    types = read_types(files)
    lines = read_connections(files)
    hierarchy = read_hierarchy(files, header.plant, types)
    made = Signals(files, hierarchy, types, lines)
    for file, text in files.tables():
        for row in read_rows(file, text, findings):
            made.add_row(row)
    signals = made.make()
    formulas = Formulas(hierarchy.site, signals, made.paths, findings, quiet=bool(files.broken))
    made.resolve(signals, formulas)
    rules = read_rules(files, signals, formulas, hierarchy.site)
    destinations = read_destinations(files, signals, header.plant.owner)
    hierarchy.report_lookalikes(findings)
    if findings.wrong:
        return Loaded(None, findings.ordered())
    numbered = _numbered(signals, made.formerly, handles)
    plant = _plant(header, hierarchy, types, lines, numbered)
    plant = msgspec.structs.replace(plant, logic=rules, destinations=destinations)
    return Loaded(plant, findings.ordered())


def _numbered(
    signals: dict[str, Signal], formerly: Mapping[str, str], handles: Handles | None
) -> dict[str, Signal]:
    numbers = (
        {path: number for number, path in enumerate(signals, 1)}
        if handles is None
        else handles.assign(signals, formerly)
    )
    replace = msgspec.structs.replace
    return {path: replace(signal, handle=numbers[path]) for path, signal in signals.items()}


def _plant(
    header: Header,
    hierarchy: Hierarchy,
    types: dict[str, Template],
    lines: Lines,
    signals: dict[str, Signal],
) -> Plant:
    homes: dict[str, list[str]] = {name: [] for name in lines.found}
    for signal in signals.values():
        if not signal.derive:
            homes[signal.connection].append(signal.asset)
    return Plant(
        name=header.plant.name,
        timezone=header.plant.timezone,
        description=header.plant.description,
        assets=hierarchy.model(),
        types={name: template.model(name) for name, template in types.items()},
        signals=signals,
        connections={
            name: _connection(line, homes[name] or [hierarchy.site], header.plant.owner)
            for name, line in lines.found.items()
        },
        settings=header.settings,
    )


def _connection(line: Line, assets: list[str], owner: str) -> Connection:
    return Connection(
        name=line.name,
        protocol=line.protocol,
        config=line.config,
        home=_common(assets),
        description=line.form.description,
        owner=owner if line.form.owner is None else line.form.owner,
        methods=line.form.methods,
        edge=line.form.edge,
    )


def _common(assets: list[str]) -> str:
    """The deepest path that all of them lie on."""
    return posixpath.commonpath(assets)
