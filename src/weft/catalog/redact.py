"""A connection's configuration as people and APIs may see it: without its secrets."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

__all__ = ["HIDDEN", "redacted"]

HIDDEN: Final = "***"

_SECRET: Final = re.compile(
    r"passw|passphrase|secret|token|credential|private|(^|[_-])(api)?key([_-]|$)|(^|_)pin$", re.I
)
_USERINFO: Final = re.compile(r"(?<=://)([^/@:\s]*):[^/@\s]*@")


def redacted(config: Any) -> Any:
    """``config`` (a Struct or plain data) as plain data; filled fields with a secret's name and passwords
    within URLs are replaced by ``***``."""
    return _clean(msgspec.to_builtins(config))


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _hidden(inner) if _SECRET.search(str(key)) else _clean(inner) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    return _USERINFO.sub(rf"\1:{HIDDEN}@", value) if isinstance(value, str) else value


def _hidden(value: Any) -> Any:
    return HIDDEN if value and not isinstance(value, bool) else value  # whether one is set is no secret
