"""Values that are whole numbers times a power of ten, where the power may stand in a register of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from weft.connect.modbus.place import KINDS, Place
from weft.model import ValueType
from weft.model.quality import BAD_CONFIGURATION_ERROR

__all__ = ["MOST_POWER", "Scale"]

MOST_POWER: Final = 10  # SunSpec's sunssf goes from -10 to 10
_ABSENT: Final = -1


class Scale:
    """The rows of a layout that are scaled. Up to ten powers of ten are exact in a double, and so is the division
    by one: the result is the double that is nearest to the decimal number meant."""

    def __init__(self, places: Sequence[Place], factors: Mapping[tuple[int, str, int], int]) -> None:
        rows = [row for row, place in enumerate(places) if place.scaled]
        chosen = [places[row] for row in rows]
        at = [
            _ABSENT if p.factor is None else factors.get((p.unit, p.table, p.factor), _ABSENT) for p in chosen
        ]
        self._rows = np.array(rows, dtype=np.intp)
        self._exponent = np.array([p.exponent for p in chosen], dtype=np.int64)
        self._multiple = np.array([p.multiple for p in chosen], dtype=np.float64)
        self._float = np.array([KINDS[p.kind].code[:1] == "f" for p in chosen], dtype=np.bool_)
        self._unsigned = np.array([KINDS[p.kind].code == "u8" for p in chosen], dtype=np.bool_)
        self._with = np.array([p.factor is not None for p in chosen], dtype=np.bool_)
        self._at = np.array(at, dtype=np.intp)

    def apply(
        self,
        buffer: npt.NDArray[np.uint8],
        types: npt.NDArray[np.uint8],
        bits: npt.NDArray[np.int64],
        status: npt.NDArray[np.uint32],
    ) -> None:
        """Turns the raw values in ``bits`` into doubles, in place. A value whose power is not there or cannot be
        is null with BadConfigurationError; one that is null already stays so."""
        if not len(self._rows):
            return
        rows = self._rows
        power = np.where(self._with, self._powers(buffer), self._exponent)
        lost = ((np.abs(power) > MOST_POWER) & self._with) & (status[rows] == 0)
        raw = bits[rows]
        numbers = np.where(self._float, raw.view(np.float64), raw.astype(np.float64))
        numbers = np.where(self._unsigned, raw.view(np.uint64).astype(np.float64), numbers) * self._multiple
        power = np.where(np.abs(power) > MOST_POWER, np.where(self._with, 0, power), power)
        scaled = np.where(
            power >= 0, numbers * 10.0 ** np.maximum(power, 0), numbers / 10.0 ** -np.minimum(power, 0)
        )
        good = status[rows] == 0
        bits[rows[good]] = scaled[good].view(np.int64)
        status[rows[lost]] = BAD_CONFIGURATION_ERROR
        bits[rows[lost]] = 0
        types[rows[lost]] = ValueType.NULL

    def _powers(self, buffer: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        pairs = buffer[np.maximum(self._at, 0)[:, None] + np.array([0, 1])]
        powers = np.ascontiguousarray(pairs).view(">i2")[:, 0].astype(np.int64)
        return np.where(self._at == _ABSENT, MOST_POWER + 1, powers)
