"""What was commanded: each id once, with what came of it; and what waits for a second person."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

import anyio

from weft.edge.guard import Refused
from weft.model import Command, Outcome
from weft.model.quality import BAD_INVALID_ARGUMENT, BAD_REQUEST_NOT_ALLOWED, BAD_RESOURCE_UNAVAILABLE

__all__ = ["Entry", "Ledger", "Pace", "Waiting"]

MOST: Final = 10_000
MOST_WAITING: Final = 1_000
APPROVAL: Final = 300.0  # seconds for a second person
MINUTE: Final = 60.0


class Entry:
    """One id: what exactly was commanded, and the outcome once there is one."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self.outcome: Outcome | None = None
        self.settled = anyio.Event()

    def settle(self, outcome: Outcome | None) -> None:
        self.outcome = outcome
        self.settled.set()


class Ledger:
    """The newest ids; the oldest that are settled are forgotten first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def open(self, id: str, digest: str) -> tuple[Entry, bool]:
        """The entry of an id, and whether it is new. Raises Refused when the id was another command's."""
        entry = self._entries.get(id)
        if entry is not None:
            if entry.digest != digest:
                raise Refused(BAD_INVALID_ARGUMENT, f"The id {id} was given to another command.")
            return entry, False
        entry = self._entries[id] = Entry(digest)
        while len(self._entries) > MOST and next(iter(self._entries.values())).settled.is_set():
            self._entries.popitem(last=False)
        return entry, True

    def forget(self, id: str) -> None:
        """Nothing was sent and nothing decided: the same id may come again."""
        self._entries.pop(id, None)


class Waiting:
    """Critical commands that wait for a second person, each bound to the hash of exactly what was asked."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, tuple[Command, str, float]] = OrderedDict()

    def put(self, command: Command, digest: str, now: float) -> None:
        self._waiting[command.id] = (command, digest, now + APPROVAL)
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)

    def find(self, id: str, digest: str, actor: str, now: float) -> Command:
        """The command that ``actor`` approves. Raises Refused; in either case it goes on waiting."""
        found = self._waiting.get(id)
        if found is None or now > found[2]:
            self._waiting.pop(id, None)
            raise Refused(
                BAD_REQUEST_NOT_ALLOWED, f"No command {id} waits for approval, or its time is over."
            )
        command, known, _ = found
        if known != digest:
            raise Refused(BAD_REQUEST_NOT_ALLOWED, "What was approved is not what waits: the hash differs.")
        if actor.strip().casefold() == command.actor.strip().casefold():
            raise Refused(BAD_REQUEST_NOT_ALLOWED, "Who asked for it cannot approve it.")
        return command

    def remove(self, id: str) -> None:
        """It is approved."""
        del self._waiting[id]


class Pace:
    """At most so many in a minute for each name."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, name: str, now: float) -> None:
        """Counts one. Raises Refused when it is one too many."""
        times = self._times.setdefault(name, deque())
        self._times.move_to_end(name)
        while len(self._times) > MOST:
            self._times.popitem(last=False)
        while times and now - times[0] >= MINUTE:
            times.popleft()
        if len(times) >= self._most:
            raise Refused(
                BAD_RESOURCE_UNAVAILABLE, f"{name} has commanded {self._most} times within a minute already."
            )
        times.append(now)
