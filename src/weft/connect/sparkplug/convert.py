"""Plain metrics' numbers to a batch's, a column at a time."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from weft.model import ValueType
from weft.model.quality import BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH
from weft.sparkplug.datatype import FLOATING, SIGNED, WIDTH, DataType, Field
from weft.sparkplug.kinds import EPOCH, type_of

__all__ = ["PLAIN", "numbers"]

Unsigned: TypeAlias = npt.NDArray[np.uint64]
Checked: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]

PLAIN: Final = frozenset({*WIDTH, *FLOATING, DataType.BOOLEAN})
"""Datatypes whose values are numbers."""

_LATEST: Final = np.uint64((2**63 - 1 - EPOCH) // 10_000)


def numbers(datatype: int, field: npt.NDArray[np.uint8], raw: Unsigned) -> Checked:
    """``(bits, status)`` of a batch for metrics of one datatype; a status that is not 0 says why there is none."""
    if datatype in FLOATING:
        return raw.view(np.int64), _unless(
            (field == Field.FLOAT) | (field == Field.DOUBLE), BAD_TYPE_MISMATCH
        )
    integer = (field == Field.INT) | (field == Field.LONG)
    if datatype == DataType.BOOLEAN:
        fits = (field == Field.BOOLEAN) | integer & (raw < 2)
        return raw.view(np.int64), _unless(fits, BAD_TYPE_MISMATCH)
    bits, within = _integers(datatype, raw)
    status = _unless(within, BAD_OUT_OF_RANGE)
    status[~integer] = BAD_TYPE_MISMATCH
    return bits, status


def _integers(datatype: int, raw: Unsigned) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """The numbers, and which of them the type can hold. As :func:`weft.sparkplug.value.integer` for one."""
    if datatype == DataType.DATETIME:
        within = raw <= _LATEST
        return np.where(within, raw * np.uint64(10_000) + np.uint64(EPOCH), 0).view(np.int64), within
    width = WIDTH[DataType(datatype)]
    if width == 64:
        return raw.view(np.int64), np.ones(len(raw), np.bool_)
    high = raw >> np.uint64(width)
    if datatype not in SIGNED:
        return raw.view(np.int64), high == 0
    unused = np.int64(64 - width)
    bits = raw.view(np.int64) << unused >> unused
    within = high == 0
    for wide in (16, 32, 64):
        if wide >= width:
            within |= (bits < 0) & (high == np.uint64((1 << wide - width) - 1))
    return bits, within


def _unless(fine: npt.NDArray[np.bool_], status: int) -> npt.NDArray[np.uint32]:
    return np.where(fine, 0, status).astype(np.uint32)


def is_plain(datatype: int, kind: int) -> bool:
    """Whether metrics of this declaration can be read in columns."""
    return datatype in PLAIN and (kind == type_of(datatype) or kind == ValueType.STATUSCODE)
