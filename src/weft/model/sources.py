"""Names of what publishes samples beside the plant's connections: no connection can be called so."""

from __future__ import annotations

from typing import Final

__all__ = ["DERIVED", "HEALTH", "OWN", "SILENCE"]

DERIVED: Final = "derived"  # signals that are computed from others
HEALTH: Final = "health"  # what Weft measures of itself, its host and its connections' clocks
SILENCE: Final = "_silence"  # the last value again of signals that have been silent for too long

OWN: Final = frozenset({DERIVED, HEALTH, SILENCE})
