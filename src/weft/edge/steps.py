"""Normalising steps, each ``Batch -> Batch`` by direct call. They are total: no input makes them raise, and a
sample that cannot be normalised keeps its value and gets a status that says so.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from weft.edge.rules import Rules
from weft.model import Batch, Flag, ValueType
from weft.model.quality import BAD, BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH
from weft.model.values import FLOATS, INTEGERS, NUMERIC, RANGES, is_in

__all__ = ["check_times", "enumerate_states", "scale", "to_type"]

FUTURE: Final = 60 * 1_000_000_000  # ns; more than a badly kept clock's minute is not this moment's value
EARLIEST: Final = 315_532_800_000_000_000  # 1980-01-01, the oldest epoch that a field device starts at
_WHOLE: Final = 2.0**53


def check_times(batch: Batch) -> Batch:
    """Flags source times that cannot be: more than a minute ahead of receipt or before 1980. The time stays."""
    limit = (batch.received or int(batch.time.max(initial=0))) + FUTURE
    suspect = (batch.time > limit) | (batch.time < EARLIEST)
    if not suspect.any():
        return batch
    return batch.replace(flags=np.where(suspect, batch.flags | np.uint16(Flag.CLOCK_SUSPECT), batch.flags))


def scale(batch: Batch, rules: Rules) -> Batch:
    """Raw numbers to engineering units, as Double. Signals without scale and offset keep value and type."""
    rows = rules.where(rules.scaled, batch) & is_in(batch.type, frozenset(NUMERIC))
    at = np.flatnonzero(rows)
    if not len(at):
        return batch
    handles = batch.signal[at]
    numbers = batch.numbers()[at] * rules.scale[handles] + rules.offset[handles]
    bits, types = batch.bits.copy(), batch.type.copy()
    bits[at] = numbers.view(np.int64)
    types[at] = ValueType.DOUBLE
    return batch.replace(bits=bits, type=types)


def enumerate_states(batch: Batch, rules: Rules) -> Batch:
    """Texts that name a state become the state's number, where the plant asks for an integer."""
    rows = rules.where(rules.enumerated, batch) & (batch.type == ValueType.STRING) & (batch.bits >= 0)
    if not rows.any():
        return batch
    bits, types, status = batch.bits.copy(), batch.type.copy(), batch.status.copy()
    for i in np.flatnonzero(rows).tolist():
        handle = int(batch.signal[i])
        number = rules.states[handle].get(batch.heap[int(bits[i])])
        if number is None:
            status[i] = int(status[i]) if status[i] >= BAD else BAD_OUT_OF_RANGE
        else:
            bits[i], types[i] = number, rules.type[handle]
    return batch.replace(bits=bits, type=types, status=status)


def to_type(batch: Batch, rules: Rules) -> Batch:
    """To the type that the plant asks for, where that loses nothing; else the value stays as it came, with
    BadOutOfRange (a number too large) or BadTypeMismatch."""
    typed = rules.where(rules.typed, batch)
    if not typed.any():
        return batch
    wanted = np.zeros(len(batch), dtype=np.uint8)
    wanted[typed] = rules.type[batch.signal[typed]]
    differs = typed & (wanted != batch.type) & (batch.type != ValueType.NULL)
    scaled = rules.where(rules.scaled, batch)  # scaling has made these Double on purpose
    differs &= ~scaled
    if not differs.any():
        return batch
    bits, types, status = batch.bits.copy(), batch.type.copy(), batch.status.copy()
    for code in np.unique(wanted[differs]).tolist():
        rows = np.flatnonzero(differs & (wanted == code))
        cast, fault = _cast(batch.take(rows), code)
        fine = fault == 0
        bits[rows[fine]] = cast[fine]
        types[rows[fine]] = code
        # A bad status of the source's own says more than ours.
        status[rows] = np.where(fine | (status[rows] >= BAD), status[rows], fault)
    return batch.replace(bits=bits, type=types, status=status)


def _cast(rows: Batch, code: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """Bits of ``rows`` as type ``code`` and, per row, 0 or the status that says why not."""
    fault = np.where(is_in(rows.type, frozenset(NUMERIC)), 0, BAD_TYPE_MISMATCH).astype(np.uint32)
    numbers = rows.numbers()
    if code in FLOATS:
        with np.errstate(invalid="ignore"):
            inexact = ~is_in(rows.type, FLOATS) & (numbers.astype(np.int64) != rows.bits)
        fault[(fault == 0) & inexact] = BAD_OUT_OF_RANGE
        return numbers.view(np.int64), fault
    if code not in INTEGERS and code != ValueType.BOOLEAN:
        return rows.bits, np.full(len(rows), BAD_TYPE_MISMATCH, dtype=np.uint32)
    return _cast_to_integer(rows, numbers, code, fault)


def _cast_to_integer(
    rows: Batch, numbers: npt.NDArray[np.float64], code: int, fault: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    low, high = RANGES[code]
    floats = is_in(rows.type, FLOATS)
    with np.errstate(invalid="ignore"):
        fraction = floats & (numbers != np.trunc(numbers))
        outside = (numbers < low) | (numbers > high) | (floats & (np.abs(numbers) > _WHOLE))
    if code != ValueType.UINT64:
        outside |= (rows.type == ValueType.UINT64) & (rows.bits < 0)  # as a double, 2^63 is not above Int64's
    fault[(fault == 0) & fraction] = BAD_TYPE_MISMATCH
    fault[(fault == 0) & outside] = BAD_OUT_OF_RANGE
    whole = np.where(floats & (fault == 0), numbers, 0.0).astype(np.int64)
    return np.where(floats, whole, rows.bits), fault
