"""The doors of commands: HTTP for people and programs that Weft knows, and requests on the bus. Both lead to one
and the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import anyio
import msgspec
from litestar import Request, Response, Router, post
from litestar.params import FromQuery, JSONBody

from weft.bus import Bus, Message, escape
from weft.catalog import Plant
from weft.connect import Line
from weft.edge import Commands, Diary, Edge, doors
from weft.model import Call, Command, Outcome
from weft.model.event import new_id
from weft.model.quality import BAD, BAD_INVALID_ARGUMENT, BAD_TIMEOUT, UNCERTAIN, status_name
from weft.runtime import Clock, Invalid, Ready
from weft.runtime.settings import CommandSettings

__all__ = ["BUS", "Answer", "BusDoor", "CallForm", "WriteForm", "make", "router"]

BUS: Final = "bus"
LARGEST: Final = 65_536

Ask = Request[Any, Any, Any]


class WriteForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``signal`` is a path, ``value`` in its unit or the name of a state. ``seconds``: not sent after so long. The
    same ``id`` is carried out once."""

    signal: str
    value: Any
    reason: str = ""
    seconds: float | None = None
    id: str = ""


class CallForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``target`` and ``method`` in the notation of the connection's protocol."""

    connection: str
    target: str
    method: str
    arguments: tuple[Any, ...] = ()
    reason: str = ""
    seconds: float | None = None
    id: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: ``done`` when ``status`` (an OPC UA StatusCode, ``code`` its number) is good."""

    id: str
    done: bool
    status: str
    code: int
    reason: str
    value: Any


def make(
    bus: Bus,
    edge: Edge,
    settings: CommandSettings,
    clock: Clock,
    *,
    plant: Callable[[], Plant],
    lines: Mapping[str, Line],
    diary: Diary | None = None,
) -> Commands:
    """The one way of commands of a house."""
    return Commands(
        bus,
        clock=clock,
        plant=plant,
        lines=lines,
        latest=edge.treatment.latest,
        look=edge.treatment.look,
        tell=edge.tell,
        policy=doors(settings.doors),
        fresh=settings.fresh_seconds,
        deadline=settings.deadline,
        readback=settings.readback_seconds,
        per_minute=settings.per_minute,
        diary=diary,
    )


def router(commands: Commands, clock: Clock) -> Router:
    """``/api/v1/write`` and ``/call``. What a guard rail refuses is an answer, with status 409."""

    @post("/write", status_code=200)
    async def write(
        request: Ask,
        data: JSONBody[WriteForm],
        door: FromQuery[str] = "http",
        dry_run: FromQuery[bool] = False,
    ) -> Response[Any]:
        """Write a value to a signal that the plant allows to write; with ``dry_run`` only say what would come of
        it. 200: done; 409: refused, by a guard rail or by the source; 502: sent, and what came of it is not sure."""
        command = Command(
            signal=data.signal.strip("/"),
            value=data.value,
            actor=_actor(request),
            via=_door(door),
            reason=data.reason,
            expires=_expiry(data.seconds, clock),
            id=data.id or new_id(),
        )
        outcome = await (commands.check(command) if dry_run else commands.execute(command))
        return _response(outcome)

    @post("/call", status_code=200)
    async def call(request: Ask, data: JSONBody[CallForm], door: FromQuery[str] = "http") -> Response[Any]:
        """Call a method that the plant allows to call; answers like `write`."""
        asked = Call(
            connection=data.connection,
            target=data.target,
            method=data.method,
            arguments=data.arguments,
            actor=_actor(request),
            via=_door(door),
            reason=data.reason,
            expires=_expiry(data.seconds, clock),
            id=data.id or new_id(),
        )
        return _response(await commands.call(asked))

    return Router("/api/v1", route_handlers=[write, call], tags=["commands"])


def _actor(request: Ask) -> str:
    """Who the gate has let in."""
    return str(request.scope["state"]["identity"].name)


def _door(door: str) -> str:
    if door not in ("http", "cli"):
        raise Invalid(
            f"{door!r} is not a door of this route.", remedy="It is http, or cli for the command line."
        )
    return door


def _expiry(seconds: float | None, clock: Clock) -> int:
    if seconds is None:
        return 0
    if not 0 < seconds <= 3_600:
        raise Invalid(f"{seconds:g} s is no time to wait.", remedy="More than 0, at most 3,600.")
    return clock.now() + round(seconds * 1e9)


def _response(outcome: Outcome) -> Response[Any]:
    if outcome.status < UNCERTAIN:
        status = 200
    else:
        status = 502 if outcome.status == BAD_TIMEOUT or outcome.status < BAD else 409
    return Response(msgspec.json.encode(answer(outcome)), status_code=status, media_type="application/json")


def answer(outcome: Outcome) -> Answer:
    return Answer(
        id=outcome.id,
        done=outcome.status < UNCERTAIN,
        status=status_name(outcome.status),
        code=outcome.status,
        reason=outcome.reason,
        value=outcome.value,
    )


class BusDoor:
    """Requests on ``cmd.v1.write.<enterprise>.<site>`` and ``cmd.v1.call.…``: JSON in, JSON out. Whoever may publish
    there may name any actor, so this door is shut unless the settings open it."""

    def __init__(self, bus: Bus, commands: Commands, plant: Callable[[], Plant]) -> None:
        self._bus = bus
        self._commands = commands
        self._plant = plant

    async def run(self, ready: Ready) -> None:
        """Serves until cancelled."""
        site = [escape(name) for name in next(iter(list(self._plant().assets)[1:]), "").split("/")]
        async with AsyncExitStack() as stack:
            for kind, reply in (("write", self._write), ("call", self._call)):
                await stack.enter_async_context(self._bus.serve(".".join(["cmd", "v1", kind, *site]), reply))
            ready()
            await anyio.sleep_forever()

    async def _write(self, message: Message) -> bytes:
        command = _decoded(message, Command)
        return _encoded(await self._commands.execute(command) if isinstance(command, Command) else command)

    async def _call(self, message: Message) -> bytes:
        call = _decoded(message, Call)
        return _encoded(await self._commands.call(call) if isinstance(call, Call) else call)


def _decoded(message: Message, kind: type[Any]) -> Any:
    """The command, or the outcome that says what is wrong with it. Its door is this one, whatever it says."""
    body = message.body
    try:
        if not isinstance(body, bytes) or len(body) > LARGEST:
            raise msgspec.ValidationError(f"at most {LARGEST:,} bytes of JSON are taken")
        data = msgspec.json.decode(body, type=dict[str, Any])
        return msgspec.convert({**data, "via": BUS}, kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return Outcome(id="", status=BAD_INVALID_ARGUMENT, reason=f"This is no command: {error}.")


def _encoded(outcome: Outcome) -> bytes:
    return msgspec.json.encode(answer(outcome))
