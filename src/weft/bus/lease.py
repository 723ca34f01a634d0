"""A lease: of several processes that want the same work, one has it, and knows until when for sure.

The lease is a note at the bus. Its holder renews it; who waits sees it renewed, and takes it once it has not been for
its whole time, counted by the waiting one's own clock from the moment it saw the last renewal. So no other term
begins before the end of the last one that was confirmed, whatever the clocks say and however long anybody was frozen:
what was done before that end was done by the holder alone. A holder that cannot reach the bus goes on, for then
nobody else can take the lease either, or it will be told; but what it does meanwhile is not confirmed yet.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import msgspec

from weft.bus.api import Bus, Note
from weft.runtime import Clock, Conflict, Retry, describe, get_logger

__all__ = ["Lease", "Term"]

log = get_logger(__name__)

SECONDS: Final = 2.5  # how long a renewal is good for
RENEW: Final = 0.5
LOOK: Final = 0.25
MARGIN: Final = 0.1
FAREWELL: Final = 0.3
MOST_TERMS: Final = 64


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    """What the note says; no ``holder`` is a lease that was given back. ``start`` is the term's, by the holder's
    clock; ``idle`` how many seconds before giving it back the work had ended."""

    holder: str = ""
    life: str = ""
    start: int = 0
    idle: float = 0.0
    seconds: float = SECONDS


class Term(msgspec.Struct):
    """A time in which the lease was held, ns UTC of the holder's own clock, confirmed up to ``until``."""

    start: int
    until: int


class Lease:
    """``own`` is this process' bus, where its terms are remembered over restarts; ``bus`` the one that all share.
    ``turned`` is awaited with the role and the reason when it changes: True is active. ``vacant`` is since when
    nobody may have worked before this term (ns UTC of the shared bus), 0 when nobody did."""

    def __init__(
        self,
        bus: Bus,
        own: Bus,
        name: str,
        holder: str,
        *,
        clock: Clock,
        turned: Callable[[bool, str], Awaitable[None]],
        seconds: float = SECONDS,
    ) -> None:
        self.active = False
        self.holder = ""
        self.vacant = 0
        self._bus = bus
        self._own = own
        self._name = f"lease/{name}"
        self._memory = f"terms/{name}/{holder}"
        self._me = _Held(holder=holder, life=secrets.token_hex(8), seconds=seconds)
        self._clock = clock
        self._turned = turned
        self._terms: list[Term] = []
        self._revision = 0
        self._seen: tuple[int, float] = (-1, 0.0)  # a revision and when it was seen first, monotonic
        self._known = False  # whether the shared note was looked at in this life

    def confirms(self, time: int) -> bool | None:
        """Whether what happened at a time (ns UTC, own clock) happened while this process alone had the lease; None
        while that is open."""
        if any(term.start <= time <= term.until for term in self._terms):
            return True
        if not self._known or (self.active and self._terms and time > self._terms[-1].until):
            return None
        return False

    async def run(self) -> None:
        """Holds the lease, or waits for it, until cancelled; then gives it back."""
        await self._recall()
        try:
            while True:
                try:
                    await (self._renew() if self.active else self._watch())
                except Retry as error:
                    log.debug("the lease cannot be seen", lease=self._name, reason=describe(error))
                await self._clock.sleep(RENEW if self.active else LOOK)
        finally:
            with anyio.move_on_after(5, shield=True):
                await self._give_back()

    # --- active -------------------------------------------------------------------------------------------

    async def _renew(self) -> None:
        monotonic, begun = self._clock.monotonic(), self._clock.now()
        try:
            self._revision = await self._bus.write_note(
                self._name, msgspec.json.encode(self._me), revision=self._revision
            )
        except Conflict:
            await self._compare()
            return
        # A clock that was set back meanwhile must not confirm more than has passed.
        passed = int((self._clock.monotonic() - monotonic) * 1e9)
        begun = min(begun, self._clock.now() - passed)
        self._terms[-1].until = max(self._terms[-1].until, begun + int(self._me.seconds * 1e9))
        await self._remember()

    async def _compare(self) -> None:
        """Somebody wrote: we ourselves, when an answer was lost, or another who took the lease."""
        note = await self._bus.note(self._name)
        held = _read(note)
        if note is not None and held.life == self._me.life:
            self._revision = note.revision
            return
        self.active = False
        self.holder = held.holder
        log.warning("the lease went to another", lease=self._name, holder=held.holder)
        await self._turned(False, f"{held.holder or 'another gateway'} took over")

    async def _give_back(self) -> None:
        if not self.active:
            return
        self.active = False
        begun = self._clock.monotonic()
        await self._turned(False, "stopped")
        await anyio.sleep(FAREWELL)  # what was measured last is stored meanwhile, still in this term
        self._terms[-1].until = min(self._terms[-1].until, self._clock.now())
        try:
            await self._remember()
            free = _Held(idle=self._clock.monotonic() - begun)
            await self._bus.write_note(self._name, msgspec.json.encode(free), revision=self._revision)
        except (Retry, Conflict) as error:
            log.warning("the lease was not given back", lease=self._name, reason=describe(error))

    # --- standing by --------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        note = await self._bus.note(self._name)
        held = _read(note)
        revision = note.revision if note else 0
        now = self._clock.monotonic()
        if revision != self._seen[0]:
            self._seen = (revision, now)
        first, self._known = not self._known, True
        self.holder = held.holder
        # Our own earlier life is over: its state folder is locked by us.
        free = not held.holder or held.holder == self._me.holder
        if free or now - self._seen[1] > held.seconds + MARGIN:
            await self._take(note, held)
        elif first:
            await self._turned(False, f"{held.holder} is active")

    async def _take(self, note: Note | None, held: _Held) -> None:
        begun = self._clock.now()
        revision = note.revision if note else 0
        # A lease that is in our name already, from an earlier life or because an answer was lost, goes on: nobody
        # came between.
        self._me = msgspec.structs.replace(
            self._me, start=held.start if held.holder == self._me.holder else begun
        )
        try:
            self._revision = await self._bus.write_note(
                self._name, msgspec.json.encode(self._me), revision=revision
            )
        except Conflict:
            return  # another was faster
        until = begun + int(self._me.seconds * 1e9)
        if self._terms and self._terms[-1].start == self._me.start:
            self._terms[-1].until = until
        else:
            self._terms = [*self._terms[1 - MOST_TERMS :], Term(self._me.start, until)]
        await self._remember()
        self.active = True
        self.holder = self._me.holder
        self.vacant = note.time - int(held.idle * 1e9) if note else 0
        why = f"{held.holder} was silent" if held.holder not in {"", self._me.holder} else "nobody was active"
        await self._turned(True, why)

    # --- memory -------------------------------------------------------------------------------------------

    async def _recall(self) -> None:
        while True:
            try:
                note = await self._own.note(self._memory)
            except Retry:
                await self._clock.sleep(LOOK)
            else:
                break
        if note is not None:
            self._terms = msgspec.json.decode(note.body, type=list[Term])

    async def _remember(self) -> None:
        try:
            await self._own.write_note(self._memory, msgspec.json.encode(self._terms))
        except Retry as error:
            log.debug("a term is not remembered yet", reason=describe(error))


def _read(note: Note | None) -> _Held:
    if note is None:
        return _Held()
    try:
        return msgspec.json.decode(note.body, type=_Held)
    except msgspec.MsgspecError:
        return _Held()
