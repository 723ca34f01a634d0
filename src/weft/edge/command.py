"""The way of a command, one for every door: guard rails, written intent, connector, read back, written result.

Nothing is sent that the plant's folder does not allow, and nothing without an intent that is written down first.
What was begun is carried to its end: a caller who goes away does not leave a write without a result.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

import anyio
import msgspec

from weft.bus import Bus
from weft.catalog import Plant
from weft.connect import Line, Point, Write
from weft.edge import guard
from weft.edge.diary import Diary
from weft.edge.fresh import Fresh, leaves
from weft.edge.guard import Refused
from weft.edge.latest import Latest
from weft.edge.ledger import APPROVAL, Ledger, Pace, Waiting
from weft.edge.record import Record
from weft.edge.turns import Turns
from weft.model import Batch, Call, Command, Event, Outcome, Signal
from weft.model.expression import BadExpression, Expression, parse
from weft.model.quality import (
    BAD_INVALID_STATE,
    BAD_NODE_ID_UNKNOWN,
    BAD_NOT_WRITABLE,
    BAD_REQUEST_NOT_ALLOWED,
    BAD_RESOURCE_UNAVAILABLE,
    BAD_TIMEOUT,
    BAD_UNEXPECTED_ERROR,
    BAD_USER_ACCESS_DENIED,
    UNCERTAIN,
    status_name,
)
from weft.runtime import Clock, Invalid, Retry, WeftError, get_logger

__all__ = ["LOGIC", "Commands", "Policy", "doors"]

log = get_logger(__name__)

_parsed = lru_cache(maxsize=1_024)(parse)

LOGIC: Final = "logic"  # the door of local logic

# Why this actor may not do that through this door; empty when they may.
Policy: TypeAlias = Callable[[Command | Call], str]


def doors(open: Sequence[str]) -> Policy:
    """Commands through these doors only, of whoever the door has let in."""

    def policy(command: Command | Call) -> str:
        return (
            "" if command.via in open else f"Commands through the door {command.via!r} are not allowed here."
        )

    return policy


class Commands:
    """Carries out commands, each id once.

    ``plant`` and ``lines`` are those of now; ``latest`` knows the newest samples; ``look`` normalises what was
    read and makes it known there. ``fresh`` is how old in seconds a value may be that a guard rail relies on,
    ``deadline`` bounds the connector, ``readback`` how long to wait until the field shows what was written.
    ``diary`` keeps what local logic does while the bus is away.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        clock: Clock,
        plant: Callable[[], Plant],
        lines: Mapping[str, Line],
        latest: Latest,
        look: Callable[[Batch], None],
        tell: Callable[[Event], None],
        policy: Policy,
        fresh: float = 10.0,
        deadline: float = 5.0,
        readback: float = 2.0,
        per_minute: int = 120,
        diary: Diary | None = None,
    ) -> None:
        self._clock = clock
        self._plant = plant
        self._lines = lines
        self._policy = policy
        self._deadline = deadline
        self._record = Record(bus, clock=clock, tell=tell, diary=diary)
        self._fresh = Fresh(
            clock=clock,
            lines=lines,
            latest=latest,
            look=look,
            limit=fresh,
            deadline=deadline,
            patience=readback,
            signals=lambda: plant().signals,
            written=self._since_written,
        )
        self._ledger = Ledger()
        self._waiting = Waiting()
        self._pace = Pace(per_minute)
        self._refusals = Pace(per_minute)  # that are written down
        self._turns = Turns()
        self._written: dict[str, float] = {}  # path -> when it was last sent, monotonic
        self._answered: dict[str, float] = {}  # path -> when the source had last answered that, monotonic

    # --- what doors call --------------------------------------------------------------------------------------

    async def execute(self, command: Command) -> Outcome:
        """Carries a command out, or says why not. The same command again has the same outcome."""
        return await self._once(command, lambda digest: self._write(command, digest, approved_by=""))

    async def call(self, call: Call) -> Outcome:
        """The same for a method."""
        return await self._once(call, lambda _: self._call(call))

    async def check(self, command: Command) -> Outcome:
        """What would come of a command: every guard rail, but nothing is sent, remembered or written down."""
        try:
            guard.sound(command)
            guard.digest(command)
            signal, _ = self._admit(command)
            value = await self._pass_rails(command, signal)
        except Refused as refusal:
            return Outcome(id=command.id, status=refusal.status, reason=refusal.reason)
        needs = " A second person would have to approve it." if signal.write and signal.write.critical else ""
        return Outcome(id=command.id, reason=f"It would be sent.{needs}", value=value)

    async def approve(self, id: str, digest: str, actor: str) -> Outcome:
        """``actor`` approves the waiting command of this id and exactly this hash, which is then carried out."""
        try:
            command = self._waiting.find(id, digest, actor, self._clock.monotonic())
            self._ask_policy(msgspec.structs.replace(command, actor=actor))
            self._waiting.remove(id)
        except Refused as refusal:
            return Outcome(id=id, status=refusal.status, reason=refusal.reason)
        self._ledger.forget(id)
        return await self._once(command, lambda found: self._write(command, found, approved_by=actor))

    # --- once -------------------------------------------------------------------------------------------------

    async def _once(self, command: Command | Call, carry: Callable[[str], Awaitable[Outcome]]) -> Outcome:
        try:
            guard.sound(command)
            digest = guard.digest(command)
            entry, new = self._ledger.open(command.id, digest)
        except Refused as refusal:
            return await self._refuse(command, refusal)
        if not new:
            await entry.settled.wait()
            return entry.outcome or Outcome(
                id=command.id, status=BAD_RESOURCE_UNAVAILABLE, reason="It was given up before it was sent."
            )
        outcome: Outcome | None = None
        try:
            if command.via != LOGIC:  # a rule has its own limit
                self._pace.take(command.actor, self._clock.monotonic())
            # A caller who goes away must not leave an intent without a result; every step has its deadline.
            with anyio.CancelScope(shield=True):
                outcome = await carry(digest)
        except Refused as refusal:
            outcome = await self._refuse(command, refusal)
        finally:
            entry.settle(outcome)
            if outcome is None or outcome.status == BAD_RESOURCE_UNAVAILABLE:
                self._ledger.forget(command.id)  # nothing was sent: the same id may try again
        return outcome or _broken(command)

    async def _refuse(self, command: Command | Call, refusal: Refused) -> Outcome:
        try:
            self._refusals.take(command.actor, self._clock.monotonic())
        except Refused:  # who asks without end must not fill the disk
            log.warning(
                "a refusal is not written down", actor=command.actor[:200], because=refusal.reason[:400]
            )
        else:
            await self._record.refused(command, refusal)
        value = refusal.value if isinstance(refusal, _Waits) else None
        return Outcome(id=command.id, status=refusal.status, reason=refusal.reason, value=value)

    # --- writing ----------------------------------------------------------------------------------------------

    async def _write(self, command: Command, digest: str, *, approved_by: str) -> Outcome:
        signal, line = self._admit(command)
        async with self._turns.of(signal.path, self._looked_at(signal)):
            self._must_be_as_it_was(signal)
            value = await self._pass_rails(command, signal)
            if signal.write and signal.write.critical and not approved_by:
                self._waiting.put(command, digest, self._clock.monotonic())
                raise _Waits(digest)
            return await self._send(command, signal, line, value, approved_by)

    def _admit(self, command: Command) -> tuple[Signal, Line]:
        self._ask_policy(command)
        signal = self._plant().signals.get(command.signal)
        if signal is None:
            raise Refused(BAD_NODE_ID_UNKNOWN, f"There is no signal {command.signal!r}.")
        if signal.write is None:
            raise Refused(
                BAD_NOT_WRITABLE, f"{signal.path} must not be written: the plant has no 'write' for it."
            )
        if command.via == LOGIC and not signal.write.logic:
            raise Refused(BAD_NOT_WRITABLE, f"{signal.path} must not be written by local logic.")
        return signal, self._line(signal.connection)

    def _line(self, name: str) -> Line:
        line = self._lines.get(name)
        if line is None:
            raise Refused(BAD_RESOURCE_UNAVAILABLE, f"There is no connection {name!r}.")
        return line

    def _ask_policy(self, command: Command | Call) -> None:
        reason = self._policy(command)
        if reason:
            raise Refused(BAD_USER_ACCESS_DENIED, reason)

    async def _pass_rails(self, command: Command, signal: Signal) -> Any:
        """Every guard rail in order; the value as the signal takes it."""
        guard.in_time(command, self._clock.now())
        value = guard.typed(command.value, signal, self._fresh.type_of(signal))
        guard.within_range(value, signal)
        rails = signal.write
        if rails is None:
            raise Refused(BAD_NOT_WRITABLE, f"{signal.path} must not be written.")
        if rails.step is not None:
            (reading,) = await self._fresh.readings([signal])
            guard.within_step(value, signal, reading)
        last = self._written.get(signal.path)
        if last is not None and (left := last + rails.interval - self._clock.monotonic()) > 0:
            raise Refused(
                BAD_RESOURCE_UNAVAILABLE,
                f"{signal.path} may be written every {rails.interval:g} s; {left:.1f} s are left.",
            )
        interlock, signals = self._interlock(signal)
        if interlock is not None:
            guard.holds(interlock, await self._fresh.readings(signals))
        guard.in_time(command, self._clock.now())
        return value

    def _must_be_as_it_was(self, signal: Signal) -> None:
        """While a command waits for its turn or for the bus, the plant's folder may be changed."""
        if self._plant().signals.get(signal.path) != signal:
            raise Refused(
                BAD_RESOURCE_UNAVAILABLE,
                f"{signal.path} has just been changed in the plant's folder; try again.",
            )

    def _interlock(self, signal: Signal) -> tuple[Expression | None, list[Signal]]:
        """The expression and the signals that it looks at."""
        if signal.write is None or not signal.write.interlock:
            return None, []
        try:
            interlock = _parsed(signal.write.interlock)
        except BadExpression as error:
            raise Refused(BAD_INVALID_STATE, f"The interlock cannot be read: {error}.") from None
        signals = []
        for path in interlock.signals:
            found = self._plant().signals.get(path)
            if found is None:
                raise Refused(BAD_INVALID_STATE, f"The interlock asks for {path!r}, which is no signal.")
            signals.append(found)
        return interlock, signals

    def _looked_at(self, signal: Signal) -> frozenset[str]:
        """Paths of what the interlock is measured by."""
        _, signals = self._interlock(signal)
        return frozenset(leaf.path for one in signals for leaf in leaves(one, self._plant().signals))

    def _since_written(self, path: str) -> float:
        """Seconds since the source had answered our last write to it."""
        return self._clock.monotonic() - self._answered.get(path, -math.inf)

    async def _send(
        self, command: Command, signal: Signal, line: Line, value: Any, approved_by: str
    ) -> Outcome:
        number = guard.raw(value, signal)
        before = self._fresh.value_of(signal)
        data = {"why": command.reason, "before": before, "raw": number, "approved": approved_by}
        if command.via == LOGIC:
            await self._record.intend_here(command, data)
        else:
            earlier = await self._record.intend(command, data)
            if earlier is not None:
                return earlier
        self._written[signal.path] = self._answered[signal.path] = self._clock.monotonic()
        outcome = _broken(command)
        try:
            guard.in_time(command, self._clock.now())
            self._must_be_as_it_was(signal)
            outcome = await self._carry(command, signal, line, value, number)
        except Refused as refusal:
            outcome = Outcome(id=command.id, status=refusal.status, reason=refusal.reason)
        finally:
            await self._record.done(command, outcome)
        return outcome

    async def _carry(self, command: Command, signal: Signal, line: Line, value: Any, number: Any) -> Outcome:
        """The connector's part, within the deadline."""
        point = Point(signal.handle, signal.path, signal.address, signal.type)
        begun = self._clock.now()
        status, reason = await self._reached(lambda: line.write((Write(point, number),)))
        self._answered[signal.path] = self._clock.monotonic()
        if not isinstance(status, int):
            status = int(status[0])
        if status >= UNCERTAIN:
            reason = reason or f"The source refused it: {status_name(status)}."
            return Outcome(id=command.id, status=status, reason=reason)
        if signal.write is None or not signal.write.readback:
            return Outcome(id=command.id, status=status, reason="Written; not read back.")
        agreed, read = await self._fresh.read_back(
            signal, begun, lambda found: guard.agrees(found, value, signal)
        )
        if agreed:
            return Outcome(id=command.id, status=status, reason="Written and read back.", value=read)
        seen = "is not seen" if read is None else f"reads {read!r:.80}"
        return Outcome(id=command.id, status=UNCERTAIN, reason=f"Written, but the field {seen}.", value=read)

    async def _reached(self, ask: Callable[[], Awaitable[Any]]) -> tuple[Any, str]:
        """What the connector answered, or a status and why. Nothing that it raises leaves a command open."""
        try:
            with anyio.fail_after(self._deadline):
                return await ask(), ""
        except TimeoutError:
            return BAD_TIMEOUT, f"No answer within {self._deadline:g} s: it may have happened."
        except Retry as error:
            return BAD_RESOURCE_UNAVAILABLE, f"The line is not up, nothing was sent: {error}"
        except Invalid as error:
            return BAD_NOT_WRITABLE, str(error)
        except WeftError as error:
            return BAD_UNEXPECTED_ERROR, str(error)

    # --- calling ----------------------------------------------------------------------------------------------

    async def _call(self, call: Call) -> Outcome:
        self._ask_policy(call)
        connection = self._plant().connections.get(call.connection)
        if connection is None:
            raise Refused(BAD_NODE_ID_UNKNOWN, f"There is no connection {call.connection!r}.")
        guard.is_allowed(call, connection.methods)
        line = self._line(call.connection)
        async with self._turns.of(f"{call.connection}//"):
            guard.in_time(call, self._clock.now())
            earlier = await self._record.intend(call, {"why": call.reason})
            return earlier if earlier is not None else await self._called(call, line)

    async def _called(self, call: Call, line: Line) -> Outcome:
        outcome = _broken(call)
        try:
            answer, reason = await self._reached(lambda: line.call(call.target, call.method, call.arguments))
            if isinstance(answer, int):
                outcome = Outcome(id=call.id, status=answer, reason=reason)
            else:
                plain = msgspec.to_builtins(answer, enc_hook=str)
                outcome = Outcome(id=call.id, reason="Called.", value=plain)
        finally:
            await self._record.done(call, outcome)
        return outcome


def _broken(command: Command | Call) -> Outcome:
    """What is written down when a connector fails in a way of its own."""
    return Outcome(
        id=command.id, status=BAD_UNEXPECTED_ERROR, reason="The connector failed: it may have happened."
    )


class _Waits(Refused):
    """A second person must approve it; ``value`` says what to approve."""

    def __init__(self, digest: str) -> None:
        super().__init__(
            BAD_REQUEST_NOT_ALLOWED,
            f"It is critical: a second person must approve it within {APPROVAL / 60:g} minutes.",
        )
        self.value = {"digest": digest, "seconds": APPROVAL}
