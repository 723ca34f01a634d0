"""A type of a companion model as a file of a plant's types/ (see docs/reference/plant-folder.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from weft.model import Limits, ValueType
from weft.model.naming import safe_name, unused
from weft.model.values import type_name
from weft.nodeset.node import BASE, Name
from weft.nodeset.types import SignalModel, TypeModel

__all__ = ["Wanted", "file_name", "is_asset", "template", "wanted"]

_LONGEST: Final = 400
_EVENTS: Final = "i=2041"
_WORD: Final = re.compile(r"\W+")


class Wanted(msgspec.Struct, frozen=True):
    """Which signals of a type are taken: those that every object must have, or also what it may have; with or
    without properties, which seldom change. What stands for any number of variables never is."""

    optional: bool = True
    properties: bool = True


def wanted(model: TypeModel, wish: Wanted) -> list[SignalModel]:
    return [
        signal
        for signal in model.signals
        if not signal.placeholder
        and (wish.optional or not signal.optional)
        and (wish.properties or not signal.is_property)
    ]


def is_asset(model: TypeModel) -> bool:
    """Whether objects of the type can stand in a plant: not abstract, and no events."""
    return not model.abstract and _EVENTS not in (model.id, *model.supertypes)


def file_name(model: TypeModel) -> str:
    """``machine-tool`` for MachineToolType."""
    return safe_name(model.name.removesuffix("Type"), otherwise="type")


def template(model: TypeModel, signals: Sequence[SignalModel]) -> str:
    """The text of the file. Each asset of the type gives one parameter, ``node``: its object on the server."""
    spaces = _spaces(signals)
    lines = [
        f"# {model.name} of {model.namespace}. Each asset of this type says which object it is on its server:"
    ]
    lines += ['#   parameters = { node = "nsu=urn:maker:machine;s=Machine" }', ""]
    if model.description:
        lines.append(f"description = {_quoted(_braces(model.description))}")
    lines.append(f"semantic = {_quoted(model.semantic)}")
    if spaces:
        pairs = (f"{name} = {_quoted(str(Name(uri, '')))}" for uri, name in spaces.items())
        lines.append(f"parameters = {{ {', '.join(pairs)} }}")
    taken: set[str] = set()
    for signal in signals:
        name = unused(safe_name(*(part.text for part in signal.path)), taken)
        taken.add(name)
        lines += ["", *_table(name, signal, spaces)]
    parts = {path: kind for path, kind in model.parts.items() if path.endswith(">")}
    if parts:
        lines += ["", "# It holds any number of objects that are assets of a type of their own:"]
        lines += [f"#   {path.rpartition(';')[2] or path}: {kind}" for path, kind in parts.items()]
    return "\n".join(lines) + "\n"


def _spaces(signals: Sequence[SignalModel]) -> dict[str, str]:
    """A short name for each namespace of the paths."""
    found: dict[str, str] = {}
    for uri in dict.fromkeys(name.namespace for signal in signals for name in signal.path):
        if uri != BASE:
            word = _WORD.sub("_", uri.removeprefix(BASE).removeprefix("urn:").rstrip("/")).strip("_")
            short = word.rpartition("__")[2] or "ns"
            while short in found.values() or short in ("node", "asset", "path", "signal"):
                short += "_"
            found[uri] = short
    return found


def _table(name: str, signal: SignalModel, spaces: dict[str, str]) -> Iterator[str]:
    yield f"[signals.{name}]" + ("  # not every one has it" if signal.optional else "")
    if signal.description:
        yield f"description = {_quoted(_braces(signal.description))}"
    if signal.type is not None and signal.rank == -1:
        yield f'type = "{type_name(signal.type)}"'
    if signal.type is not ValueType.STRING:
        if signal.unit:
            yield f"unit = {_quoted(signal.unit)}"
        if signal.limits != Limits():
            yield f"limits = {_inline(_limits(signal.limits))}"
        if signal.states:
            yield f"states = {_inline({_key(n): _quoted(text) for n, text in sorted(signal.states.items())})}"
    yield f"semantic = {_quoted(signal.semantic)}"
    path = "/".join(_step(part, spaces) for part in signal.path)
    yield f'address = {{ node = "{{node}}", path = {_quoted(path)} }}'


def _step(name: Name, spaces: dict[str, str]) -> str:
    if name.namespace == BASE:
        return _braces(str(name))
    plain = str(Name(name.namespace, name.text)).removeprefix(str(Name(name.namespace, "")))
    return f"{{{spaces[name.namespace]}}}{_braces(plain)}"


def _limits(limits: Limits) -> dict[str, str]:
    said = msgspec.structs.asdict(limits)
    return {key: repr(float(value)) for key, value in said.items() if value is not None}


def _key(number: int) -> str:
    return str(number) if number >= 0 else f'"{number}"'


def _inline(pairs: dict[str, str]) -> str:
    return f"{{ {', '.join(f'{key} = {value}' for key, value in pairs.items())} }}"


def _braces(text: str) -> str:
    """Braces that are meant as such: single ones would be placeholders."""
    return text.replace("{", "{{").replace("}", "}}")


def _quoted(text: str) -> str:
    """As a TOML text on one line; JSON's escapes are TOML's. A long description is cut."""
    shown = text if len(text) <= _LONGEST else text[:_LONGEST].rstrip() + " …"
    return json.dumps(shown, ensure_ascii=False).replace("\x7f", "\\u007f")
