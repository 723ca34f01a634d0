"""Running things: supervision, plug-ins, settings, errors, clock, logs, metrics."""

from weft.runtime import metrics, plugins
from weft.runtime.clock import Clock, SystemClock
from weft.runtime.errors import Conflict, Denied, Invalid, NeedsHuman, NotFound, Retry, WeftError
from weft.runtime.log import configure as configure_log
from weft.runtime.log import get_logger
from weft.runtime.service import Backoff, Floor, Ready, Service, State, Supervisor, describe

__all__ = [
    "Backoff",
    "Clock",
    "Conflict",
    "Denied",
    "Floor",
    "Invalid",
    "NeedsHuman",
    "NotFound",
    "Ready",
    "Retry",
    "Service",
    "State",
    "Supervisor",
    "SystemClock",
    "WeftError",
    "configure_log",
    "describe",
    "get_logger",
    "metrics",
    "plugins",
]
