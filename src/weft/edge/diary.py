"""What local logic did while the bus was away, safe on disk until the bus has it: an appended file of events, fsynced
line by line and read again after a restart."""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import anyio

from weft.bus import Bus, Draft, events_subject
from weft.model import Event
from weft.model.wire import BadWire, decode, encode
from weft.runtime import Clock, NotFound, Ready, Retry, get_logger
from weft.runtime.files import sync_folder

__all__ = ["LARGEST", "Diary"]

log = get_logger(__name__)

LARGEST: Final = 16 << 20  # bytes; weeks of a rule that acts every minute
AT_ONCE: Final = 200
LOOK: Final = 0.5  # seconds
_HEAD: Final = struct.Struct("<II")  # length and CRC-32 of what follows


class Diary:
    """``file`` is its own; its folder is made with the first entry. ``away`` says whether the bus is."""

    def __init__(self, file: Path, *, away: Callable[[], bool]) -> None:
        self._file = file
        self._away = away
        self._lock = threading.Lock()
        self._holds = file.exists()
        self._whole = not self._holds  # no power cut has torn its end

    @property
    def holds(self) -> bool:
        """Whether something waits for the bus."""
        return self._holds

    async def write(self, event: Event) -> bool:
        """Whether it is safe on disk; False when the bus is there, when the disk does not take it, or when it would
        be too much."""
        if not self._away():
            return False
        try:
            await anyio.to_thread.run_sync(self._append, encode(event))
        except (OSError, ValueError, TypeError, OverflowError, RecursionError) as error:
            log.warning(
                "the diary of local logic cannot be written", file=str(self._file), because=str(error)
            )
            return False
        return True

    async def run(self, bus: Bus, clock: Clock, ready: Ready) -> None:
        """Gives the bus what it missed, until cancelled; what it has already it recognises by its id."""
        ready()
        while True:
            if self._holds and not self._away():
                await self._replay(bus)
            await clock.sleep(LOOK)

    async def _replay(self, bus: Bus) -> None:
        data = await anyio.to_thread.run_sync(self._read)
        events, _ = _entries(data)
        try:
            for start in range(0, len(events), AT_ONCE):
                await _publish(bus, events[start : start + AT_ONCE])
        except (Retry, NotFound) as error:
            log.debug("the diary waits for the bus", because=str(error))
            return
        await anyio.to_thread.run_sync(self._forget, len(data))
        log.info("the bus has what local logic did without it", events=len(events))

    # --- the file, in threads ---------------------------------------------------------------------------------

    def _append(self, body: bytes) -> None:
        with self._lock:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = not self._file.exists()
            if not self._whole:
                os.truncate(self._file, _entries(self._file.read_bytes())[1])  # what follows must be found
                self._whole = True
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                if file.tell() + len(body) > LARGEST:
                    raise OSError(f"it has {LARGEST:,} bytes already")
                file.write(_HEAD.pack(len(body), zlib.crc32(body)) + body)
                file.flush()
                os.fsync(file.fileno())
            if new:
                sync_folder(self._file.parent)
            self._holds = True

    def _read(self) -> bytes:
        with self._lock:
            try:
                return self._file.read_bytes()
            except OSError as error:
                log.warning(
                    "the diary of local logic cannot be read", file=str(self._file), because=str(error)
                )
                return b""

    def _forget(self, size: int) -> None:
        """Unless more was written since: then all of it is given again, and recognised."""
        with self._lock:
            if self._file.exists() and self._file.stat().st_size == size:
                self._file.unlink()
                sync_folder(self._file.parent)
            self._holds = self._file.exists()


def _entries(data: bytes) -> tuple[list[Event], int]:
    """Every whole entry, and where they end: what follows a power cut has torn."""
    found: list[Event] = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, check = _HEAD.unpack_from(data, at)
        body = data[at + _HEAD.size : at + _HEAD.size + length]
        if len(body) < length or zlib.crc32(body) != check:
            break
        at += _HEAD.size + length
        try:
            event = decode(body)
        except BadWire as error:
            log.warning("an entry of the diary cannot be read", because=str(error))
            continue
        if isinstance(event, Event):
            found.append(event)
    return found, at


async def _publish(bus: Bus, events: Sequence[Event]) -> None:
    await bus.publish(*(Draft(events_subject(e.kind, e.source), e, e.id) for e in events))
