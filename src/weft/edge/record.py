"""The written side of a command: its intent before anything is sent, its result after, both on the bus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import anyio
import msgspec

from weft.bus import Bus, Draft, escape, events_subject, since
from weft.edge.diary import Diary
from weft.edge.guard import Refused, digest
from weft.model import Call, Command, Event, Kind, Outcome
from weft.model.quality import BAD_INVALID_ARGUMENT, BAD_RESOURCE_UNAVAILABLE, BAD_TIMEOUT, status_name
from weft.runtime import Clock, NotFound, Retry, get_logger

__all__ = ["Record"]

log = get_logger(__name__)

WINDOW: Final = 3_600  # seconds in which the stream of events recognises an id that it has
LARGEST_KEPT: Final = 131_072  # bytes of JSON
LONGEST_NAME: Final = 1_900  # bytes of a subject, escaped
LOOK_BACK: Final = 2.0
PATIENCE: Final = 2.0  # for the bus to take an intent


class Record:
    """Intents and results of commands. ``tell`` queues what the bus does not take at once; while it is away,
    ``diary`` keeps that safe on disk."""

    def __init__(
        self,
        bus: Bus,
        *,
        clock: Clock,
        tell: Callable[[Event], None],
        diary: Diary | None = None,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._tell = tell
        self._diary = diary

    async def intend(self, command: Command | Call, data: dict[str, Any]) -> Outcome | None:
        """Returns None once the intent is as safe as the bus promises; the outcome when the same id was carried
        out before, also before a restart. Raises Refused when the intent cannot be kept: then nothing is sent."""
        event = self._event(Kind.COMMAND_REQUESTED, command, {**data, "digest": digest(command)})
        try:
            with anyio.fail_after(PATIENCE):
                ack = await self._bus.publish(_draft(event))
        except (Retry, NotFound, TimeoutError) as error:
            reason = str(error) or "it gave no answer in time"
            raise Refused(
                BAD_RESOURCE_UNAVAILABLE, f"The intent cannot be written down, so nothing was sent: {reason}"
            ) from None
        return await self._earlier(command) if ack.duplicate else None

    async def intend_here(self, command: Command | Call, data: dict[str, Any]) -> None:
        """The same for local logic, which must work while the bus is away: the intent is queued for it."""
        await self._keep(self._event(Kind.COMMAND_REQUESTED, command, data))

    async def done(self, command: Command | Call, outcome: Outcome) -> None:
        data: dict[str, Any] = {"status": status_name(outcome.status), "code": outcome.status}
        data["digest"] = digest(command)
        data["reason"] = outcome.reason
        data["read"] = _kept(outcome.value)
        await self._write_down(self._event(Kind.COMMAND_DONE, command, data))

    async def refused(self, command: Command | Call, refusal: Refused) -> None:
        data = {"status": status_name(refusal.status), "code": refusal.status, "reason": refusal.reason}
        await self._write_down(self._event(Kind.COMMAND_REFUSED, command, data))

    async def _write_down(self, event: Event) -> None:
        """Safe when this returns, or queued: what has happened must not get lost because the bus is busy."""
        try:
            with anyio.fail_after(PATIENCE):
                await self._bus.publish(_draft(event))
        except (Retry, NotFound, TimeoutError) as error:
            log.warning("the result of a command waits for the bus", id=event.data["id"], because=str(error))
            await self._keep(event)

    async def _keep(self, event: Event) -> None:
        if self._diary is None or not await self._diary.write(event):
            self._tell(event)

    def _event(self, kind: str, command: Command | Call, data: dict[str, Any]) -> Event:
        now = self._clock.now()
        said = {"id": command.id, "actor": command.actor, "via": command.via, **_what(command), **data}
        # The id of the event follows from the command's: a stream that has it tells a repetition.
        return Event(
            kind=kind,
            source=_target(command),
            time=now,
            recorded=now,
            data=said,
            id=f"{command.id}/{kind.rpartition('.')[2]}",
        )

    async def _earlier(self, command: Command | Call) -> Outcome:
        """What came of the same id before this process remembers. Raises Refused when it was another command's."""
        subject = events_subject(Kind.COMMAND_DONE, _target(command))
        with anyio.move_on_after(LOOK_BACK):
            async with self._bus.subscribe(
                subject, start=since(self._clock.now() - WINDOW * 10**9)
            ) as results:
                while True:
                    for message in await results.next(100):
                        event = message.body
                        if isinstance(event, Event) and event.data.get("id") == command.id:
                            return _outcome(command, event.data)
        return Outcome(
            id=command.id,
            status=BAD_TIMEOUT,
            reason="It was begun before and its result is not known: it may have happened. Nothing was sent now.",
        )


def _outcome(command: Command | Call, said: dict[str, Any]) -> Outcome:
    if said.get("digest") != digest(command):
        raise Refused(BAD_INVALID_ARGUMENT, f"The id {command.id} was given to another command.")
    return Outcome(
        id=command.id,
        status=int(said.get("code", BAD_TIMEOUT)),
        reason=str(said.get("reason", "")),
        value=said.get("read"),
    )


def _draft(event: Event) -> Draft:
    return Draft(events_subject(event.kind, event.source), event, event.id)


def _target(command: Command | Call) -> str:
    """What it is about, as the source of its events; a name that no subject can hold is nobody's."""
    name = command.signal if isinstance(command, Command) else command.connection
    return name if len(escape(name)) <= LONGEST_NAME else ""


def _what(command: Command | Call) -> dict[str, Any]:
    if isinstance(command, Command):
        return {"signal": command.signal, "value": _kept(command.value)}
    return {
        "connection": command.connection,
        "target": command.target,
        "method": command.method,
        "arguments": _kept(list(command.arguments)),
    }


def _kept(value: Any) -> Any:
    """The value, or why it is not kept: an event that the bus cannot take would leave a command without result."""
    try:
        size = len(msgspec.json.encode(value))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return "(a value that cannot be written down)"
    return value if size <= LARGEST_KEPT else f"(a value of {size:,} bytes)"
