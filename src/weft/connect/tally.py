"""What no signal took or could read, counted by reason: nothing that the field sends disappears silently."""

from __future__ import annotations

from collections import Counter
from typing import Final

from weft.runtime import get_logger, metrics

__all__ = ["NO_SIGNAL", "NO_SIGNAL_FOR_ASSET", "Tally"]

log = get_logger(__name__)

NO_SIGNAL: Final = "no signal"
NO_SIGNAL_FOR_ASSET: Final = "no signal for asset"

_passed = metrics.counter(
    "passed_over", "What a source sent and no signal took or could read", "connection", "reason"
)


class Tally:
    """Counts for the metrics; people are told each reason once per connection, and not that a source sends more
    than the plant asks for."""

    def __init__(self, connection: str) -> None:
        self.counts: Counter[str] = Counter()
        self._connection = connection

    def add(self, reason: str, number: int = 1) -> None:
        """``reason`` may say more behind a colon: a label must not have a name for each byte that can be wrong."""
        kind = reason.partition(":")[0]
        if kind not in self.counts and not kind.startswith(NO_SIGNAL):
            log.warning("passed over", connection=self._connection, reason=reason)
        self.counts[kind] += number
        _passed.labels(self._connection, kind).inc(number)
