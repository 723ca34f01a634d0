"""How a plant's folder says where to listen, what to ask for, and what of a message one signal reads."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from msgspec import Meta, Struct

from weft.connect.payload import TimeUnit

__all__ = ["Address", "Config", "Poll"]


def _refuse_written(secret: str, name: str) -> None:
    if secret and not secret.startswith(("env:", "file:")):
        raise ValueError(
            f"{name} does not belong into the plant's folder: write env:NAME or file:/path to it"
        )


class Poll(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address that is asked every ``interval`` seconds; ``token`` goes as a bearer token, or in ``header``."""

    url: Annotated[str, Meta(pattern=r"^https?://[^/]+")]
    interval: Annotated[float, Meta(ge=0.1, le=86_400)] = 10.0
    token: str = ""
    header: str = "Authorization"
    ca: str = ""

    def __post_init__(self) -> None:
        _refuse_written(self.token, "a token")


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to listen (no ``port``: nowhere), who may post, and what to ask for. ``timeout`` is in seconds."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] | None = None
    token: str = ""
    header: str = "Authorization"
    secret: str = ""
    signature: str = "X-Signature-256"
    max_body: Annotated[int, Meta(ge=1, le=1 << 20)] = 1 << 20
    timeout: Annotated[float, Meta(gt=0, le=300)] = 10.0
    poll: dict[str, Poll] = {}

    def __post_init__(self) -> None:
        _refuse_written(self.token, "a token")
        _refuse_written(self.secret, "a secret")
        if self.port is None and not self.poll:
            raise ValueError("there is neither a port to listen on nor a poll")
        if self.port is not None and not (self.token or self.secret or _is_loopback(self.host)):
            raise ValueError("a listener that others can reach needs a token or a secret")


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one signal reads: messages of ``source`` (a path that is posted to, ``/press``, or a poll's name)
    whose JSON has the values of ``where``, and of them the value at ``path``; ``time`` is the path of the
    source's time."""

    source: Annotated[str, Meta(min_length=1, max_length=1000)]
    path: str = ""
    time: str = ""
    time_unit: TimeUnit = "ms"
    where: dict[str, str] = {}
    optional: bool = False

    def __hash__(self) -> int:
        return hash((self.source, self.path, self.time, self.time_unit, self.optional))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
