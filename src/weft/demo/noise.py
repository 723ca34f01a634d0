"""Measuring noise that depends only on the seed, the step and the channel, so that it costs nothing until
somebody looks, and looking twice shows the same."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Final

__all__ = ["Noise"]

_SIZE: Final = 1 << 14


@lru_cache(maxsize=8)
def _table(seed: str) -> tuple[float, ...]:
    source = Random(seed)  # noqa: S311  # a simulation, no secret
    return tuple(max(-4.0, min(4.0, source.gauss(0.0, 1.0))) for _ in range(_SIZE))


class Noise:
    """``noise(step, channel)`` is normal with mean 0 and deviation 1, cut at 4."""

    def __init__(self, seed: str) -> None:
        self._values = _table(seed)

    def __call__(self, step: int, channel: int) -> float:
        # Mixed rather than counted through the table: else one channel would be another one, shifted.
        mix = (step * 0x9E3779B1 ^ channel * 0x85EBCA6B) & 0xFFFFFFFF
        mix = (mix ^ mix >> 15) * 0x2C1B3C6D & 0xFFFFFFFF
        return self._values[(mix ^ mix >> 12) & _SIZE - 1]
