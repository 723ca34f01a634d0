"""The lines to the field: a file each, its one table checked by the protocol's own Config."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from weft.catalog.findings import Report, nearest
from weft.catalog.folder import Document, Folder, bad_name
from weft.catalog.forms import ConnectionForm
from weft.catalog.shape import convert
from weft.model.sources import OWN
from weft.runtime import Invalid, NotFound, plugins

__all__ = ["Line", "Lines", "read_connections"]

GROUP: Final = "weft.connectors"


class Line(msgspec.Struct, frozen=True):
    """A connection before its signals are known. ``address`` is the protocol's Struct, None when the
    protocol could not be loaded; ``config`` None when it is wrong: the addresses are checked all the same."""

    name: str
    protocol: str
    config: Any
    address: Any
    form: ConnectionForm
    document: Document


class Lines(msgspec.Struct, frozen=True):
    """By name: those that were ``found``; those whose file is ``broken``, on which nothing else is said;
    and the files that are ``empty`` but for comments: prepared, not there."""

    found: dict[str, Line]
    broken: set[str]
    empty: dict[str, str]


def read_connections(folder: Folder) -> Lines:
    lines = Lines({}, set(), {})
    for document in folder.documents("connections"):
        line = _read(document, folder.findings) if document.data else None
        if line is not None:
            lines.found[line.name] = line
        elif document.data:
            lines.broken.add(document.stem)
        else:
            lines.empty[document.stem] = document.file
    prefix = "connections/"
    lines.broken.update(name.removeprefix(prefix) for name in folder.broken if name.startswith(prefix))
    return lines


def _read(document: Document, findings: Report) -> Line | None:
    if reason := bad_name(document.stem):
        findings.error((document.file, 0), f"The connection's name {document.stem!r} {reason}.")
    if document.stem in OWN:
        message = f"A connection cannot be called {document.stem!r}: Weft itself publishes under that name."
        findings.error((document.file, 0), message, "Rename the file.")
    tables = {key: value for key, value in document.data.items() if isinstance(value, dict)}
    form, problems = convert(
        {key: value for key, value in document.data.items() if key not in tables},
        ConnectionForm,
        "a connection",
    )
    names = plugins.names(GROUP)
    for problem in problems:
        key = problem.path[0] if problem.path else ""
        remedy = f"A protocol is a table: [{key}]." if key in names else problem.remedy
        findings.error(document.place(*problem.path), problem.message, remedy)
    if len(tables) != 1:
        _not_one(document, list(tables), findings)
        return None
    protocol, table = next(iter(tables.items()))
    connector = _connector(protocol, document, findings)
    if connector is None:
        return None
    config, problems = convert(table, connector.Config, f"a connection over {protocol}")
    document.report(findings, problems, protocol)
    return Line(document.stem, protocol, config, connector.Address, form or ConnectionForm(), document)


def _not_one(document: Document, protocols: list[str], findings: Report) -> None:
    installed = plugins.names(GROUP)
    if protocols:
        findings.error(
            document.place(protocols[1]),
            f"A second protocol: {protocols[1]!r} beside {protocols[0]!r}.",
            "One file is one connection.",
        )
    elif not any(key in installed for key in document.data):
        remedy = f"Add one of: {', '.join(f'[{name}]' for name in installed)}."
        findings.error(document.place(), "No table says the protocol.", remedy)


def _connector(protocol: str, document: Document, findings: Report) -> Any:
    try:
        connector = plugins.load(GROUP, protocol)
    except NotFound:
        remedy = nearest(protocol, plugins.names(GROUP), label="Installed are")
        findings.error(document.place(protocol), f"There is no protocol {protocol!r}.", remedy)
    except Invalid as error:
        findings.error(document.place(protocol), error.message, error.remedy)
    else:
        if hasattr(connector, "Config") and hasattr(connector, "Address"):
            return connector
        findings.error(document.place(protocol), f"The plug-in {protocol!r} is no connector.")
    return None
