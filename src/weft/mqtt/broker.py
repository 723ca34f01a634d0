"""How a plant's folder says where a broker is and how to sign in there."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple, TypeAlias

from msgspec import Meta, Struct

__all__ = ["Broker", "Message", "Version"]

Version: TypeAlias = Literal["3.1.1", "5"]

_TLS_PORT = 8883
_PLAIN_PORT = 1883


class Broker(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the broker is and how to sign in. ``user`` and ``password`` are ``env:NAME`` or ``file:path``; a
    user name may also be written out. Raises ValueError for a password that is written out."""

    host: Annotated[str, Meta(min_length=1)]
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    version: Version = "3.1.1"
    client_id: str = ""
    user: str = ""
    password: str = ""
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""
    qos: Literal[0, 1] = 1
    keepalive: Annotated[int, Meta(ge=1, le=65535)] = 30
    clean_session: bool = False
    session_expiry: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 7 * 24 * 3600
    timeout: Annotated[float, Meta(gt=0, le=300)] = 5.0

    def __post_init__(self) -> None:
        if self.password and not self.password.startswith(("env:", "file:")):
            raise ValueError(
                "a password does not belong into the plant's folder: write env:NAME or file:/path to it"
            )

    @property
    def at(self) -> int:
        """The port, by default the one registered for MQTT with or without TLS."""
        return self.port or (_TLS_PORT if self.secure else _PLAIN_PORT)

    @property
    def secure(self) -> bool:
        return self.tls or bool(self.ca)


class Message(NamedTuple):
    """A message as the broker sent it; ``id`` is 0 for QoS 0, which asks for no acknowledgement."""

    topic: str
    payload: bytes
    id: int
    retained: bool
    repeated: bool
