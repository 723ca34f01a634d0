"""How far a destination has come, kept over crashes: what is settled in a note of the bus, where the stream lies;
what was given out and is not settled in a file beside it, so that it is given again under the same ids."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from weft.bus import Bus
from weft.destinations.progress import Range
from weft.runtime import get_logger

__all__ = ["Open", "Plan", "Position", "read_position", "write_position"]

log = get_logger(__name__)

NAMES: Final = "destination"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """``created`` tells the life of the stream; ``time`` is when the bus took the newest settled message, ns UTC;
    ``oldest`` the same of the message before the first hole; ``density`` is samples per message, about."""

    created: str = ""
    ranges: tuple[Range, ...] = ()
    time: int = 0
    oldest: int = 0
    density: float = 0.0
    samples: int = 0


class Open(msgspec.Struct, frozen=True):
    """A delivery that was given out."""

    range: Range
    live: bool


async def read_position(bus: Bus, name: str) -> Position | None:
    """None for a destination that is new. Raises Retry."""
    note = await bus.note(f"{NAMES}/{name}")
    if note is None:
        return None
    try:
        return msgspec.msgpack.decode(note.body, type=Position)
    except (ValueError, msgspec.MsgspecError) as error:  # ValueError: no UTF-8
        log.warning("a destination's position cannot be read", destination=name, because=str(error))
        return None


async def write_position(bus: Bus, name: str, position: Position) -> None:
    """Raises Retry."""
    await bus.write_note(f"{NAMES}/{name}", msgspec.msgpack.encode(position))


class Plan:
    """The deliveries that are out, in the order in which they were given. The file survives a crash of Weft, not
    a power cut: then what was out comes again under other ids."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "out.msgpack"
        self.out: list[Open] = self._read()

    def add(self, one: Open) -> None:
        self.out.append(one)
        self._write()

    def remove(self, range: Range) -> None:
        self.out = [one for one in self.out if one.range != range]

    def clear(self) -> None:
        self.out = []
        self._write()

    def _read(self) -> list[Open]:
        try:
            return msgspec.msgpack.decode(self._file.read_bytes(), type=list[Open])
        except FileNotFoundError:
            return []
        except (OSError, ValueError, msgspec.MsgspecError) as error:  # ValueError: no UTF-8
            log.warning("a destination's plan cannot be read", file=str(self._file), because=str(error))
            return []

    def _write(self) -> None:
        # No fsync: it would cost as much as the delivery, and only the ids depend on it.
        try:
            partial = self._file.with_suffix(".new")
            partial.write_bytes(msgspec.msgpack.encode(self.out))
            partial.replace(self._file)
        except OSError as error:
            log.warning("a destination's plan cannot be written", file=str(self._file), because=str(error))
