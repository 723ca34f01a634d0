"""A table as TOML text: what a connection's file needs, no more."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["table"]


def table(name: str, data: Mapping[str, Any]) -> str:
    """``[name]`` with its keys; inner tables are written inline."""
    lines = [f"[{_key(name)}]", *(f"{_key(key)} = {_value(value)}" for key, value in data.items())]
    return "\n".join(lines) + "\n"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(str(key))} = {_value(entry)}" for key, entry in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_value, value))}]"
    return _text(str(value))


def _text(text: str) -> str:
    # JSON's escapes are those of a TOML text.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
