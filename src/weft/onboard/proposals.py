"""What a browse found, as signals that a person may accept: named, with unit, type, limits and a sample of each."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from itertools import takewhile
from typing import Any, Final

import msgspec

from weft.connect import Found
from weft.model import Limits, ValueType, quality
from weft.model.naming import safe_name, unused
from weft.model.values import type_name
from weft.onboard.draft import Row, ucum

__all__ = ["Proposal", "propose"]

LONGEST_SAMPLE: Final = 80
_NOT_KEPT: Final = frozenset(
    {
        ValueType.NULL,
        ValueType.EXTENSIONOBJECT,
        ValueType.DATAVALUE,
        ValueType.VARIANT,
        ValueType.DIAGNOSTICINFO,
    }
)


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A signal ``asset/name`` (the asset's path is below the site). ``sample`` is its present value for people,
    ``quality`` what that is worth. ``accept`` is what we would do, ``reason`` why not; ``doubts`` are for a person to
    look at either way."""

    asset: str
    name: str
    connection: str
    address: dict[str, Any]
    type: str = ""
    unit: str = ""
    limits: Limits = Limits()
    states: dict[int, str] = {}
    description: str = ""
    semantic: str = ""
    writable: bool = False
    history: bool = False
    sample: str = ""
    quality: str = "Good"
    source: str = ""
    accept: bool = True
    reason: str = ""
    doubts: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"{self.asset}/{self.name}"

    def row(self) -> Row:
        """As a list of signals says it."""
        return Row(
            asset=self.asset,
            name=self.name,
            connection=self.connection,
            address=self.address,
            type=self.type,
            unit=self.unit,
            description=self.description,
            limits=self.limits,
            states=self.states,
            place=self.source,
        )


def propose(
    found: Iterable[Found], asset: str, connection: str, taken: Collection[str] = ()
) -> list[Proposal]:
    """One for each variable, in the order found. Names are safe in a path, a topic and a subject, and say the folders
    below the one that all share; a path of ``taken`` is not used again. Addresses that were found before (two
    folders that show one node) are proposed once."""
    variables = _once(one for one in found if one.kind == "variable")
    above = _shared([one.folder.split("/") for one in variables if not _of_the_server(one)])
    names = {path.removeprefix(f"{asset}/") for path in taken if path.startswith(f"{asset}/")}
    proposals = []
    for one in variables:
        folders = one.folder.split("/")[0 if _of_the_server(one) else above :]
        name = unused(safe_name(*folders, one.name), names)
        names.add(name)
        proposals.append(_proposal(one, asset, name, connection))
    return proposals


def _once(found: Iterable[Found]) -> list[Found]:
    by_address: dict[str, Found] = {}
    for one in found:
        by_address.setdefault(repr(sorted(one.address.items())), one)
    return list(by_address.values())


def _shared(folders: Sequence[list[str]]) -> int:
    """How many names all of them begin with."""
    return sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, zip(*folders, strict=False)))


def _proposal(one: Found, asset: str, name: str, connection: str) -> Proposal:
    unit, doubt = ucum(one.unit) if one.unit else ("", "")
    reason = _reason(one)
    textual = one.type is ValueType.STRING
    return Proposal(
        asset=asset,
        name=name,
        connection=connection,
        address=one.address,
        type=type_name(one.type) if one.type and not one.rank else "",
        unit="" if textual else unit,
        limits=Limits() if textual else _sound(one.limits),
        states={} if textual else one.states,
        description=one.description,
        semantic=one.semantic,
        writable=one.writable,
        history=one.history,
        sample=_sample(one.value),
        quality=quality.status_name(one.status),
        source=f"{one.folder}/{one.name}".strip("/"),
        accept=not reason,
        reason=reason,
        doubts=tuple(text for text in (doubt, _outside(one)) if text),
    )


def _of_the_server(one: Found) -> bool:
    """A node of OPC UA's own namespace: every server has it."""
    return str(one.address.get("node", "")).startswith("i=")


def _reason(one: Found) -> str:
    if one.type is None:
        return "Its type is not known."
    if one.type in _NOT_KEPT:
        return f"A value of type {type_name(one.type)} is a structure: choose one of its fields."
    if _of_the_server(one):
        return "It belongs to the OPC UA server itself, not to the machine."
    if one.status & 0xFFFF0000 in (quality.BAD_NODE_ID_UNKNOWN, 0x803A0000, 0x801F0000):
        return f"It cannot be read ({quality.status_name(one.status)})."
    return ""


def _outside(one: Found) -> str:
    """A present value outside of its own limits: often a wrong unit or range."""
    if isinstance(one.value, bool) or not isinstance(one.value, (int, float)):
        return ""
    low = one.limits.low if one.limits.minimum is None else one.limits.minimum
    high = one.limits.high if one.limits.maximum is None else one.limits.maximum
    if (low is not None and one.value < low) or (high is not None and one.value > high):
        return f"Its value {one.value:g} is outside of its own limits."
    return ""


def _sound(limits: Limits) -> Limits:
    said = [value for value in (limits.minimum, limits.low, limits.high, limits.maximum) if value is not None]
    return limits if all(map(math.isfinite, said)) and said == sorted(said) else Limits()


def _sample(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, dict) and "text" in value:
        value = value["text"] or ""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_SAMPLE else text[: LONGEST_SAMPLE - 1] + "…"
