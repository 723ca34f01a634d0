"""What was passed over, counted by reason: nothing disappears silently."""

from __future__ import annotations

from collections import Counter

from weft.runtime import get_logger, metrics

__all__ = ["Tally"]

log = get_logger(__name__)

_passed = metrics.counter(
    "sparkplug_passed_over", "Sparkplug messages not read as sent", "connection", "reason"
)


class Tally:
    """Counts for the metrics; people are told each reason once per connection."""

    def __init__(self, connection: str) -> None:
        self.counts: Counter[str] = Counter()
        self._connection = connection

    def add(self, reason: str) -> None:
        kind = reason.partition(":")[0]  # a label must not have a name for each byte that can be wrong
        if kind not in self.counts:
            log.warning("Sparkplug messages not read", connection=self._connection, reason=reason)
        self.counts[kind] += 1
        _passed.labels(self._connection, kind).inc()
