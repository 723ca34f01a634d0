"""A file with exactly one table, named after a plug-in, which that plug-in's own Config checks."""

from __future__ import annotations

from typing import Any

import msgspec

from weft.catalog.findings import Report, nearest
from weft.catalog.folder import Document, bad_name
from weft.catalog.shape import convert
from weft.runtime import Invalid, NotFound, plugins

__all__ = ["Plugged", "read_plugged"]


class Plugged(msgspec.Struct, frozen=True):
    """``form`` is what stands beside the table, None when it is wrong; ``config`` None when the table is."""

    protocol: str
    plugin: Any
    config: Any
    form: Any


def read_plugged(
    document: Document,
    findings: Report,
    *,
    group: str,
    kind: str,
    form: type[msgspec.Struct],
    needs: tuple[str, ...],
) -> Plugged | None:
    """None when no plug-in could be found; all else that is wrong is a finding. ``kind`` names such a file for
    people (``connection``); ``needs`` are the attributes that its plug-in must have."""
    if reason := bad_name(document.stem):
        findings.error((document.file, 0), f"The {kind}'s name {document.stem!r} {reason}.")
    tables = {key: value for key, value in document.data.items() if isinstance(value, dict)}
    beside = {key: value for key, value in document.data.items() if key not in tables}
    said, problems = convert(beside, form, f"a {kind}")
    names = plugins.names(group)
    for problem in problems:
        key = problem.path[0] if problem.path else ""
        remedy = f"A protocol is a table: [{key}]." if key in names else problem.remedy
        findings.error(document.place(*problem.path), problem.message, remedy)
    if len(tables) != 1:
        _not_one(document, list(tables), findings, names, kind)
        return None
    protocol, table = next(iter(tables.items()))
    plugin = _plugin(group, protocol, document, findings, needs, kind)
    if plugin is None:
        return None
    config, problems = convert(table, plugin.Config, f"a {kind} over {protocol}")
    document.report(findings, problems, protocol)
    return Plugged(protocol, plugin, config, said)


def _not_one(
    document: Document, protocols: list[str], findings: Report, installed: list[str], kind: str
) -> None:
    if protocols:
        findings.error(
            document.place(protocols[1]),
            f"A second protocol: {protocols[1]!r} beside {protocols[0]!r}.",
            f"One file is one {kind}.",
        )
    elif not any(key in installed for key in document.data):
        remedy = f"Add one of: {', '.join(f'[{name}]' for name in installed)}."
        findings.error(document.place(), "No table says the protocol.", remedy)


def _plugin(
    group: str, protocol: str, document: Document, findings: Report, needs: tuple[str, ...], kind: str
) -> Any:
    try:
        plugin = plugins.load(group, protocol)
    except NotFound:
        remedy = nearest(protocol, plugins.names(group), label="Installed are")
        findings.error(document.place(protocol), f"There is no protocol {protocol!r}.", remedy)
    except Invalid as error:
        findings.error(document.place(protocol), error.message, error.remedy)
    else:
        if all(hasattr(plugin, name) for name in needs):
            return plugin
        what = "connector" if kind == "connection" else kind
        findings.error(document.place(protocol), f"The plug-in {protocol!r} is no {what}.")
    return None
