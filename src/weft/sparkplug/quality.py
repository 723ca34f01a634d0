"""Sparkplug's ``Quality`` property (Sparkplug 3.0, 6.4.8.1) and OPC UA's status codes."""

from __future__ import annotations

from typing import Final

from weft.model.quality import BAD, GOOD, UNCERTAIN, UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE

__all__ = ["QUALITY", "STATUS", "quality_of", "status_of"]

QUALITY: Final = "Quality"
STATUS: Final = "weft:status"  # all 32 bits, beside the Quality that every host knows

_BAD, _GOOD, _STALE = 0, 192, 500


def quality_of(status: int) -> int:
    """0 bad, 192 good, 500 stale: what is uncertain is no present value for others."""
    if status < UNCERTAIN:
        return _GOOD
    return _STALE if status < BAD else _BAD


def status_of(quality: int) -> int:
    """Beside Sparkplug's three: some hosts send OPC DA's quality byte (64 uncertain, 192 good, with substatus)."""
    if quality == _STALE:
        return UNCERTAIN_NO_COMMUNICATION_LAST_USABLE_VALUE
    if quality > 255 or quality < 64:
        return BAD
    return GOOD if quality >= _GOOD else UNCERTAIN if quality < 128 else BAD
