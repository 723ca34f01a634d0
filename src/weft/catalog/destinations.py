"""Files of destinations/: where samples go besides the plant's own history. The file's name is the destination's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from weft.catalog.api import Destination
from weft.catalog.findings import Report
from weft.catalog.folder import Document, Folder
from weft.catalog.forms import DestinationForm
from weft.catalog.plugged import read_plugged
from weft.catalog.search import form_of
from weft.model import Signal

__all__ = ["read_destinations"]

GROUP: Final = "weft.destinations"


def read_destinations(folder: Folder, signals: Mapping[str, Signal], owner: str) -> dict[str, Destination]:
    """Every sound destination by name; whatever is wrong is a finding. A file that is all comments is absent."""
    found: dict[str, Destination] = {}
    for document in folder.documents("destinations"):
        made = _read(document, folder, signals, owner) if document.data else None
        if made is not None:
            found[made.name] = made
    return found


def _read(
    document: Document, folder: Folder, signals: Mapping[str, Signal], owner: str
) -> Destination | None:
    findings = folder.findings
    plugged = read_plugged(
        document, findings, group=GROUP, kind="destination", form=DestinationForm, needs=("Config", "run")
    )
    if plugged is None or plugged.form is None:
        return None
    form: DestinationForm = plugged.form
    _check(form, document, findings)
    if not folder.broken:  # else signals are missing that only nobody could read
        _check_patterns(form, document, signals, findings)
    return Destination(
        name=document.stem,
        protocol=plugged.protocol,
        config=plugged.config,
        signals=tuple(_chosen(signals, form)),
        edge=form.edge,
        description=form.description,
        owner=owner if form.owner is None else form.owner,
        backlog_rate=form.backlog_rate,
        batch_rows=form.batch_rows,
        batch_seconds=form.batch_seconds,
        begin=form.begin,
    )


def _check(form: DestinationForm, document: Document, findings: Report) -> None:
    for key, value in (("backlog_rate", form.backlog_rate), ("batch_rows", form.batch_rows)):
        if not 1 <= value < math.inf:
            findings.error(document.place(key), f"{key!r} of {value:g} is impossible.", "1 is the least.")
    if not 0 <= form.batch_seconds <= 60:
        findings.error(
            document.place("batch_seconds"), f"'batch_seconds' of {form.batch_seconds:g} is impossible."
        )


def _check_patterns(
    form: DestinationForm, document: Document, signals: Mapping[str, Signal], findings: Report
) -> None:
    for key, patterns in (("signals", form.signals), ("without", form.without)):
        for index, pattern in enumerate(patterns):
            if signals and not any(_matching(signals, pattern)):
                findings.warn(
                    document.place(key, index),
                    f"No signal is like {pattern!r}.",
                    "* stays within a name, ** is any number of names.",
                )


def _chosen(signals: Mapping[str, Signal], form: DestinationForm) -> Iterator[str]:
    """In the plant's order."""
    wanted = {path for pattern in form.signals for path in _matching(signals, pattern)}
    wanted -= {path for pattern in form.without for path in _matching(signals, pattern)}
    return (path for path in signals if path in wanted)


def _matching(paths: Iterable[str], pattern: str) -> Iterator[str]:
    form = form_of(pattern)
    return (path for path in paths if form.fullmatch(path))
