"""Values of a signal that can never be right, whatever stands around them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from weft.catalog.findings import nearest
from weft.catalog.forms import LIMITS, SignalForm, WriteForm
from weft.model import Limits, ValueType
from weft.model.expression import BadExpression
from weft.model.expression import parse as parse_expression
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
    yield from _of_thinning(form)
    if form.derive is not None:
        yield from _of_derive(form)
    if form.write is not None:
        yield from _of_write(form.write)
    if form.unit:
        yield from _of_unit(form.unit)
    if TYPES.get(form.type or "") is ValueType.STRING:
        for key in ("scale", "offset", "limits", "deadband", "states", "unit", "deviation", "rate"):
            if getattr(form, key) is not None:
                yield Mistake(key, f"A signal of text has no {key!r}.", "Take it out, or change the type.")


def _of_thinning(form: SignalForm) -> Iterator[Mistake]:
    if form.deviation is not None and not 0 <= form.deviation < math.inf:
        message = f"A 'deviation' of {form.deviation:g} is impossible."
        yield Mistake("deviation", message, "0 keeps every sample.")
    if form.deviation and (form.step or form.states):
        message = "A signal that holds its value has no 'deviation': between two samples there is no line."
        yield Mistake("deviation", message, "Use 'deadband'.")
    if form.deviation and form.deadband:
        message = "'deadband' and 'deviation' together thin twice."
        yield Mistake("deviation", message, "'deviation' alone keeps more of the curve.", mild=True)
    for key, what in (("rate", "per second"), ("stuck", "s")):
        value = getattr(form, key)
        if value is not None and not 0 < value < math.inf:
            yield Mistake(key, f"A {key!r} of {value:g} {what} is impossible.", "Leave it out for none.")


def _of_derive(form: SignalForm) -> Iterator[Mistake]:
    for key in ("connection", "address", "scale", "offset", "write"):
        if getattr(form, key) is not None:
            message = f"A signal that is computed has no {key!r}."
            yield Mistake(key, message, "Take it out, or take 'derive' out.")
    try:
        parse_expression(form.derive or "")
    except BadExpression as error:
        yield Mistake("derive", f"{error.message} Column {error.column}.", error.remedy)


def _of_write(form: WriteForm) -> Iterator[Mistake]:
    for key in ("minimum", "maximum"):
        if math.isnan(getattr(form, key) or 0.0):
            yield Mistake(
                "write", f"The {key} that may be written is not a number.", "Leave it out for none."
            )
    if form.minimum is not None and form.maximum is not None and form.minimum > form.maximum:
        yield Mistake("write", f"Nothing lies between {form.minimum:g} and {form.maximum:g}.")
    if form.step is not None and not 0 < form.step < math.inf:
        yield Mistake("write", f"A 'step' of {form.step:g} is impossible.", "Leave it out for none.")
    if form.interval is not None and not 0 <= form.interval < math.inf:
        yield Mistake("write", f"An 'interval' of {form.interval:g} s is impossible.", "0 is no limit.")
    try:
        parse_expression(form.interlock or "true")
    except BadExpression as error:
        yield Mistake("write", f"Interlock: {error.message} Column {error.column}.", error.remedy)


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
