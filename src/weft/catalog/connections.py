"""The lines to the field: a file each, its one table checked by the protocol's own Config."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from weft.catalog.findings import Report
from weft.catalog.folder import Document, Folder
from weft.catalog.forms import ConnectionForm
from weft.catalog.plugged import read_plugged
from weft.model.sources import OWN

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
    if document.stem in OWN:
        message = f"A connection cannot be called {document.stem!r}: Weft itself publishes under that name."
        findings.error((document.file, 0), message, "Rename the file.")
    plugged = read_plugged(
        document,
        findings,
        group=GROUP,
        kind="connection",
        form=ConnectionForm,
        needs=("Config", "Address"),
    )
    if plugged is None:
        return None
    form = plugged.form or ConnectionForm()
    return Line(document.stem, plugged.protocol, plugged.config, plugged.plugin.Address, form, document)
