"""``weft types``: what companion models (OPC UA NodeSet2 files) offer, as types of the plant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from weft import nodeset
from weft.cli.output import document, printable, table
from weft.model.naming import safe_name, unused
from weft.nodeset import Space, TypeModel, Wanted
from weft.runtime import Conflict, Invalid, NotFound

__all__ = ["import_", "list_"]


def list_(files: Sequence[Path], *, every: bool, as_json: bool) -> None:
    space = _space(files)
    models = _offered(space, every=every)
    if as_json:
        document(
            {"types": msgspec.to_builtins(models), "findings": msgspec.to_builtins(space.findings)},
        )
        return
    rows = [
        [
            m.name,
            len(m.signals),
            sum(not s.optional and not s.placeholder for s in m.signals),
            len(m.methods),
            m.namespace,
            m.description[:60],
        ]
        for m in models
    ]
    table(["type", "signals", "of these always", "methods", "model", "what it is"], rows)
    _tell(space)


def import_(files: Sequence[Path], *, names: Sequence[str], into: Path, wish: Wanted, force: bool) -> None:
    """Writes all files or none."""
    space = _space(files)
    texts: dict[Path, str] = {}
    for model in _chosen(space, names):
        signals = nodeset.wanted(model, wish)
        if not signals:
            if names:
                raise Invalid(f"The type {model.name} has no signals of the wanted kind.")
            continue
        stem = nodeset.file_name(model)
        taken = {path.stem for path in texts}
        if stem in taken:
            stem = unused(safe_name(model.namespace.rstrip("/").rpartition("/")[2], stem), taken)
        texts[into / f"{stem}.toml"] = nodeset.template(model, signals)
    present = [path for path in texts if path.exists()]
    if present and not force:
        shown = ", ".join(str(path) for path in present[:3])
        raise Conflict(
            f"{shown}{' and more' if len(present) > 3 else ''} exist; nothing was written.",
            remedy="--force replaces them.",
        )
    into.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
        click.echo(f"{path}: {text.count('[signals.')} signals")
    _tell(space)


def _space(files: Sequence[Path]) -> Space:
    return Space([nodeset.read(file.read_bytes(), str(file)) for file in _found(files)])


def _found(files: Sequence[Path]) -> list[Path]:
    """Files as they are; of a folder every XML file that calls itself a nodeset."""
    found: dict[Path, None] = {}
    for file in files:
        inside = sorted(p for p in file.rglob("*") if p.name.lower().endswith("nodeset2.xml"))
        if file.is_dir() and not inside:
            raise NotFound(f"{file} holds no file named …NodeSet2.xml.")
        found |= dict.fromkeys(inside if file.is_dir() else [file])
    return list(found)


def _offered(space: Space, *, every: bool) -> list[TypeModel]:
    """Types of assets with signals; without ``every`` only of the models that no other one needs."""
    own = _last(space)
    return [
        model
        for model in nodeset.types(space)
        if nodeset.is_asset(model) and model.signals and (every or model.namespace in own)
    ]


def _last(space: Space) -> set[str]:
    models = [model for document in space.documents for model in document.models]
    needed = {need.uri for model in models for need in model.needs}
    return {model.uri for model in models} - needed or {model.uri for model in models}


def _chosen(space: Space, names: Sequence[str]) -> list[TypeModel]:
    if not names:
        return _offered(space, every=False)
    by_name: dict[str, list[str]] = {}
    for node in (node for one in space.documents for node in one.nodes.values()):
        if node.kind == "ObjectType":
            for name in {node.name.text, node.name.text.removesuffix("Type"), node.id}:
                by_name.setdefault(name.casefold(), []).append(node.id)
    missing = [name for name in names if name.casefold() not in by_name]
    if missing:
        raise NotFound(
            f"The files have no type {missing[0]!r}.", remedy="weft types list shows what they have."
        )
    chosen = dict.fromkeys(kind for name in names for kind in by_name[name.casefold()])
    return [nodeset.type_model(space, kind) for kind in chosen]


def _tell(space: Space) -> None:
    for finding in space.findings:
        click.secho(printable(str(finding)), fg=None if finding.mild else "yellow", err=True)
