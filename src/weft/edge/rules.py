"""What the plant says about each signal, as columns indexed by handle: one look-up per batch, none per sample."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from weft.model import Batch, Signal
from weft.model.values import INTEGERS

__all__ = ["Rules"]


class Rules:
    """Tables over handles 0..n-1. A handle that is not in the plant has the neutral row.

    scale, offset  value = raw * scale + offset (float64)
    deadband       in the signal's unit, 0 keeps every sample (float64)
    silence        ns, 0 is none (int64)
    type           the type the plant asks for, 0 is as the source says (uint8)
    deviation      of the swinging door, in the signal's unit, 0 keeps every sample (float64)
    minimum        and maximum: what the instrument can measure, infinite for none (float64)
    rate           the fastest believable change in the unit per ns, infinite for none (float64)
    stuck          the longest believable time without a change, ns, 0 is none (int64)
    states         per handle: state's name -> number
    sources        per handle: the connection
    """

    def __init__(self, signals: Iterable[Signal] = ()) -> None:
        listed = list(signals)
        n = max((signal.handle for signal in listed), default=-1) + 1
        self.paths: list[str] = [""] * n
        self.scale = np.ones(n)
        self.offset = np.zeros(n)
        self.deadband = np.zeros(n)
        self.silence = np.zeros(n, dtype=np.int64)
        self.type = np.zeros(n, dtype=np.uint8)
        self.deviation = np.zeros(n)
        self.minimum = np.full(n, -np.inf)
        self.maximum = np.full(n, np.inf)
        self.rate = np.full(n, np.inf)
        self.stuck = np.zeros(n, dtype=np.int64)
        self.sources: list[str] = [""] * n
        self.states: dict[int, dict[str, int]] = {}
        for signal in listed:
            self._add(signal)
        self.scaled = (self.scale != 1.0) | (self.offset != 0.0)
        self.typed = self.type != 0
        self.sieved = self.deadband > 0.0
        self.thinned = self.deviation > 0.0
        self.limited = np.isfinite(self.minimum) | np.isfinite(self.maximum)
        self.believed = np.isfinite(self.rate) | (self.stuck > 0)
        self.enumerated = np.zeros(n, dtype=np.bool_)
        self.enumerated[list(self.states)] = True

    def __len__(self) -> int:
        return len(self.scale)

    def known(self, handles: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Which handles (n) have a row here."""
        return (handles >= 0) & (handles < len(self))

    def where(self, table: npt.NDArray[np.bool_], batch: Batch) -> npt.NDArray[np.bool_]:
        """Which rows (n) of a batch have a signal marked in ``table``."""
        if not table.any():  # most plants use few of the rules
            return np.zeros(len(batch), dtype=np.bool_)
        known = self.known(batch.signal)
        if known.all():
            return table[batch.signal]
        mask = np.zeros(len(batch), dtype=np.bool_)
        mask[known] = table[batch.signal[known]]
        return mask

    def _add(self, signal: Signal) -> None:
        handle = signal.handle
        self.paths[handle] = signal.path
        self.scale[handle] = signal.scale
        self.offset[handle] = signal.offset
        self.deadband[handle] = signal.deadband
        self.silence[handle] = round((signal.silence or 0.0) * 1e9)
        self.type[handle] = signal.type or 0
        self.deviation[handle] = signal.deviation
        self.minimum[handle] = _else(signal.limits.minimum, -np.inf)
        self.maximum[handle] = _else(signal.limits.maximum, np.inf)
        self.rate[handle] = _else(signal.rate, np.inf) / 1e9
        self.stuck[handle] = round((signal.stuck or 0.0) * 1e9)
        self.sources[handle] = signal.connection
        if signal.states and signal.type is not None and signal.type in INTEGERS:
            self.states[handle] = {name: number for number, name in signal.states.items()}


def _else(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
