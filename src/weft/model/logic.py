"""Local logic: what the gateway itself does when a condition holds, without asking the plant's server."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

__all__ = ["Rule"]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """While ``when`` holds (for ``hold`` seconds without a break), and until ``until`` holds, or ``when`` no
    longer does, the rule is active. ``set`` is written when it becomes active, and again every ``every`` seconds
    (0: once); ``otherwise`` when it ceases. When an input has had no good value for ``watchdog`` seconds (0: never
    mind), ``safe`` is written. Targets are paths of signals, values are expressions. It acts at most
    ``per_minute`` times a minute; then it is halted, with ``safe`` written, for a minute."""

    name: str
    when: str
    until: str = ""
    hold: float = 0.0
    set: Mapping[str, str] = {}
    otherwise: Mapping[str, str] = {}
    every: float = 0.0
    watchdog: float = 0.0
    safe: Mapping[str, str] = {}
    per_minute: int = 30
    description: str = ""
    enabled: bool = True
