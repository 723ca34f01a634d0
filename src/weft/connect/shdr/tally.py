"""What no signal took, counted by reason: nothing that an adapter sends disappears silently."""

from __future__ import annotations

from collections import Counter
from typing import Final

from weft.runtime import get_logger, metrics

__all__ = ["NO_SIGNAL", "NO_SIGNAL_FOR_ASSET", "Tally"]

log = get_logger(__name__)

NO_SIGNAL: Final = "no signal"
NO_SIGNAL_FOR_ASSET: Final = "no signal for asset"

_passed = metrics.counter("shdr_passed_over", "SHDR observations that no signal took", "connection", "reason")


class Tally:
    """Counts for the metrics; people are told each reason once per connection."""

    def __init__(self, connection: str) -> None:
        self.counts: Counter[str] = Counter()
        self._connection = connection

    def add(self, reason: str, number: int = 1) -> None:
        if reason not in self.counts and not reason.startswith(NO_SIGNAL):
            log.warning("SHDR lines passed over", connection=self._connection, reason=reason)
        self.counts[reason] += number
        _passed.labels(self._connection, reason).inc(number)
