"""A destination's small document that outlives restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from weft.runtime import get_logger
from weft.runtime.files import write_private

__all__ = ["Memory"]

log = get_logger(__name__)


class Memory:
    def __init__(self, folder: Path) -> None:
        self._file = folder / "memory.msgpack"

    def recall(self) -> dict[str, Any]:
        """What was remembered last; nothing when the file is not readable."""
        try:
            return msgspec.msgpack.decode(self._file.read_bytes(), type=dict[str, Any])
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, msgspec.MsgspecError) as error:  # ValueError: no UTF-8
            log.warning("a destination's memory cannot be read", file=str(self._file), because=str(error))
            return {}

    def remember(self, data: dict[str, Any]) -> None:
        """Safe on disk when it returns."""
        try:
            write_private(self._file, msgspec.msgpack.encode(data))
        except OSError as error:
            log.warning("a destination cannot remember", file=str(self._file), because=str(error))
