"""Structured logs: one line per thing that happened, for people on a terminal and as JSON elsewhere.

Values under names that look like secrets are replaced before anything is written.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

__all__ = ["configure", "get_logger"]

_SECRET: Final = re.compile(r"password|passwd|secret|token|credential|private|api_?key|authorization", re.I)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hides what must not be read in a log."""
    for key in event:
        if _SECRET.search(key):
            event[key] = "***"
    return event


def configure(*, level: str = "info", json: bool | None = None) -> None:
    """Logs to standard error; JSON unless a person is looking."""
    as_json = not sys.stderr.isatty() if json is None else json
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries speak through the standard logger; what they say below a warning is about their own insides.
    logging.basicConfig(level=max(number, logging.WARNING), format="%(name)s: %(message)s")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a module: ``log.info("what happened", key=value)``."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(module=name)
    return logger
