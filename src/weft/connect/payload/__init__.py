"""Payloads that several connectors read: JSON and plain text, values by path, times, types."""

from weft.connect.payload.moment import TimeUnit
from weft.connect.payload.reading import Payload, Reading, Target, target_of

__all__ = ["Payload", "Reading", "Target", "TimeUnit", "target_of"]
