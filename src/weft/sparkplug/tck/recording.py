"""A recorded session: what MQTT clients sent, in the order of the broker's taking it. One JSON object on each line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec

from weft.runtime import Invalid

__all__ = ["Entry", "Kind", "read_recording", "write_recording"]

MOST: Final = 1_000_000  # entries of a file that are read

Kind = Literal["connect", "publish", "subscribe", "disconnect", "lost"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that a client did. ``time`` in ns UTC. ``client`` is empty when the recorder only subscribed: then
    there are ``publish`` entries alone, and ``retain`` is None where the broker did not pass the flag on.

    A connect's ``topic``, ``payload``, ``qos`` and ``retain`` are its will's, an empty topic is none; ``version`` is
    4 (MQTT 3.1.1) or 5, ``expiry`` MQTT 5.0's session expiry in seconds. A subscribe's filters are ``filters``, with
    ``qos`` the lowest asked for. A disconnect's ``reason`` is MQTT 5.0's; ``lost`` is an end without one."""

    time: int
    kind: Kind = "publish"
    client: str = ""
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    retain: bool | None = None
    clean: bool = False
    version: int = 4
    expiry: int = 0
    filters: tuple[str, ...] = ()
    reason: int = 0


def write_recording(path: Path, entries: Iterable[Entry]) -> None:
    with path.open("wb") as file:
        for entry in entries:
            file.write(msgspec.json.encode(entry) + b"\n")


def read_recording(path: Path) -> list[Entry]:
    """Raises Invalid, naming the line."""
    entries: list[Entry] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if number > MOST:
                    raise Invalid(f"{path} has more than {MOST:,} lines.")
                if line.strip():
                    entries.append(_entry(path, number, line))
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error
    return entries


def _entry(path: Path, number: int, line: bytes) -> Entry:
    try:
        return msgspec.json.decode(line, type=Entry)
    except msgspec.MsgspecError as error:
        raise Invalid(f"{path}, line {number}: {error}.") from error
