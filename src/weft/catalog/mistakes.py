"""Values of a signal that can never be right, whatever stands around them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from weft.catalog.findings import nearest
from weft.catalog.forms import LIMITS, SignalForm
from weft.model import Limits, ValueType
from weft.model.units import BadUnit, doubtful, parse
from weft.model.values import type_name

__all__ = ["TYPES", "Mistake", "mistakes"]

# Names of OPC 10000-6, table 1, that a signal's value can have.
TYPES: Final = {type_name(kind): kind for kind in ValueType if kind is not ValueType.NULL}


class Mistake(NamedTuple):
    """``mild``: it can be meant so, but a person should look."""

    key: str
    message: str
    remedy: str = ""
    mild: bool = False


def mistakes(form: SignalForm) -> Iterator[Mistake]:
    if form.type is not None and form.type not in TYPES:
        yield Mistake("type", f"There is no value type {form.type!r}.", nearest(form.type, TYPES))
    if form.scale is not None and (form.scale == 0 or not math.isfinite(form.scale)):
        message = f"A 'scale' of {form.scale:g} leaves nothing of the value."
        yield Mistake("scale", message, "1 leaves it as it is.")
    if form.offset is not None and not math.isfinite(form.offset):
        yield Mistake("offset", f"An 'offset' of {form.offset:g} leaves nothing of the value.")
    if form.deadband is not None and not 0 <= form.deadband < math.inf:
        yield Mistake(
            "deadband", f"A 'deadband' of {form.deadband:g} is impossible.", "0 keeps every change."
        )
    if form.silence is not None and not 0 < form.silence < math.inf:
        yield Mistake(
            "silence", f"A 'silence' of {form.silence:g} s is impossible.", "Leave it out for none."
        )
    if form.limits is not None:
        yield from _of_limits(form.limits)
    if form.unit:
        yield from _of_unit(form.unit)
    if TYPES.get(form.type or "") is ValueType.STRING:
        for key in ("scale", "offset", "limits", "deadband", "states", "unit"):
            if getattr(form, key) is not None:
                yield Mistake(key, f"A signal of text has no {key!r}.", "Take it out, or change the type.")


def _of_limits(limits: Limits) -> Iterator[Mistake]:
    for key in LIMITS:
        if math.isnan(getattr(limits, key) or 0.0):
            yield Mistake("limits", f"The limit {key} is not a number.", "Leave it out for none.")
    said = [(key, value) for key in LIMITS if (value := getattr(limits, key)) is not None]
    for (lower, a), (upper, b) in pairwise(said):
        if a > b:
            message = f"The limit {lower} = {a:g} is above {upper} = {b:g}."
            yield Mistake("limits", message, "minimum ≤ low ≤ high ≤ maximum.")


def _of_unit(unit: str) -> Iterator[Mistake]:
    try:
        parse(unit)
    except BadUnit as error:
        remedy = f"Did you mean {error.nearest!r}?" if error.nearest else "Units are UCUM codes."
        yield Mistake("unit", f"The unit is wrong: {error}.", remedy)
        return
    rare = doubtful(unit)
    if rare is not None:
        yield Mistake("unit", f"The unit {unit!r} means {rare[0]}.", f"Did you mean {rare[1]!r}?", mild=True)
