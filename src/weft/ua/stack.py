"""asyncua's vocabulary. Untyped on purpose: it is generated, and its aliases refuse the plain numbers that
its code takes."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import asyncua.ua

__all__ = ["NodeId", "ua"]

ua: Final[Any] = asyncua.ua
NodeId: TypeAlias = Any
