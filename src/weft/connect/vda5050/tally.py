"""What no signal took or could read, counted by reason: nothing disappears silently."""

from __future__ import annotations

from collections import Counter

from weft.runtime import get_logger, metrics

__all__ = ["Tally"]

log = get_logger(__name__)

_passed = metrics.counter(
    "vda5050_passed_over", "Messages of carts that were passed over", "connection", "reason"
)


class Tally:
    """Counts for the metrics; people are told each reason once per connection."""

    def __init__(self, connection: str) -> None:
        self.counts: Counter[str] = Counter()
        self._connection = connection

    def add(self, reason: str, number: int = 1) -> None:
        if reason not in self.counts:
            log.warning("messages of carts passed over", connection=self._connection, reason=reason)
        self.counts[reason] += number
        _passed.labels(self._connection, reason).inc(number)
