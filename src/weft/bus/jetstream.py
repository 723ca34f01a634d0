"""JetStream's JSON API, as far as the bus needs it (nats.io, ADR-1, ADR-8, ADR-31, ADR-37, ADR-50)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from weft.bus.api import Promise, Stream
from weft.bus.session import Session
from weft.runtime import Conflict, Invalid, NeedsHuman, NotFound, Retry, WeftError

__all__ = [
    "NOTES",
    "POSITIONS",
    "Acknowledged",
    "ApiError",
    "Consumer",
    "StreamInfo",
    "create_consumer",
    "declare",
    "ensure_register",
    "is_duplicate",
    "meaning",
    "stream_info",
    "stream_list",
]

POSITIONS: Final = "weft-positions"  # how far each durable subscription has come
NOTES: Final = "weft-notes"  # small documents by name

_DUPLICATE_IN_BATCH: Final = 10201
# Other settings under this name, overlapping subjects, a fixed setting, a note that somebody else wrote.
_TAKEN: Final = {10058, 10065, 10052, 10071, 10164}
_NO_SPACE: Final = {10047, 10023, 10028}
# A lost first message, too many open batches, an id that is just being stored: the same call works later.
_BUSY: Final = {10176, 10210, 10158}


class ApiError(msgspec.Struct, frozen=True):
    code: int = 0
    err_code: int = 0
    description: str = ""


class Config(msgspec.Struct, frozen=True):
    name: str = ""
    subjects: tuple[str, ...] = ()
    storage: str = "file"


class State(msgspec.Struct, frozen=True):
    messages: int = 0
    bytes: int = 0
    first_seq: int = 0
    last_seq: int = 0


class StreamInfo(msgspec.Struct, frozen=True):
    config: Config = Config()
    created: str = ""
    state: State = State()
    error: ApiError | None = None


class _RawConfig(msgspec.Struct, frozen=True):
    config: dict[str, Any] = {}
    error: ApiError | None = None


class _StreamList(msgspec.Struct, frozen=True):
    total: int = 0
    streams: tuple[StreamInfo, ...] | None = ()
    error: ApiError | None = None


class _Delivered(msgspec.Struct, frozen=True):
    stream_seq: int = 0


class Consumer(msgspec.Struct, frozen=True):
    name: str = ""
    delivered: _Delivered = _Delivered()
    error: ApiError | None = None


class Acknowledged(msgspec.Struct, frozen=True):
    """A stream's answer to a publish."""

    seq: int = 0
    duplicate: bool = False
    error: ApiError | None = None


_Reply = TypeVar("_Reply", StreamInfo, _RawConfig, _StreamList, Consumer)


def is_duplicate(answer: Acknowledged) -> bool:
    """Whether an atomic batch was refused because a message of it is stored already."""
    return answer.error is not None and answer.error.err_code == _DUPLICATE_IN_BATCH


def meaning(error: ApiError, what: str) -> WeftError:
    """The server's refusal, as what to do about it."""
    text = f"The bus refused {what}: {error.description or error.code}."
    if error.err_code in _NO_SPACE:
        return NeedsHuman(text, remedy="Give the bus more room, or the streams less.")
    if error.err_code in _TAKEN:
        return Conflict(text)
    if error.err_code in _BUSY or error.code >= 500:
        return Retry(text)
    return NotFound(text) if error.code == 404 else Invalid(text)


async def stream_list(session: Session) -> list[StreamInfo]:
    """All streams of the account."""
    found: list[StreamInfo] = []
    while True:
        page = await _call(session, "STREAM.LIST", {"offset": len(found)}, _StreamList)
        found.extend(page.streams or ())
        if not page.streams or len(found) >= page.total:
            return found


async def stream_info(session: Session, name: str) -> StreamInfo:
    """Raises NotFound."""
    return await _call(session, f"STREAM.INFO.{name}", {}, StreamInfo)


async def declare(session: Session, stream: Stream) -> None:
    """Creates the stream or brings it to this description."""
    memory = stream.promise is Promise.NONE
    config = {
        "name": stream.name,
        "subjects": stream.subjects,
        "storage": "memory" if memory else "file",
        "retention": "limits",
        "discard": "old",
        "max_age": _ns(stream.max_age),
        "max_bytes": stream.max_bytes,
        # The server refuses a window that is longer than the messages live.
        "duplicate_window": _ns(min(stream.duplicate_window, stream.max_age)),
        "allow_direct": True,
        "allow_atomic": True,
    }
    try:
        present = (await _call(session, f"STREAM.INFO.{stream.name}", {}, _RawConfig)).config
    except NotFound:
        await _call(session, f"STREAM.CREATE.{stream.name}", config, StreamInfo)
        return
    if present["storage"] != config["storage"]:
        raise Conflict(
            f"The stream {stream.name!r} is kept in {present['storage']}: its promise cannot change.",
            remedy="Declare it under another name.",
        )
    if {name: present.get(name) for name in config} != {**config, "subjects": list(stream.subjects)}:
        # What else an administrator has set (replicas, placement) stays.
        await _call(session, f"STREAM.UPDATE.{stream.name}", present | config, StreamInfo)


async def ensure_register(session: Session, name: str, root: str) -> None:
    """A stream that keeps the newest message of each subject below ``root``."""
    try:
        await stream_info(session, name)
    except NotFound:
        config = {
            "name": name,
            "subjects": [f"{root}.>"],
            "max_msgs_per_subject": 1,
            "max_bytes": 16 << 20,
            "allow_direct": True,
        }
        await _call(session, f"STREAM.CREATE.{name}", config, StreamInfo)


async def create_consumer(session: Session, stream: str, name: str, config: Mapping[str, Any]) -> Consumer:
    body = {
        "stream_name": stream,
        "action": "create",
        "config": {
            "name": name,
            "ack_policy": "none",
            "mem_storage": True,
            "inactive_threshold": _ns(60),
            **config,
        },
    }
    return await _call(session, f"CONSUMER.CREATE.{stream}.{name}", body, Consumer)


async def _call(session: Session, verb: str, body: Mapping[str, Any], kind: type[_Reply]) -> _Reply:
    try:
        reply = await session.ask(f"$JS.API.{verb}", msgspec.json.encode(body))
    except NotFound as error:
        raise Retry("The bus has no JetStream yet.", remedy="Is it enabled for this account?") from error
    answer = msgspec.json.decode(reply.data, type=kind)
    if answer.error is not None:
        raise meaning(answer.error, verb)
    return answer


def _ns(seconds: float) -> int:
    return int(seconds * 1_000_000_000)
