"""The order in which models stand on each other, and what is missing among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from weft.nodeset.document import Document, Need
from weft.nodeset.findings import Finding
from weft.nodeset.node import BASE

__all__ = ["ordered"]


def ordered(documents: Sequence[Document]) -> tuple[list[Document], list[Finding]]:
    """The documents, each after those it needs, whatever order they are given in. A model that nobody gives,
    is given twice, or is older than needed is a finding; so is a circle, which is cut where it is met."""
    givers: dict[str, Document] = {}
    findings: list[Finding] = []
    for document in documents:
        for model in document.models:
            if model.uri in givers:
                first = givers[model.uri].what
                findings.append(Finding(document.what, f"gives {model.uri} again, which {first} gives."))
            givers.setdefault(model.uri, document)
    order: list[Document] = []
    for document in documents:
        _append(document, givers, order, (), findings)
    for document in order:
        findings += _missing(document, givers)
    return order, findings


def _append(
    document: Document,
    givers: dict[str, Document],
    order: list[Document],
    waiting: tuple[Document, ...],
    findings: list[Finding],
) -> None:
    if any(document is done for done in order):
        return
    if any(document is other for other in waiting):
        chain = " needs ".join(other.what for other in (*waiting, document))
        findings.append(Finding(document.what, f"stands on itself: {chain}.", mild=True))
        return
    for model in document.models:
        for need in model.needs:
            giver = givers.get(need.uri)
            if giver is not None and giver is not document:
                _append(giver, givers, order, (*waiting, document), findings)
    order.append(document)


def _missing(document: Document, givers: dict[str, Document]) -> Iterator[Finding]:
    for model in document.models:
        for need in model.needs:
            giver = givers.get(need.uri)
            if giver is None:
                if need.uri != BASE:
                    edition = f" {need.version}".rstrip()
                    yield Finding(
                        document.what, f"needs {need.uri}{edition}, which none of the files is: add it."
                    )
            elif _older(giver, need):
                yield Finding(
                    document.what, f"needs {need.uri} of {need.published}; that given is older.", mild=True
                )


def _older(giver: Document, need: Need) -> bool:
    """By date: versions are free text (OPC 10000-6, F.5)."""
    given = next(model.published for model in giver.models if model.uri == need.uri)
    return bool(given and need.published and given < need.published)
