"""What the server's process and its parent say to each other: msgpack frames, each with its length before it
(4 bytes, little-endian). Samples travel in the house's own binary form (:mod:`weft.model.wire`)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final, TypeAlias

import anyio
import msgspec
from anyio.abc import ByteReceiveStream, ByteSendStream

from weft.model import Asset, Limits, Signal, ValueType
from weft.runtime import Retry

__all__ = [
    "Answer",
    "Begin",
    "Failed",
    "FromChild",
    "FromParent",
    "Login",
    "Model",
    "Ping",
    "Point",
    "Pong",
    "Ready",
    "Rejected",
    "Samples",
    "Wish",
    "frames",
    "point_of",
    "send",
]

MAX_FRAME: Final = 1 << 30
_PIECE: Final = 1 << 16


class Point(msgspec.Struct, frozen=True, array_like=True):
    """What clients are shown of a signal."""

    handle: int
    path: str
    description: str
    type: int
    unit: str
    limits: Limits
    states: dict[int, str]
    writable: bool


class Place(msgspec.Struct, frozen=True, array_like=True):
    """What clients are shown of an asset."""

    path: str
    level: str
    description: str


class Login(msgspec.Struct, frozen=True, array_like=True):
    """A user; ``secret`` is the SHA-256 of the password, ``certificate`` of the certificate (both may be empty)."""

    name: str
    secret: bytes
    certificate: bytes
    write: bool


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """The first frame. ``settings`` is Config without secrets: they come as logins."""

    folder: str
    settings: dict[str, Any]
    logins: list[Login]


class Model(msgspec.Struct, frozen=True, tag="model"):
    """All there is now: replaces what was there."""

    places: list[Place]
    points: list[Point]


class Samples(msgspec.Struct, frozen=True, tag="samples"):
    batch: bytes


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """What came of a wish: an OPC UA StatusCode."""

    id: int
    status: int
    reason: str = ""


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    number: int


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """It listens there."""

    host: str
    port: int
    fingerprint: str


class Wish(msgspec.Struct, frozen=True, tag="wish"):
    """A client wants to write; ``expires`` is ns UTC."""

    id: int
    path: str
    value: Any
    actor: str
    reason: str
    expires: int


class Pong(msgspec.Struct, frozen=True, tag="pong"):
    number: int
    sessions: int = 0
    items: int = 0
    changes: int = 0


class Rejected(msgspec.Struct, frozen=True, tag="rejected"):
    """A client was turned away whose certificate a person could trust."""

    what: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Why the server cannot go on; ``human``: a person must act."""

    message: str
    remedy: str
    human: bool


FromParent: TypeAlias = Begin | Model | Samples | Answer | Ping
FromChild: TypeAlias = Ready | Wish | Pong | Rejected | Failed

_encoder: Final = msgspec.msgpack.Encoder()


def point_of(signal: Signal) -> Point:
    kind = ValueType.NULL if signal.type is None else signal.type
    return Point(
        signal.handle,
        signal.path,
        signal.description,
        int(kind),
        signal.unit,
        signal.limits,
        signal.states,
        signal.write is not None,
    )


def place_of(asset: Asset) -> Place:
    return Place(asset.path, str(asset.level), asset.description)


async def send(stream: ByteSendStream, *messages: msgspec.Struct) -> None:
    """Raises anyio.BrokenResourceError or ClosedResourceError when the other side has ended."""
    data = bytearray()
    for message in messages:
        body = _encoder.encode(message)
        data += len(body).to_bytes(4, "little") + body
    await stream.send(bytes(data))


async def frames(stream: ByteReceiveStream, kinds: Any) -> AsyncIterator[Any]:
    """Messages of the other side until it closes its end. Raises Retry when they make no sense."""
    decoder = msgspec.msgpack.Decoder(kinds)
    inbox = bytearray()
    while True:
        while len(inbox) >= 4:
            size = int.from_bytes(inbox[:4], "little")
            if size > MAX_FRAME:
                raise Retry(f"The OPC UA server's pipe brought a frame of {size} bytes.")
            if len(inbox) < 4 + size:
                break
            body = bytes(inbox[4 : 4 + size])
            del inbox[: 4 + size]
            try:
                yield decoder.decode(body)
            except msgspec.MsgspecError as error:
                raise Retry(f"The OPC UA server's pipe brought something else: {error}.") from error
        try:
            inbox += await stream.receive(_PIECE)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return
